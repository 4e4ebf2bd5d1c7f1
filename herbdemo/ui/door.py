"""What the web server lets in: bodies of a bounded size, and so many requests of each visitor.

Gradio bounds each file of an upload, but neither how many come in one request nor any other body;
reads JSON of any length into memory; and leaves what a broken-off upload has written on the disk.
"""

import contextlib
import json
import math
import os
import re
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from starlette.formparsers import MultiPartException

from herbdemo.photo import MAX_BYTES
from herbdemo.ui import gate
from herbdemo.ui import texts_api as t
from herbdemo.ui.text import Text

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ROUTES = "/gradio_api/"
SPARE = 1 << 16  # bytes for the names around a photo
UPLOAD = MAX_BYTES + SPARE  # the page and all clients send one file at a time
AS_TEXT = MAX_BYTES * 4 // 3 + SPARE  # a photo as a data: address, from programs and agents
REST = 4 << 20  # two frames of the camera, or the paths of twice as many photos as go in one pile
# Routes of Gradio that nothing here uses: they fetch any address, or write to the disk for anyone.
CLOSED = re.compile(
    r"file[=/]\s*https?:|proxy=|process_recording|deep_link|(undo-)?vibe", re.IGNORECASE
)

# Requests that ask for work, in a minute from one address, and as many at once; where all are
# owners there is no bound. The quickest that the page does by itself is the live camera, four a
# second; 500 photos for a pile are 500 at once; a classroom behind one address photographs less.
RATE, MINUTE = 600, 60.0
MOST = 10_000  # addresses that are remembered, a hundred bytes each


class Door:
    """ASGI middleware."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._visits = Visits(rate)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _name_visitor(scope)
        route = scope["path"].partition(ROUTES)[2]
        if CLOSED.match(route):
            await _refuse(send, 404, t.NO_ROUTE)
            return
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if wait := self._visits.wait(_visitor((scope.get("client") or ("",))[0])):
            after = (b"retry-after", str(math.ceil(wait)).encode())
            await _refuse(send, 429, t.TOO_OFTEN, after)
            return
        await self._bounded(scope, receive, send, longest(route))

    async def _bounded(self, scope: Message, receive: Receive, send: Send, most: int) -> None:
        """Pass a request on as long as its body has no more than `most` bytes."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            await _refuse(send, 413, t.TOO_MUCH)
            return
        if most == UPLOAD and _room() < max(int(length), SPARE):
            await _refuse(send, 507, t.NO_ROOM)
            return
        read, whole, refused = 0, False, False

        async def counted() -> Message:
            nonlocal read, whole, refused
            message = await receive()
            if whole:
                return message
            if message["type"] == "http.disconnect":
                raise _BrokenOff  # of a whole body it is for the app to hear
            read += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if read > most:
                refused = True
                raise _BrokenOff
            return message

        async def unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        with contextlib.suppress(_BrokenOff):
            await self._app(scope, counted, unless_refused)
        if refused:
            await _refuse(send, 413, t.TOO_MUCH)


class _BrokenOff(MultiPartException):
    """The rest of a body does not come. Gradio's parser deletes for it what it has written."""

    def __init__(self) -> None:
        super().__init__("The request broke off.")


class Visits:
    """How much each address may still ask for: a bucket that fills as time goes by.

    Args:
        rate: asked each time; requests a minute, 0 for no bound.
    """

    def __init__(self, rate: Callable[[], int]) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, and when

    def wait(self, address: str) -> float:
        """Take one request; seconds until there will be one, 0.0 where there was."""
        rate = self._rate()
        if not rate:
            return 0.0
        now = time.monotonic()
        with self._lock:
            left, then = self._left.pop(address, (float(rate), now))
            left = min(float(rate), left + (now - then) * rate / MINUTE)
            self._left[address] = max(0.0, left - 1) if left >= 1 else left, now
            if len(self._left) > MOST:
                self._left.popitem(last=False)  # silent for longest
        return 0.0 if left >= 1 else (1 - left) * MINUTE / rate


def _visitor(address: str) -> str:
    """Who is counted as one: an address, of IPv6 the network that a household or a phone gets."""
    try:
        ip = ip_address(address)
    except ValueError:  # no address of a network
        return address
    if not isinstance(ip, IPv6Address):
        return address
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))


def _room() -> int:
    """Bytes that are free where uploads go; half an upload would only fill what is left."""
    folder = Path(get_upload_folder())
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def rate() -> int:
    """HERBDEMO_RATE, by default `RATE` where there are strangers."""
    given = os.environ.get("HERBDEMO_RATE", "").strip()
    if given.isdecimal():
        return int(given)
    return RATE if gate.restricted() else 0


def longest(route: str) -> int:
    """Bytes that the body of a request may have."""
    if route.startswith("upload"):
        return UPLOAD
    return AS_TEXT if route.startswith(("call/", "mcp")) else REST


def _name_visitor(scope: Message) -> None:
    """On a Space, let `client` be the visitor: the last public address that its proxies tell of.

    What stands before that one is what the visitor says of himself. Elsewhere nobody is believed
    but a proxy on this very machine, for which the web server has seen to it.
    """
    if not os.environ.get("SPACE_ID"):
        return
    for told in reversed(dict(scope["headers"]).get(b"x-forwarded-for", b"").split(b",")):
        try:
            address = ip_address(told.strip().decode("ascii", "replace"))
        except ValueError:
            return
        if address.is_global:
            scope["client"] = (str(address), 0)
            return


async def _refuse(send: Send, status: int, said: Text, *headers: tuple[bytes, bytes]) -> None:
    """A sentence instead of an answer, where Gradio's clients look for one.

    The connection ends with it: what is left of the body must not be read.
    """
    body = json.dumps({"detail": f"{said.zh} {said.en}"}, ensure_ascii=False).encode()
    kind = (b"content-type", b"application/json; charset=utf-8")
    size = (b"content-length", str(len(body)).encode())
    start = [kind, size, (b"connection", b"close"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
