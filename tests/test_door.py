"""What is refused before anything reads it: large bodies, too many requests, odd routes."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import serve

from herbdemo.ui import door, gate

# Without a server


async def nothing(scope, receive, send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})


def visit(front: door.Door, *bodies: bytes, path: str = "/gradio_api/queue/join", **scope) -> tuple:
    """Status and body of a POST whose body comes in these pieces."""
    pieces = [
        {"type": "http.request", "body": body, "more_body": n < len(bodies) - 1}
        for n, body in enumerate(bodies or (b"",))
    ]
    said = []

    async def receive():
        return pieces.pop(0) if pieces else {"type": "http.disconnect"}

    async def send(message):
        said.append(message)

    whole = {"type": "http", "method": "POST", "path": path, "headers": [],
             "client": ("10.0.0.1", 1)} | scope  # fmt: skip
    asyncio.run(front(whole, receive, send))
    assert [m["type"] for m in said] == ["http.response.start", "http.response.body"]
    return said[0]["status"], said[1]["body"].decode()


@pytest.fixture
def front(monkeypatch) -> door.Door:
    monkeypatch.setattr(door, "REST", 100)
    monkeypatch.setenv("HERBDEMO_RATE", "0")
    return door.Door(nothing)


def test_a_body_of_no_length_is_counted_as_it_comes(front):
    assert visit(front, b"x" * 60, b"x" * 40) == (200, "fine")
    status, said = visit(front, b"x" * 60, b"x" * 41)
    assert status == 413
    assert "。" in json.loads(said)["detail"]
    assert "too large" in said


@pytest.mark.parametrize("length", [b"101", b"-1", b"many", b"1e3", b"99999999999999999999999"])
def test_a_body_that_says_too_much_is_not_read(front, length):
    assert visit(front, b"x", headers=[(b"content-length", length)])[0] == 413


def test_a_photo_as_text_fits_in_and_two_do_not():
    assert door.longest("upload") > door.MAX_BYTES
    assert door.longest("upload") < 1.01 * door.MAX_BYTES
    for route in ("call/recognise_herb", "mcp/"):
        assert 4 / 3 * door.MAX_BYTES < door.longest(route) < 1.5 * door.MAX_BYTES
    for route in ("queue/join", "component_server", "cancel", "run/x", ""):
        assert door.longest(route) == door.REST


def test_each_address_has_a_rate_of_its_own(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(door.time, "monotonic", lambda: now[0])
    visits = door.Visits(lambda: 30)
    assert [visits.wait("a") for _ in range(30)] == [0] * 30
    assert visits.wait("a") == pytest.approx(2)
    assert visits.wait("a") == pytest.approx(2)  # to have asked in vain costs nothing
    assert visits.wait("b") == 0
    now[0] += 2
    assert visits.wait("a") == 0
    assert visits.wait("a") > 0
    now[0] += 3600
    assert [visits.wait("a") > 0 for _ in range(31)] == [False] * 30 + [True]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),  # the same household
        ("2001:db8:1:3::4", "2001:db8:1:3::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_network_of_ipv6_is_one_visitor(address, counted):
    assert door._visitor(address) == counted


def test_addresses_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(door, "MOST", 5)
    visits = door.Visits(lambda: 30)
    for number in range(50):
        visits.wait(f"10.0.0.{number}")
    assert len(visits._left) == 5


def test_strangers_are_counted_and_owners_are_not(monkeypatch):
    monkeypatch.delenv("HERBDEMO_RATE", raising=False)
    monkeypatch.setattr(gate, "restricted", lambda: False)
    assert door.rate() == 0
    monkeypatch.setattr(gate, "restricted", lambda: True)
    assert door.rate() == door.RATE
    monkeypatch.setenv("HERBDEMO_RATE", "7")
    assert door.rate() == 7


def test_who_asks_too_often_is_told_when_to_come_back(monkeypatch):
    monkeypatch.setenv("HERBDEMO_RATE", "2")
    front = door.Door(nothing)
    assert [visit(front)[0] for _ in range(3)] == [200, 200, 429]
    assert visit(front, client=("10.0.0.2", 1))[0] == 200
    assert visit(front, method="GET")[0] == 200  # pages and pictures cost nothing


@pytest.mark.parametrize(
    ("told", "address"),
    [
        (b"203.0.113.9", "10.0.0.1"),  # for documents, and nobody's
        (b"1.2.3.4", "1.2.3.4"),
        (b"9.9.9.9, 1.2.3.4", "1.2.3.4"),  # what stands before is what the visitor says
        (b"9.9.9.9, 1.2.3.4, 10.1.1.1", "1.2.3.4"),
        (b"1.2.3.4, nonsense", "10.0.0.1"),
        (b"", "10.0.0.1"),
        (b"\xff\xfe", "10.0.0.1"),
    ],
)
def test_on_a_space_the_proxy_says_who_it_is(monkeypatch, told, address):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["client"][0])
        await nothing(scope, receive, send)

    headers = [(b"x-forwarded-for", told)]
    monkeypatch.setenv("HERBDEMO_RATE", "0")
    monkeypatch.delenv("SPACE_ID", raising=False)
    visit(door.Door(app), headers=headers)
    monkeypatch.setenv("SPACE_ID", "someone/herbs")
    visit(door.Door(app), headers=headers)
    assert seen == ["10.0.0.1", address]


# The real server


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("public")


@pytest.fixture(scope="module")
def public(place) -> Iterator[str]:
    """An app with strangers: of each 60 requests a minute are taken."""
    options = {"HERBDEMO_ADMIN_PASSWORD": "x", "HERBDEMO_RATE": "60", "HERBDEMO_ENGINE": "torch"}
    with serve(place, **options) as url:
        yield url


def client(number: int) -> httpx.Client:
    """Someone at an address of his own."""
    transport = httpx.HTTPTransport(local_address=f"127.0.0.{number}")
    return httpx.Client(transport=transport, timeout=60, trust_env=False)


def raw(url: str, route: str, *pieces: bytes, headers: str = "", answer: bool = True) -> bytes:
    """What the server says to a POST that is sent byte by byte; b"" where nobody listens."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    head = f"POST /gradio_api/{route} HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}\r\n"
    with socket.create_connection((host, port), timeout=60) as line:
        try:
            line.sendall(head.encode())
            for piece in pieces:
                line.sendall(piece)
        except OSError:  # it has had enough
            pass
        # The head and the body may come in two pieces; then the server closes.
        return b"".join(iter(lambda: line.recv(65536), b"")) if answer else b""


FILE = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
MULTIPART = "Content-Type: multipart/form-data; boundary=x\r\n"


def uploads(place: Path) -> list[Path]:
    return [path for path in (place / "uploads").rglob("*") if path.is_file()]


@pytest.mark.process
def test_an_upload_that_is_too_large_is_refused_before_it_is_stored(public, place):
    said = raw(public, "upload", FILE, headers=f"{MULTIPART}Content-Length: {door.UPLOAD + 1}\r\n")
    assert said.startswith(b"HTTP/1.1 413")
    assert "一次发来的内容太大".encode() in said

    def pieces() -> Iterator[bytes]:  # many files, each of which would do
        for _ in range(door.UPLOAD // (1 << 20) + 2):
            yield FILE + b"x" * (1 << 20) + b"\r\n"

    with client(7) as chunked:
        answer = chunked.post(
            f"{public}gradio_api/upload",
            content=pieces(),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
    assert answer.status_code == 413
    assert "too large" in answer.json()["detail"]
    assert uploads(place) == []


@pytest.mark.process
@pytest.mark.parametrize("route", ["queue/join", "component_server", "run/recognise_herb"])
def test_json_that_is_too_large_is_not_read(public, route):
    with client(6) as someone:
        for content in (b"[" * (door.REST + 1), iter([b"[" * (1 << 20)] * 5)):
            answer = someone.post(f"{public}gradio_api/{route}", content=content)
            assert answer.status_code == 413
            assert answer.headers["connection"] == "close"


@pytest.mark.process
def test_an_upload_that_breaks_off_leaves_nothing(public, place):
    headers = f"{MULTIPART}Content-Length: 900000\r\n"
    raw(public, "upload", FILE, b"x" * 300_000, headers=headers, answer=False)
    end = time.monotonic() + 30
    while time.monotonic() < end and not (place / "uploads").is_dir():
        time.sleep(0.05)
    time.sleep(0.5)
    while time.monotonic() < end and uploads(place):
        time.sleep(0.05)
    assert uploads(place) == []
    assert "Traceback" not in (place / "server.log").read_text()


@pytest.mark.process
@pytest.mark.parametrize(
    "route",
    ["file=http://127.0.0.1/", "file=https%3A//example.org/x", "file/http://example.org/",
     "proxy=http://example.org/", "deep_link?session_hash=x", "process_recording",
     "file=HTTP://example.org/", "vibe-edit"],
)  # fmt: skip
def test_routes_that_nothing_needs_are_closed(public, route):
    with client(5) as someone:
        for method in ("GET", "POST", "HEAD"):
            assert someone.request(method, f"{public}gradio_api/{route}").status_code == 404


@pytest.mark.process
def test_too_many_requests_are_refused_and_others_are_not(public):
    photo = {"files": ("a.jpg", b"x", "image/jpeg")}
    with client(9) as keen, client(8) as other:
        codes = [
            keen.post(f"{public}gradio_api/upload", files=photo).status_code for _ in range(80)
        ]
        refused = keen.post(f"{public}gradio_api/queue/join", json={"data": []})
        assert set(codes) == {200, 429}
        assert codes[:60] == [200] * 60
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "请求太频繁" in refused.json()["detail"]
        assert other.post(f"{public}gradio_api/upload", files=photo).status_code == 200
        assert keen.get(public).status_code == 200
