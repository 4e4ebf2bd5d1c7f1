"""Models by their names on the Hub: downloaded, judged, kept; against a real HTTP server."""

import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fake_hub import TOKEN, FakeHub, serving
from toys import HERBS, herb_picture, model_copy, refusal

from herbdemo import from_hub
from herbdemo.checkpoint import CARD, WEIGHTS
from herbdemo.portable import export_zip
from herbdemo.registry import Registry
from herbdemo.ui.models_view import Row, models_html

ROOT = Path(__file__).resolve().parent.parent
GIB = 1 << 30
# One process does all that is asked of it: importing torch takes longer than the rest.
ACTS = """
import json, sys
from herbdemo.errors import HerbError
from herbdemo.registry import Registry
for act, *words in json.loads(sys.argv[1]):
    try:
        if act == "publish":
            from herbdemo.hub import publish
            done = {"address": publish(Registry(), *words)}
        else:
            model = Registry().load(*words)
            done = {"sha256": model.sha256, "note": model.card["note"]}
    except HerbError as error:
        done = {"zh": error.zh, "en": error.en, "hint": error.hint}
    print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Hub's client keeps what it downloads."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def hub(toy_folder: Path):
    """A Hub with models that are good, and with some that are not."""
    good = {name: (toy_folder / name).read_bytes() for name in (CARD, WEIGHTS)}
    with serving() as hub:
        newer = {**json.loads(good[CARD]), "note": "newer"}
        hub.repos = {
            "me/herbs": [good, good | {CARD: json.dumps(newer).encode()}],
            "me/gated": [good],
            "me/closed": [good],
            "me/private": [good],
            "me/notes": [{"README.md": b"nothing else"}],
            "me/pickle": [good | {WEIGHTS: pickle.dumps({"a": 1}, protocol=4)}],
            "me/other": [good | {WEIGHTS: good[WEIGHTS][:-4] + b"abcd"}],
            "me/large": [good],
            "me/broken": [good],
        }
        hub.tags = {"me/herbs@v1": 0}
        hub.gated, hub.private = {"me/gated", "me/closed"}, {"me/private"}
        hub.sizes = {f"me/large/{WEIGHTS}": 2 * GIB}
        hub.broken = {f"me/broken/{WEIGHTS}"}
        yield hub


def environment(hub: FakeHub, cache: Path, **more: str) -> dict[str, str]:
    """Large files go through HTTP, not through Xet's own."""
    ours = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(cache), "HF_TOKEN": "", "HF_HUB_ETAG_TIMEOUT": "5"}  # fmt: skip
    return os.environ | ours | more


def python(*words: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def acts(hub: FakeHub, cache: Path, *wanted: tuple[str, ...], **more: str) -> list[dict]:
    done = python("-c", ACTS, json.dumps(wanted), variables=environment(hub, cache, **more))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(result: dict) -> str:
    """The slug of a refusal, whose sentences hold nothing that is nobody's business."""
    for text in (result["zh"], result["en"]):
        for secret in ("secret", "http", "/", TOKEN):
            assert secret not in text.replace("OWNER/NAME", "").replace("用户名/模型名", "")
    return result["hint"]


@pytest.mark.process
def test_what_is_published_is_loaded_and_what_is_wrong_is_a_sentence(hub, cache, toy_folder, home):
    model_copy(toy_folder, home / "models" / "mine")
    published, *rest = acts(
        hub,
        cache,
        *[("publish", "mine", "me/mine"), ("load", "me/mine"), ("load", "me/gated")],
        HF_TOKEN=TOKEN,
    )
    assert published == {"address": f"{hub.url}/me/mine"}
    sha256 = json.loads((toy_folder / CARD).read_bytes())["sha256"]
    assert rest == [{"sha256": sha256, "note": "a toy"}] * 2

    names = ["me/herbs", "me/herbs@v1", "me/herbs@v9", "me/nobody", "me/closed", "me/private",
             "me/notes", "me/pickle", "me/other", "me/large", "me/broken"]  # fmt: skip
    found = dict(zip(names, acts(hub, cache, *(("load", name) for name in names)), strict=True))
    assert found["me/herbs"] == {"sha256": sha256, "note": "newer"}
    assert found["me/herbs@v1"] == {"sha256": sha256, "note": "a toy"}
    assert {name: said(found[name]) for name in names[2:]} == {
        "me/herbs@v9": "hub-revision",
        "me/nobody": "hub-missing",
        "me/closed": "hub-gated",
        "me/private": "hub-missing",
        "me/notes": "hub-no-model",
        "me/pickle": "weights-pickle",
        "me/other": "weights-damaged",
        "me/large": "hub-too-large",
        "me/broken": "hub-connection",
    }
    assert f"me/large/{WEIGHTS}" not in hub.sent  # judged by what the Hub says of it
    assert not {name for name in hub.sent if not name.endswith((CARD, WEIGHTS))}


@pytest.mark.process
def test_without_a_connection_the_cache_answers(hub, cache, tmp_path, home):
    acts(hub, cache, ("load", "me/herbs"))  # in the cache already, or not
    before = len(hub.sent)
    herb_picture("甘草", 1).save(tmp_path / "photo.png")
    offline = {"HF_HUB_OFFLINE": "1", "HERBDEMO_MODEL": "me/herbs"}
    command = ("-m", "herbdemo", "recognise", str(tmp_path / "photo.png"), "--json")
    done = python(*command, variables=environment(hub, cache, **offline))
    assert done.returncode == 0, done.stderr
    [answer] = json.loads(done.stdout)["answers"]
    assert answer["model"] == "me/herbs"
    assert answer["candidates"][0]["zh"] == "甘草"
    (told,) = acts(hub, cache, ("load", "me/nobody"), HF_HUB_OFFLINE="1")
    assert said(told) == "hub-connection"
    assert len(hub.sent) == before


# What the registry makes of such names, without a Hub


@pytest.fixture
def registry(toy_folder, tmp_path, monkeypatch) -> Registry:
    """The shipped `default`, and a Hub that has `me/herbs` and nothing else."""
    model_copy(toy_folder, tmp_path / "weights" / "default")
    monkeypatch.setattr(from_hub, "_folders", {"me/herbs": toy_folder, "me/herbs@v1": toy_folder})
    return Registry(shipped=tmp_path / "weights", own=tmp_path / "own")


@pytest.mark.parametrize(
    "name", ["me", "me/", "/me", "a/b/c", "../x", "me/a b", "me/x@", "me/x@../y", "me/党参", ""]
)
def test_a_name_that_is_none_on_the_hub(name):
    assert not from_hub.is_on_hub(name)


def test_the_model_that_the_environment_names_is_in_use_until_another_is(registry, monkeypatch):
    assert registry.active_id() == "default"
    monkeypatch.setenv("HERBDEMO_MODEL", " me/herbs@v1 ")
    assert registry.load().id == "me/herbs@v1"
    assert [(m.id, m.active, m.shipped) for m in registry.list()] == [
        ("me/herbs@v1", True, False),
        ("default", False, True),
    ]
    registry.activate("default")
    assert registry.active_id() == "default"
    assert registry.list()[0].id == "me/herbs@v1"  # still there to go back to
    assert registry.rollback() == "me/herbs@v1"
    assert refusal(registry.rollback).hint == "no-earlier-model"
    registry.activate("me/herbs")
    assert registry.active_id() == "me/herbs"
    monkeypatch.setenv("HERBDEMO_MODEL", "no-such-model")
    registry.rollback()
    assert refusal(registry.load).hint == "model-missing"


def test_a_model_on_the_hub_is_neither_deleted_nor_zipped(registry, toy_folder, tmp_path):
    assert refusal(registry.delete, "me/herbs").hint == "model-on-hub"
    assert (toy_folder / WEIGHTS).is_file()
    error = refusal(export_zip, registry, "me/herbs", tmp_path / "x.zip")
    assert error.hint == "model-on-hub"
    assert "needs no zip" in error.en


def test_a_model_out_of_reach_is_listed_with_the_reason(registry, monkeypatch):
    monkeypatch.setenv("HERBDEMO_MODEL", "me/away")  # the tests are offline
    first, second = registry.list()
    assert (first.id, first.active) == ("me/away", True)
    assert "缓存里没有" in first.problem[0]
    assert (second.id, second.problem) == ("default", None)


def test_a_model_that_is_named_and_not_there_is_listed_with_the_reason(registry, monkeypatch):
    monkeypatch.setenv("HERBDEMO_MODEL", "typo")
    assert [(m.id, m.active, bool(m.problem)) for m in registry.list()] == [
        ("default", False, False),
        ("typo", True, True),
    ]


def test_nobody_waits_for_the_download_of_another_model(registry, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(model_id: str, *, weights: bool) -> Path:
        begun.set()
        assert go_on.wait(60)
        return Path("nowhere")

    monkeypatch.setattr(from_hub, "_download", slow)
    thread = threading.Thread(target=from_hub.fetched, args=("me/slow",))
    thread.start()
    assert begun.wait(60)
    assert registry.load("me/herbs").id == "me/herbs"
    go_on.set()
    thread.join()


def test_a_list_of_models_asks_for_no_weights(registry, monkeypatch, toy_folder):
    asked = []

    def download(model_id: str, *, weights: bool) -> Path:
        asked.append((model_id, weights))
        return toy_folder

    monkeypatch.setattr(from_hub, "_download", download)
    monkeypatch.setenv("HERBDEMO_MODEL", "me/other")
    assert registry.list()[0].herbs == len(HERBS)
    assert asked == [("me/other", False)]


def test_the_page_offers_no_acts_that_would_be_refused():
    card = {"herbs": list(HERBS), "sha256": "0" * 64}
    html = models_html([Row("me/herbs", False, False, 1, card), Row("own", True, False, 1, card)])
    hub = html.partition("me/herbs")[2]
    assert "from Hugging Face" in hub
    assert 'data-act="use"' in hub
    for act in ("delete", "download", "ask-publish"):
        assert f'data-act="{act}"' not in hub
