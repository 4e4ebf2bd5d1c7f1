"""The endpoints for programs, through Gradio's own client, against the real server."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

gradio_client = pytest.importorskip("gradio_client")

EXAMPLES = Path(__file__).parent.parent / "examples"
ROSE = EXAMPLES / "yuejihua-rose.jpg"


@pytest.fixture(scope="module")
def client(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("downloads")
    return gradio_client.Client(server, verbose=False, download_files=str(folder))


def test_the_endpoints_describe_themselves(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/recognise_herb", "/explain_herb", "/compare_herbs", "/list_herbs"}
    assert "herbal" in endpoints["/recognise_herb"]["description"]


def test_recognise(client):
    answer = client.predict(gradio_client.handle_file(ROSE), api_name="/recognise_herb")
    assert answer["file"] == ROSE.name
    assert answer["verdict"] in {"certain", "unsure", "unknown"}
    assert len(answer["candidates"]) == 5
    odds = [candidate["probability"] for candidate in answer["candidates"]]
    assert odds == sorted(odds, reverse=True)
    assert 0 < sum(odds) <= 1.0001
    assert set(answer["candidates"][0]) == {
        "herb", "zh", "zh_hant", "pinyin", "latin", "en", "probability",
    }  # fmt: skip
    assert len(answer["sha256"]) == 64
    assert answer["model"]
    assert answer["ms"] > 0


def test_explain_gives_a_picture_of_the_whole_photo(client):
    path, said = client.predict(gradio_client.handle_file(ROSE), api_name="/explain_herb")
    photo, heatmap = Image.open(ROSE), Image.open(path)
    assert heatmap.format == "JPEG"
    assert heatmap.width / heatmap.height == pytest.approx(photo.width / photo.height, rel=0.01)
    assert said["herb"]["zh"] in said["words"]["zh"]
    for language in ("zh", "zh_hant", "en"):
        assert said["where"][language] in said["words"][language]
    assert "不能代替醫師" in said["note"]["zh_hant"]


def test_explain_takes_any_name_of_a_herb(client):
    known = client.predict(gradio_client.handle_file(ROSE), api_name="/recognise_herb")
    last = known["candidates"][-1]
    maps = {
        Path(
            client.predict(gradio_client.handle_file(ROSE), name, api_name="/explain_herb")[0]
        ).read_bytes()
        for name in (last["zh"], last["pinyin"], last["latin"])
    }
    assert len(maps) == 1


def test_a_herb_that_the_model_does_not_know(client):
    with pytest.raises(Exception, match="This model does not know “unobtainium”"):
        client.predict(gradio_client.handle_file(ROSE), "unobtainium", api_name="/explain_herb")


BROKEN = {
    "empty.jpg": b"",
    "text.jpg": b"this is no photo",
    "vector.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "half.jpg": ROSE.read_bytes()[:3000],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_photo_is_refused_in_words_and_nothing_leaks(client, tmp_path, name):
    file = tmp_path / name
    file.write_bytes(BROKEN[name])
    with pytest.raises(Exception, match=r"[。！]") as caught:  # a sentence in Chinese …
        client.predict(gradio_client.handle_file(file), api_name="/recognise_herb")
    said = str(caught.value)
    assert any(word in said for word in ("photo", "picture", "file"))  # … and in English
    for secret in ("Traceback", "/tmp", "gradio", "site-packages", ".py"):
        assert secret not in said


def test_no_photo_at_all(client):
    with pytest.raises(Exception, match=r"[。！]"):
        client.predict(None, api_name="/recognise_herb")


def test_compare_and_list(client):
    first, second = client.predict(gradio_client.handle_file(ROSE), api_name="/recognise_herb")[
        "candidates"
    ][:2]
    picture, said = client.predict(
        gradio_client.handle_file(ROSE), first["zh"], second["en"], api_name="/compare_herbs"
    )
    assert Image.open(picture).format == "JPEG"
    assert said["b"]["probability"] == pytest.approx(second["probability"], abs=1e-5)
    herbs = client.predict(api_name="/list_herbs")["herbs"]
    assert {first["zh"], second["zh"]} <= {herb["zh"] for herb in herbs}


# Plain HTTP, as curl speaks it


def call(server: str, name: str, data: list) -> tuple[str, str]:
    """The two steps of a call: the name of the last event, and its data."""
    request = urllib.request.Request(
        f"{server}gradio_api/call/{name}",
        data=json.dumps({"data": data}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        event = json.load(response)["event_id"]
    with urllib.request.urlopen(f"{server}gradio_api/call/{name}/{event}", timeout=120) as response:
        lines = response.read().decode().strip().splitlines()
    return lines[-2].removeprefix("event: "), lines[-1].removeprefix("data: ")


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", str(ROSE), "../../etc/passwd", "http://127.0.0.1:22/", "ftp://x/", ""],
)
def test_nothing_but_uploads_and_public_addresses_is_opened(server, path):
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    event, said = call(server, "recognise_herb", [photo])
    assert event == "error"
    for secret in ("Traceback", "/tmp", "site-packages", "passwd", str(ROSE)):
        assert secret not in said


@pytest.mark.parametrize("photo", ["text", 7, [], {}, {"path": None}, {"url": str(ROSE)}, None])
def test_what_is_no_file_is_refused(server, photo):
    event, said = call(server, "recognise_herb", [photo])
    assert event == "error"
    assert "Traceback" not in said


def test_null_stands_for_no_text(server):
    event, said = call(server, "list_herbs", [None])
    assert event == "complete"
    assert json.loads(said)[0]["herbs"]


@pytest.mark.parametrize("name", ["recognise", "explain", "learn", "predict"])
def test_other_names_are_not_called(server, name):
    with pytest.raises(urllib.error.HTTPError):
        call(server, name, [])
