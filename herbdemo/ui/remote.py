"""A photo from a program: an upload, or the address of one, which the server fetches within bounds.

Agents mostly have nothing but an address. Whoever lets a stranger name one lets him knock at doors
behind the firewall, so: http and https at their usual ports, public addresses only, the address
that was checked is the one that is spoken to, each redirect is checked anew, and size and time are
bounded. Gradio's own download does the first part, but reads a body of any size into memory.
"""

import asyncio
import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio as gr
import httpx
import safehttpx
from gradio import processing_utils
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client.utils import is_http_url_like, strip_invalid_filename_characters

from herbdemo.errors import HerbError
from herbdemo.photo import MAX_BYTES
from herbdemo.ui import texts_api as t

SECONDS = 20  # for the whole fetch; a photo takes one or two
REDIRECTS = 5
PORTS = {None, 80, 443}
_OWN = "/gradio_api/file="  # before the path of an upload in its address


class PhotoFile(gr.File):
    """A photo that a program gives: `gr.File` that fetches addresses in its own way."""

    def __init__(self, **options: Any) -> None:
        super().__init__(type="filepath", **options)

    def get_block_name(self) -> str:
        return "file"

    def preprocess(self, payload: FileData | None) -> str | None:
        """The path; Gradio's own leaves an empty file behind with each photo."""
        return payload.path if payload else None

    async def async_move_resource_to_block_cache(
        self, url_or_file_path: str | Path | None
    ) -> str | None:
        """The path of the photo among the uploads."""
        address = str(url_or_file_path or "")
        if not is_http_url_like(address):
            return await super().async_move_resource_to_block_cache(url_or_file_path)
        path = upload_at(address)
        if path is None:
            try:
                content = await fetched(address)
            except HerbError as error:
                raise spoken(error) from None
            name = _name(address)
            path = str(
                await asyncio.to_thread(
                    processing_utils.save_bytes_to_cache, content, name, self.GRADIO_CACHE
                )
            )
        self.temp_files.add(path)
        return path


def spoken(error: HerbError) -> gr.Error:
    """The error that Gradio passes on to a client word by word, while all others stay unsaid."""
    return gr.Error(str(error), title=error.hint or "HerbError", print_exception=False)


def upload_at(address: str) -> str | None:
    """The path of the upload that this app itself serves at `address`; None if it is no such one.

    Nobody is asked, so the host does not matter: a client may know this app by another name than
    the app does. The path holds a hash of the content, which only who has the file can know.
    """
    try:
        _, own, path = urlsplit(address).path.partition(_OWN)
        path = unquote(path)
        known = own and is_in_or_equal(path, get_upload_folder()) and Path(path).is_file()
    except (OSError, ValueError):  # no address, or no path: too long, with a NUL in it
        return None
    return path if known else None


async def fetched(address: str) -> bytes:
    """What is at an http(s) address.

    Raises:
        HerbError: it may not be asked for, does not answer well, or is larger than a photo may be.
    """
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(REDIRECTS + 1):
                answer = await _got(address)
                if isinstance(answer, bytes):
                    return answer
                address = answer
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise HerbError(*t.NO_FETCH, hint="url-failed") from error
    raise HerbError(*t.NO_FETCH, hint="url-failed")


async def _got(address: str) -> bytes | str:
    """The content, or where it has moved to."""
    url = httpx.URL(address)
    if url.scheme not in ("http", "https") or url.port not in PORTS or not url.host:
        raise HerbError(*t.NOT_PUBLIC, hint="url-refused")
    transport = safehttpx.AsyncSecureTransport(await _public(url.host))
    async with (
        httpx.AsyncClient(transport=transport, timeout=SECONDS) as client,
        # Compressed, fifty megabytes could become fifty thousand; photos are small as they are.
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        if answer.has_redirect_location:
            return str(url.join(answer.headers["location"]))
        if answer.status_code != httpx.codes.OK:
            raise HerbError(*t.NO_FETCH, hint="url-failed")
        content = bytearray()
        async for block in answer.aiter_raw():
            content += block
            if len(content) > MAX_BYTES:
                raise HerbError(*t.TOO_LARGE, hint="photo-too-many-bytes")
        return bytes(content)


async def _public(host: str) -> str:
    """The public address of `host` that will be spoken to, so that no second look-up differs."""
    try:
        found = await safehttpx.async_validate_url(host)
    except ValueError as error:
        raise HerbError(*t.NOT_PUBLIC, hint="url-refused") from error
    if not ipaddress.ip_address(found).is_global:  # 100.64.0.0/10, where VPNs live
        raise HerbError(*t.NOT_PUBLIC, hint="url-refused")
    return found


def _name(address: str) -> str:
    return strip_invalid_filename_characters(Path(urlsplit(address).path).name) or "photo"
