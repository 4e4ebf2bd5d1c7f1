"""Nothing that the server says holds a path of its own, a traceback or a name of its code.

Every endpoint, event and route is asked with values of the wrong kind; and files are asked for in
all the ways that lead out of the uploads.
"""

import contextlib
import http.client
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from conftest import ROOT
from toys import encoded, herb_picture

from benchmarks.visitor import RefusedError, Visitor

pytestmark = pytest.mark.process

PHOTO = encoded(herb_picture("党参", 3, size=(320, 240)), "JPEG")
ENDPOINTS = {"recognise_herb": 1, "explain_herb": 2, "compare_herbs": 3, "list_herbs": 1}
ODD = (None, 7, -1.5, True, "", "x" * 5000, "\u0000", "../../etc/hosts", [], [[]], {}, {"a": {}},
       {"path": None}, {"path": 7}, {"path": ["a"]}, {"path": "/etc/hosts"},
       {"path": "a\u0000b", "meta": {"_type": "gradio.FileData"}},
       {"path": "x" * 5000, "meta": {"_type": "gradio.FileData"}},
       {"path": "/etc/hosts", "meta": {"_type": "gradio.FileData"}},
       {"url": "/etc/hosts", "path": "", "meta": {"_type": "gradio.FileData"}},
       {"path": "data:image/png;base64,%%%", "meta": {"_type": "gradio.FileData"}})  # fmt: skip


@pytest.fixture(scope="module")
def someone(server) -> Iterator[Visitor]:
    visitor = Visitor(server.rstrip("/"))
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def clean(server_folder):
    """`clean(said)` fails where something leaks."""
    own = {str(ROOT), str(server_folder), os.path.realpath(ROOT), str(Path.home()), "site-packages"}
    code = re.compile(
        r"Traceback|\b(?!HerbError)[A-Z]\w*(Error|Exception)\b|\w+\.py\b|object at 0x|NoneType|"
        r"herbdemo\.|gradio\.(?!FileData)\w+|pydantic|starlette|fastapi|/tmp/|/usr/|/proc/|lib/python"
    )

    def check(said: object, sent: object = "") -> None:
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        for words in own:
            assert words not in text, text[:2000]
        found = code.search(text)
        # What someone has sent may be said back to him.
        assert not found or found.group() in str(sent), text[max(0, found.start() - 200) :][:500]

    return check


def values(count: int) -> Iterator[list]:
    """Lists of so many values: each odd one in turn everywhere, and lists of other lengths."""
    for odd in ODD:
        yield [odd] * count
    yield []
    yield [None] * (count + 3)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_endpoints_for_programs_with_values_of_the_wrong_kind(someone, clean, endpoint):
    for given in values(ENDPOINTS[endpoint]):
        try:
            someone.call(endpoint, *given)
        except RefusedError as refused:
            clean(f"{refused} {refused.title}", given)
        except httpx.HTTPStatusError as error:
            clean(error.response.text, given)


# In a browser these change the model or take long; each has a test of its own.
NOT_HERE = {("lens-slow", "act"), ("lens-test", "act")}


def test_events_of_the_page_with_values_of_the_wrong_kind(someone, clean):
    sources = {key for key in someone._events if key[0] in someone._number and key not in NOT_HERE}
    assert len(sources) > 20
    for source, event in sorted(sources):
        count = len(someone._events[source, event]["inputs"])
        acts = [[], {"act": ["x"]}, {"act": "show", "herb": {}, "name": "../../etc/hosts"},
                {"act": "proof", "model": "../../etc"},
                {"act": "open", "number": "-1", "pile": "../.."}]  # fmt: skip
        cases = [(fields, [None] * count) for fields in acts]
        cases += [({"act": "look"}, given) for given in values(count)][4::8]
        for fields, given in cases:
            someone.reload()
            try:
                found = someone.act(source, event, fields, *given)
                drawn = re.sub(r'(src|cells)=[\\]*"[^"]*"', "", json.dumps(found))
                clean(drawn, given)
            except RefusedError as refused:
                clean(str(refused), (fields, given))
            except httpx.HTTPStatusError as error:
                clean(error.response.text, (fields, given))


FUNCTIONS = (("live", "look"), ("herbs-finder", "look"), ("herb-names", "suggest"),
             ("batch-pile", "poll"), ("job", "poll"))  # fmt: skip


@pytest.mark.parametrize(("component", "function"), FUNCTIONS)
def test_functions_of_components_with_values_of_the_wrong_kind(someone, clean, component, function):
    for odd in ODD:
        clean(someone.ask(component, function, odd), odd)


NO_COMPONENT = b'{"data":1,"component_id":999999,"session_hash":"x","fn_name":"look"}'
NO_FUNCTION = b'{"data":1,"component_id":"x","session_hash":"x","fn_name":"__init__"}'


@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("POST", "queue/join", b"{"),
        ("POST", "queue/join", b"[]"),
        ("POST", "queue/join", b'{"data": 7}'),
        ("POST", "queue/join", b'{"data": [], "fn_index": 99999, "session_hash": "x"}'),
        ("POST", "queue/join", b'{"data": [], "fn_index": "x", "session_hash": []}'),
        ("POST", "call/recognise_herb", b'{"data": {}}'),
        ("POST", "call/none", b'{"data": []}'),
        ("POST", "call/v2/recognise_herb", b'{"nonsense": 1}'),
        ("POST", "call/v2/none", b"{}"),
        ("POST", "run/recognise_herb", b'{"data": ["x"]}'),
        ("POST", "run/list_herbs", b'{"data": [[]]}'),
        ("POST", "run/none", b'{"data": []}'),
        ("POST", "component_server", b"{}"),
        ("POST", "component_server", NO_COMPONENT),
        ("POST", "component_server", NO_FUNCTION),
        ("POST", "cancel", b'{"session_hash": "x", "fn_index": 0, "event_id": "x"}'),
        ("POST", "upload", b"x"),
        ("POST", "stream/x", b'{"data": []}'),
        ("GET", "queue/data?session_hash=none", b""),
        ("GET", "call/recognise_herb/none", b""),
        ("GET", "upload_progress?upload_id=x", b""),
        ("GET", "file=", b""),
        ("GET", "custom_component/x/y/z/../../w.py", b""),
        ("GET", "monitoring", b""),
        ("GET", "heartbeat", b""),
        ("GET", "none", b""),
        ("PUT", "upload", b""),
        ("POST", "mcp/", b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}'),
        ("POST", "mcp/", b"nonsense"),
    ],
)  # fmt: skip
def test_routes_with_nonsense(server, clean, method, route, body):
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    url, said = f"{server}gradio_api/{route}", b""
    with (
        contextlib.suppress(httpx.RemoteProtocolError),  # a stream that ends with an error
        httpx.stream(method, url, content=body, headers=headers, timeout=60) as answer,
    ):
        for block in answer.iter_raw():
            said += block
            if len(said) > 10_000 or b"ALIVE" in said:
                break
    clean(said.decode(errors="replace"), f"{route} {body}")


# Files


def said_of(server: str, path: str) -> tuple[int, bytes]:
    """What the server says to a path that no client has put right first."""
    line = http.client.HTTPConnection(urlsplit(server).hostname, urlsplit(server).port, timeout=60)
    line.putrequest("GET", path, skip_accept_encoding=True)
    line.endheaders()
    answer = line.getresponse()
    content = answer.read()
    line.close()
    return answer.status, content


@pytest.fixture(scope="module")
def hidden(server_folder) -> Path:
    """A file beside the uploads that nobody may have."""
    file = server_folder / "hidden.txt"
    file.write_text("the secret of the server")
    return file


SPELLED = (
    lambda path: path,
    lambda path: quote(path, safe=""),
    lambda path: quote(quote(path, safe=""), safe=""),
    lambda path: path.replace("/", "%2f").replace(".", "%2e"),
    lambda path: path.replace("/", "\\"),
    lambda path: path.replace("/", "%5c"),
    lambda path: path.replace("/", "%c0%af"),
    lambda path: path.replace("..", "..%00"),
    lambda path: path.replace("../", "....//"),
    lambda path: f"{path}%00.jpg",
    lambda path: f"file://{path}",
    lambda path: f"%20{path}",
)


@pytest.mark.parametrize("route", ["gradio_api/file=", "file=", "gradio_api/file/", "static/",
                                   "assets/", "svelte/", "theme.css/"])  # fmt: skip
def test_no_way_leads_out_of_the_uploads(server, server_folder, someone, hidden, route):
    upload = Path(someone.upload(PHOTO)["path"])
    up = os.path.relpath(hidden, upload.parent)
    for path in (
        str(hidden),
        f"{upload.parent}/{up}",
        f"/{up}",
        up,
        f"{server_folder}/uploads/../hidden.txt",
        f"{server_folder}/home/../hidden.txt",
        os.path.relpath(hidden, ROOT),
        str(ROOT / "app.py"),
        "app.py",
        "/etc/passwd",
        "/proc/self/environ",
        f"{server_folder}/server.log",
    ):
        for spelled in SPELLED:
            status, content = said_of(server, f"/{route}{spelled(path)}")
            assert status in (307, 400, 403, 404, 405, 422), (path, status)
            assert b"secret" not in content
            assert b"import" not in content
            assert b"root:" not in content


def test_links_among_the_uploads_lead_nowhere(server, someone, hidden):
    upload = Path(someone.upload(PHOTO)["path"])
    assert said_of(server, f"/gradio_api/file={upload}")[0] == 200
    for name, target in (("file", hidden), ("folder", hidden.parent), ("root", Path("/"))):
        link = upload.parent / name
        link.symlink_to(target)
        asked = link if target == hidden else link / hidden.relative_to(target)
        status, content = said_of(server, f"/gradio_api/file={asked}")
        assert status == 403
        assert b"secret" not in content
        photo = {"path": str(asked), "meta": {"_type": "gradio.FileData"}}
        with pytest.raises(RefusedError) as caught:
            someone.call("recognise_herb", photo)
        assert str(hidden) not in str(caught.value)
        link.unlink()
