"""The real app when things around it fail: the disk, the clock, its models, a second server."""

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import serve
from toys import HERBS, encoded, herb_picture, model_copy

from benchmarks.visitor import RefusedError, Visitor
from herbdemo.registry import Registry
from herbdemo.ui import texts, texts_learn

pytestmark = pytest.mark.process

PHOTO = encoded(herb_picture("党参", 3, size=(320, 240)), "JPEG")
WENT_WRONG = (texts.FAILED.en, texts_learn.WENT_WRONG.en)  # all that is said of a fault of ours


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).strip()


@contextlib.contextmanager
def visitor(url: str) -> Iterator[Visitor]:
    someone = Visitor(url.rstrip("/"))
    try:
        yield someone
    finally:
        someone.close()


def answered(someone: Visitor) -> dict:
    """The answer to a photo; it must be one."""
    said = someone.call("recognise_herb", someone.upload(PHOTO))[0]
    assert said["candidates"]
    return said


def does(someone: Visitor, source: str, act: str, *given: object, **fields: str) -> str:
    """The sentence that an act ends with."""
    found = someone.act(source, "act", {"act": act, **fields}, *given)
    return next((words(v) for k, v in found.items() if k.endswith("notice") and v), "")


def shared(someone: Visitor) -> str:
    """The sentence when a result is shared; "" when it is."""
    photo = someone.upload(PHOTO)
    page = someone.act("photo", "photo", {}, photo)["result"]
    found = re.search(r'data-photo="(\w+)"\s+data-model="(\w+)"', page).groups()
    fields = {"act": "share", "photo": found[0], "model": found[1]}
    answer = someone.act("sharing", "act", fields, photo)
    if "sharing" in answer:
        someone.link = json.loads(answer["sharing"])["name"]
        return ""
    return words(answer["identify-notice"])


def reopened(someone: Visitor) -> str:
    photo = someone.upload(PHOTO)
    fields = {"act": "reopen", "name": someone.link}
    return words(someone.act("sharing", "act", fields, photo)["result"])


@pytest.fixture
def own(toy_folder: Path, tmp_path: Path) -> Path:
    """A home with two toy models; `toy` is in use."""
    for name in ("toy", "twin"):
        model_copy(toy_folder, tmp_path / "home" / "models" / name)
    Registry(own=tmp_path / "home").activate("toy")
    return tmp_path / "home"


@pytest.fixture
def mounted() -> Iterator:
    """`mounted(folder, *options)` mounts something there until the test ends."""
    places = []

    def mount(folder: Path, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("nothing may be mounted here")
        places.append(folder)

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


def log_of(folder: Path) -> str:
    return (folder / "server.log").read_text(errors="replace")


# The disk


def test_a_full_disk_is_said_and_answers_go_on(own, tmp_path, mounted):
    mounted(own / "shared", "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    mounted(own / "piles", "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    uploads = tmp_path / "uploads"
    mounted(uploads, "-t", "tmpfs", "-o", "size=8m", "tmpfs")
    with serve(tmp_path, HERBDEMO_ENGINE="torch") as url, visitor(url) as someone:
        assert answered(someone)["model"] == "toy"
        for folder in ("shared", "piles"):
            (own / folder / "filler").write_bytes(b"x" * 61440)
        said = shared(someone)
        assert "磁盘已满" in said
        assert "The disk is full" in said
        photo = someone.upload(PHOTO, "1.jpg")
        assert "The disk is full" in does(someone, "batch-giver", "photos", [photo])
        assert [path.name for path in (own / "shared").iterdir()] == ["filler"]
        assert [path.name for path in (own / "piles").iterdir()] == ["filler"]

        with contextlib.suppress(OSError), (uploads / "filler").open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        with pytest.raises(httpx.HTTPStatusError) as caught:
            someone.upload(encoded(herb_picture("党参", 4, size=(900, 700)), "JPEG"))
        assert caught.value.response.status_code == 507
        assert "磁盘已满" in caught.value.response.json()["detail"]
        data = "data:image/jpeg;base64,/9j/4AAQ"
        with pytest.raises(RefusedError):
            someone.call("recognise_herb", {"path": data, "meta": {"_type": "gradio.FileData"}})
        (uploads / "filler").unlink()
        assert answered(someone)["model"] == "toy"
    assert len([path for path in uploads.rglob("*") if path.name.startswith("tmp")]) == 0
    assert "went wrong" not in log_of(tmp_path)


def test_a_home_that_is_read_only_is_said_and_answers_go_on(own, tmp_path, mounted):
    mounted(own, "--bind", str(own))
    if subprocess.run(["mount", "-o", "remount,ro,bind", str(own)], capture_output=True).returncode:
        pytest.skip("nothing may be mounted read-only here")
    with serve(tmp_path, HERBDEMO_ENGINE="auto") as url, visitor(url) as someone:
        assert answered(someone)["model"] == "toy"
        photo = someone.upload(PHOTO, "1.jpg")
        for said in (
            does(someone, "models", "use", model="twin"),
            does(someone, "models", "delete", model="twin"),
            does(someone, "batch-giver", "photos", [photo]),
            does(someone, "giver", "photos", [photo], herb="党参"),
            does(someone, "start", "start", mode="seconds", name="new"),
            shared(someone),
        ):
            assert re.search("[。！]", said), said
            assert not any(wrong in said for wrong in WENT_WRONG), said
            assert str(tmp_path) not in said
        assert answered(someone)["model"] == "toy"
    assert "Traceback" not in log_of(tmp_path)


# The clock, models that go, and a second server

JUMP = """
import os, time
_real = time.time
def _jumped():
    try:
        with open(os.environ["CLOCK"]) as file:
            return _real() + float(file.read() or 0)
    except (OSError, ValueError):
        return _real()
time.time = _jumped
"""
DAY = 86400


@pytest.fixture
def clock(tmp_path, monkeypatch) -> Path:
    """A file with the seconds by which the clock of a server is wrong."""
    (tmp_path / "jump").mkdir()
    (tmp_path / "jump" / "sitecustomize.py").write_text(JUMP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "jump"))
    monkeypatch.setenv("CLOCK", str(tmp_path / "clock"))
    return tmp_path / "clock"


def pile_of(someone: Visitor, photos: int) -> str:
    given = [
        someone.upload(encoded(herb_picture(HERBS[n % 7], n)), f"{n:03}.png") for n in range(photos)
    ]
    found = someone.act("batch-giver", "act", {"act": "photos"}, given)
    return re.search(r'data-keep="(\w{32})"', found["batch-pile"]).group(1)


def until(ended) -> None:
    end = time.monotonic() + 120
    while not ended():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_two_servers_on_one_home_whose_clock_jumps_and_whose_models_go(own, tmp_path, clock):
    options = {"HERBDEMO_HOME": str(own), "HERBDEMO_ENGINE": "torch", "OMP_NUM_THREADS": "1"}
    with (
        serve(tmp_path / "a", **options) as first,
        serve(tmp_path / "b", **options) as second,
        visitor(first) as a,
        visitor(second) as b,
    ):
        # What one activates both use.
        assert answered(a)["model"] == answered(b)["model"] == "toy"
        does(b, "models", "use", model="twin")
        assert answered(a)["model"] == answered(b)["model"] == "twin"
        does(a, "models", "back")
        assert answered(a)["model"] == answered(b)["model"] == "toy"

        # A pile that both do has each photo once: one of them gives way, or finds it done.
        pile = pile_of(a, 40)
        b.act("batch-pile", "act", {"act": "resume", "pile": pile})
        moving = re.compile(r'class="card pile (waiting|running)')
        until(
            lambda: (
                not any(moving.search(v.ask("batch-pile", "poll", {"pile": pile})) for v in (a, b))
            )
        )
        b.act("batch-pile", "act", {"act": "resume", "pile": pile})
        until(lambda: not moving.search(b.ask("batch-pile", "poll", {"pile": pile})))
        rows = (own / "piles" / pile / "rows.jsonl").read_text("utf-8").splitlines()
        assert [json.loads(row)["file"] for row in rows] == [f"{n:03}.png" for n in range(40)]

        # The clock is set back by a day, then on by nine.
        assert shared(a) == ""
        moved = "leads nowhere"  # what is said of a link whose week is over
        for jump, there in ((-DAY, True), (9 * DAY, False), (0, True)):
            clock.write_text(str(jump))
            for someone in (a, b):
                assert answered(someone)["model"] == "toy"
                assert (
                    "data-keep" in someone.act("batch-terms", "act", {"act": "show"})["batch-pile"]
                )
            assert (moved not in reopened(a)) == there
        does(a, "models", "use", model="twin")

        # The model in use is taken away, then all of the home.
        shutil.rmtree(own / "models" / "twin")
        assert answered(a)["model"] == answered(b)["model"] == "toy"
        shutil.rmtree(own)
        for someone in (a, b):
            assert answered(someone)["model"] not in ("toy", "twin")
            assert does(someone, "models", "use", model="twin").startswith("没有名为“twin”的模型")
        assert shared(b) == ""
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert "Traceback" not in log_of(folder)
