"""A photo named by its address: only public ones are fetched, and within bounds."""

import asyncio
from pathlib import Path

import httpx
import pytest
import safehttpx
from gradio.exceptions import Error
from gradio.utils import get_upload_folder
from toys import refusal

from herbdemo.photo import MAX_BYTES
from herbdemo.ui import remote

PUBLIC = "93.184.216.34"


@pytest.fixture
def web(monkeypatch):
    """`web[host, path]` answers there; nothing leaves this process, and names need no DNS."""
    answers, asked = {}, []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answers[request.url.host, request.url.path]

    async def validate(host: str) -> str:
        if host.endswith(".example"):
            return PUBLIC
        return await really(host)

    really = safehttpx.async_validate_url
    monkeypatch.setattr(safehttpx, "async_validate_url", validate)
    monkeypatch.setattr(
        safehttpx, "AsyncSecureTransport", lambda address: httpx.MockTransport(answer)
    )
    # The second opinion of safehttpx comes from a server elsewhere.
    monkeypatch.setattr(safehttpx, "async_resolve_hostname_google", _nothing)
    answers["asked"] = asked
    return answers


async def _nothing(host: str) -> list[str]:
    return []


def fetched(address: str) -> bytes:
    return asyncio.run(remote.fetched(address))


async def blocks(content: bytes):
    for start in range(0, len(content), 2):
        yield content[start : start + 2]


def found() -> httpx.Response:
    return httpx.Response(200, content=blocks(b"bytes"))


def moved(to: str) -> httpx.Response:
    return httpx.Response(302, headers={"Location": to})


def test_a_public_address(web):
    web["photos.example", "/a.jpg"] = found()
    assert fetched("https://photos.example/a.jpg") == b"bytes"


def test_redirects_are_followed_relative_ones_too(web):
    web["photos.example", "/a"] = moved("/b")
    web["photos.example", "/b"] = moved("https://other.example/c")
    web["other.example", "/c"] = found()
    assert fetched("http://photos.example/a") == b"bytes"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a.jpg",
        "http://127.0.0.1:7860/a.jpg",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",  # behind a carrier's NAT, or a VPN
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "https://photos.example:8443/a.jpg",
        "http://photos.example:22/",
        "ftp://photos.example/a.jpg",
        "file:///etc/passwd",
        "http://",
        "http:///etc/passwd",
        "//photos.example/a.jpg",
    ],
)
def test_what_is_not_public_is_refused_before_anyone_is_asked(web, address):
    assert refusal(fetched, address).hint == "url-refused"
    assert web["asked"] == []


def test_a_redirect_to_what_is_not_public(web):
    web["photos.example", "/a"] = moved("http://169.254.169.254/latest/meta-data/")
    assert refusal(fetched, "http://photos.example/a").hint == "url-refused"
    assert web["asked"] == ["http://photos.example/a"]


def test_a_redirect_without_end(web):
    web["photos.example", "/a"] = moved("/a")
    assert refusal(fetched, "http://photos.example/a").hint == "url-failed"
    assert len(web["asked"]) == remote.REDIRECTS + 1


@pytest.mark.parametrize("status", [204, 403, 404, 500])
def test_an_address_that_has_no_photo(web, status):
    web["photos.example", "/a"] = httpx.Response(status)
    assert refusal(fetched, "http://photos.example/a").hint == "url-failed"


def test_more_than_a_photo_may_have_is_not_read_to_its_end(web):
    read = []

    async def endless():
        while True:
            read.append(1)
            yield bytes(1 << 20)

    web["photos.example", "/a"] = httpx.Response(200, content=endless())
    assert refusal(fetched, "http://photos.example/a").hint == "photo-too-many-bytes"
    assert len(read) <= (MAX_BYTES >> 20) + 2


def test_nobody_waits_for_ever(web, monkeypatch):
    async def never():
        await asyncio.sleep(60)
        yield b""

    monkeypatch.setattr(remote, "SECONDS", 0.2)
    web["photos.example", "/a"] = httpx.Response(200, content=never())
    assert refusal(fetched, "http://photos.example/a").hint == "url-failed"


# The addresses of our own uploads


@pytest.fixture
def upload(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    path = Path(get_upload_folder()) / "0123abcd" / "a rose.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"bytes")
    return path


@pytest.mark.parametrize("host", ["http://127.0.0.1:7860", "https://herbs.example/proxied"])
def test_an_upload_is_known_by_any_name_of_this_app(upload, host):
    address = f"{host}/gradio_api/file={str(upload).replace(' ', '%20')}"
    assert remote.upload_at(address) == str(upload)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "{uploads}/../secret.txt", "{uploads}/0123abcd", "{uploads}/none.jpg", ""],
)
def test_nothing_but_an_upload_is_one(upload, tmp_path, path):
    (tmp_path / "secret.txt").write_text("secret")
    path = path.format(uploads=tmp_path / "uploads")
    for given in (path, path.replace("/", "%2F"), path.replace(".", "%2e")):
        assert remote.upload_at(f"http://127.0.0.1:7860/gradio_api/file={given}") is None
    assert remote.upload_at(f"http://127.0.0.1:7860/other={upload}") is None


@pytest.mark.parametrize("rest", ["{uploads}/%00", "{uploads}/" + "a" * 5000])
def test_what_no_disk_can_hold_is_no_upload(upload, tmp_path, rest):
    address = "http://127.0.0.1:7860/gradio_api/file=" + rest.format(uploads=tmp_path / "uploads")
    assert remote.upload_at(address) is None


@pytest.mark.parametrize("address", ["http://[", "https://[::1", "http://\ud800/"])
def test_what_is_no_address_is_refused_in_words(address):
    with pytest.raises(Error, match=r"。.*\."):
        asyncio.run(remote.PhotoFile().async_move_resource_to_block_cache(address))
