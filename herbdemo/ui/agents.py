"""The endpoints of `api` as tools of the Model Context Protocol: Gradio's server, mended.

Gradio 6.31 sends a result as Python prints it, `{'toxic': ''}`, which is no JSON; makes one text of
a picture and its words unless the client asked for progress; repeats whatever it cannot use as a
file, megabytes of it, in the error; and tells agents nothing of what they talk to.
"""

import json
from typing import Any

import gradio.mcp
from gradio_client.utils import is_file_obj_with_meta

from herbdemo.errors import HerbError
from herbdemo.photo import MAX_BYTES
from herbdemo.ui import texts_api as t

ABOUT = (
    "Herb Lens recognises Chinese herbal medicines in photos and shows where the evidence lies. "
    "recognise_herb first; explain_herb and compare_herbs show why; list_herbs names what it can "
    "know. Give a photo as a public http(s) address, as a data: address, or upload it by a POST "
    "of multipart form field `files` to /gradio_api/upload and give the address "
    "/gradio_api/file=PATH of this server. Sentences come in Chinese (zh; zh_hant in traditional "
    "characters) and English (en). "
    "An answer is for study and reference, not medical advice: always pass the cautions on."
)
_LONGEST = MAX_BYTES * 4 // 3 + 100  # characters of a photo in base64


class AgentServer(gradio.mcp.GradioMCPServer):
    """Gradio's MCP server, with JSON for results and sentences for errors."""

    def create_mcp_server(self) -> Any:
        server = super().create_mcp_server()
        server.instructions = ABOUT
        return server

    def convert_strings_to_filedata(self, value: Any, filedata_positions: Any) -> Any:
        for (name,) in filedata_positions:  # all our files are arguments of their own
            given = str(value.get(name))
            if not given.startswith(("http://", "https://", "data:")):
                raise HerbError(*t.NO_PHOTO, hint="no-photo")
            if len(given) > _LONGEST:
                raise HerbError(*t.TOO_LARGE, hint="photo-too-many-bytes")
        try:
            return super().convert_strings_to_filedata(value, filedata_positions)
        except ValueError as error:  # not base64
            raise HerbError(*t.NO_PHOTO, hint="no-photo") from error

    async def _execute_tool_without_progress(self, job: Any) -> list[Any]:
        (result,) = await super()._execute_tool_without_progress(job)
        return list(result) if isinstance(result, list | tuple) else [result]

    def postprocess_output_data(self, data: Any, root_url: str) -> Any:
        def said(output: Any) -> Any:
            if isinstance(output, dict | list) and not is_file_obj_with_meta(output):
                return json.dumps(output, ensure_ascii=False)
            return output

        return super().postprocess_output_data([said(output) for output in data], root_url)


def install() -> None:
    """Let `launch(mcp_server=True)` make this server: Gradio 6.31 has no other way to choose it."""
    gradio.mcp.GradioMCPServer = AgentServer  # type: ignore[misc]
