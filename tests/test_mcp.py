"""The tools for agents, spoken to by a real MCP client over HTTP, against the real server."""

import asyncio
import base64
import io
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("mcp")

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

EXAMPLES = Path(__file__).parent.parent / "examples"
ROSE = EXAMPLES / "yuejihua-rose.jpg"
TOOLS = {"recognise_herb", "explain_herb", "compare_herbs", "list_herbs"}


def data_address(content: bytes, kind: str = "image/jpeg") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


PHOTO = data_address(ROSE.read_bytes())


@pytest.fixture(scope="module")
def ask(server: str) -> Callable:
    """`ask(tool, **arguments)` is the tool's answer; `ask()` what the server says of itself."""

    async def talk(tool: str, arguments: dict, options: dict):
        address = f"{server}gradio_api/mcp/"
        async with (
            streamable_http_client(address) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            about = await session.initialize()
            if not tool:
                return about, (await session.list_tools()).tools
            return await session.call_tool(tool, arguments, **options)

    return lambda tool="", options=None, **arguments: asyncio.run(
        talk(tool, arguments, options or {})
    )


def words(answer) -> dict:
    """The JSON of an answer."""
    assert not answer.isError, answer.content
    return json.loads(answer.content[-1].text)


def picture(answer) -> Image.Image:
    (found,) = [part for part in answer.content if part.type == "image"]
    assert found.mimeType == "image/jpeg"
    assert len(found.data) < 1 << 20  # more is refused by some clients
    return Image.open(io.BytesIO(base64.b64decode(found.data)))


def refused(answer) -> str:
    assert answer.isError
    (said,) = answer.content
    for secret in ("Traceback", "/tmp", "site-packages", ".py", "uploads", "Errno"):
        assert secret not in said.text
    assert len(said.text) < 600
    return said.text


# What an agent learns before it calls


def test_exactly_four_tools_are_offered_and_none_changes_a_model(ask):
    _, tools = ask()
    assert {tool.name for tool in tools} == TOOLS


def test_the_tools_say_what_they_take_and_give(ask):
    about, tools = ask()
    assert "not medical advice" in about.instructions
    described = {tool.name: tool for tool in tools}
    for name, tool in described.items():
        assert len(tool.description) > 200, name
        assert "JSON" in tool.description
        for argument, schema in tool.inputSchema["properties"].items():
            assert schema["type"] == "string"
            said = schema["description"]
            assert said.endswith("."), f"Gradio cut the description of {argument} in {name}: {said}"
    required = {name: set(tool.inputSchema.get("required", ())) for name, tool in described.items()}
    assert required == {
        "recognise_herb": {"photo"},
        "explain_herb": {"photo"},
        "compare_herbs": {"photo", "a", "b"},
        "list_herbs": set(),
    }


def test_a_browser_that_opens_the_address_reads_what_it_is(server):
    with urllib.request.urlopen(f"{server}gradio_api/mcp/", timeout=30) as page:
        assert "Model Context Protocol" in page.read().decode()


# The four tools


def test_recognise_herb(ask):
    said = words(ask("recognise_herb", photo=PHOTO))
    assert said["verdict"] in {"certain", "unsure", "unknown"}
    assert len(said["candidates"]) == 5
    assert len(said["sha256"]) == 64
    assert "not medical advice" in said["note"]["en"]
    assert all(caution["zh"] and caution["en"] for caution in said["cautions"])


@pytest.mark.parametrize("options", [{}, {"progress_callback": None}])
def test_explain_herb_gives_a_picture_and_says_it_in_words(ask, options):
    async def heard(*_):  # with a progress token Gradio goes another way
        pass

    if options:
        options = {"progress_callback": heard}
    answer = ask("explain_herb", options, photo=PHOTO)
    said, shown, photo = words(answer), picture(answer), Image.open(ROSE)
    assert shown.width / shown.height == pytest.approx(photo.width / photo.height, rel=0.01)
    assert said["positive_evidence"] is True
    assert 0 < said["share"] <= 1
    assert said["herb"]["zh"] in said["words"]["zh"]
    assert "lies mainly" in said["words"]["en"]


def test_compare_herbs(ask):
    first, second = words(ask("recognise_herb", photo=PHOTO))["candidates"][:2]
    answer = ask("compare_herbs", photo=PHOTO, a=first["pinyin"], b=second["latin"])
    said = words(answer)
    picture(answer)
    assert (said["a"]["zh"], said["b"]["zh"]) == (first["zh"], second["zh"])
    assert said["a"]["probability"] == pytest.approx(first["probability"], abs=1e-5)
    assert first["en"] in said["words"]["en"]
    assert second["zh"] in said["words"]["zh"]
    assert isinstance(said["look_alikes"], bool)


def test_list_herbs(ask):
    said = words(ask("list_herbs"))
    assert all(herb["in_model"] for herb in said["herbs"])
    assert len(said["herbs"]) > 1
    herb = said["herbs"][0]
    assert set(herb) == {
        "zh", "zh_hant", "pinyin", "latin", "en", "part", "toxic", "look_alikes", "in_model",
    }  # fmt: skip
    for name in (herb["zh"], herb["pinyin"], herb["latin"]):
        found = words(ask("list_herbs", query=name))["herbs"]
        assert herb in found


def test_an_upload_is_named_by_its_address(ask, server):
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="files"; filename="a rose.jpg"\r\n\r\n'
        + ROSE.read_bytes()
        + b"\r\n--edge--\r\n"
    )
    request = urllib.request.Request(
        f"{server}gradio_api/upload",
        data=body,
        headers={"Content-Type": "multipart/form-data; boundary=edge"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        (path,) = json.load(response)
    address = f"{server}gradio_api/file={urllib.request.quote(path)}"
    assert words(ask("recognise_herb", photo=address))["candidates"]


# What must not work

NOT_PHOTOS = {
    "nothing": "",
    "a path": "/etc/passwd",
    "a photo on the server's disk": str(ROSE),
    "another scheme": "file:///etc/passwd",
    "half of a base64": "data:image/jpeg;base64,/9j/4",
    "no base64": "data:nonsense",
    "no photo": data_address(b"this is no photo"),
    "a page": data_address(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    "half a photo": data_address(ROSE.read_bytes()[:3000]),
    "this machine": "http://127.0.0.1:22/",
    "the cloud's secrets": "http://169.254.169.254/latest/meta-data/",
    "no upload": "http://127.0.0.1/gradio_api/file=/etc/passwd",
    "a megabyte of nothing": "A" * (1 << 20),
}


@pytest.mark.parametrize("photo", NOT_PHOTOS.values(), ids=NOT_PHOTOS)
def test_what_is_no_photo_is_refused_in_a_sentence(ask, photo):
    said = refused(ask("recognise_herb", photo=photo))
    assert "。" in said
    assert "." in said


@pytest.mark.parametrize("kind", ["path", "url"])
def test_no_file_of_the_server_can_be_named(ask, kind):
    """Gradio's own client inside the server would upload the file for the agent."""
    file = {kind: str(ROSE), "meta": {"_type": "gradio.FileData"}}
    for arguments in (
        {"photo": file},
        {"photo": [file]},
        {"photo": PHOTO, "herb": file},
        {"photo": PHOTO, "herb": "", "more": file},
    ):
        answer = ask("explain_herb", **arguments)
        assert answer.isError, arguments


def test_a_herb_that_the_model_does_not_know(ask):
    said = refused(ask("explain_herb", photo=PHOTO, herb="unobtainium"))
    assert "does not know “unobtainium”" in said
    assert "list_herbs" in said
    refused(ask("explain_herb", photo=PHOTO, herb="x" * 100_000))
    refused(ask("compare_herbs", photo=PHOTO, a="", b="月季花"))


def test_a_herb_is_not_compared_with_itself(ask):
    (herb, *_) = words(ask("recognise_herb", photo=PHOTO))["candidates"]
    assert herb["zh"] in refused(ask("compare_herbs", photo=PHOTO, a=herb["zh"], b=herb["pinyin"]))


@pytest.mark.parametrize("tool", ["learn", "models", "act", "share", "delete", "look"])
def test_other_handlers_are_no_tools(ask, tool):
    assert ask(tool).isError


def test_a_search_that_finds_nothing(ask):
    assert words(ask("list_herbs", query="x" * 10_000))["herbs"] == []
    assert words(ask("list_herbs", query="unobtainium"))["herbs"] == []
