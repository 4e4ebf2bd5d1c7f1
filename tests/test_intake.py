"""intake.py: photos from zips, files and folders become batches; batches become the library."""

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hostile.photos import HOSTILE as HOSTILE_PHOTOS
from hostile.zips import HOSTILE as HOSTILE_ZIPS
from hostile.zips import Entry, photo, written, zip_of
from toys import HERBS, encoded, fill, herb_picture, refusal

from herbdemo import files
from herbdemo.intake import (
    KEPT_SECONDS,
    accept,
    discard,
    open_batch,
    sweep,
    take_files,
    take_folder,
    take_zip,
    waiting,
)
from herbdemo.library import Library
from herbdemo.photo import open_photo

ROOT = Path(__file__).resolve().parent.parent


def zip_file(tmp_path: Path, *names: str, seed: int = 0) -> Path:
    """A zip of different photos of those names."""
    return written(tmp_path, zip_of(Entry(n, photo(seed + i)) for i, n in enumerate(names)))


def nothing_incoming(home: Path) -> bool:
    return not home.is_dir() or [f.name for f in home.rglob("*")] == ["incoming"]


# Ways in


def test_a_zip_becomes_a_batch(home, tmp_path):
    steps = []
    path = zip_file(tmp_path, "x/dangshen/1.png", "x/dangshen/2.png", "x/我的草/1.png")
    batch = take_zip(path, progress=lambda done, total: steps.append((done, total)))
    assert batch.herbs == {"党参": 2, "我的草": 1}
    assert batch.names == {"dangshen": "党参", "我的草": "我的草"}
    assert batch.refused == ()
    assert batch.folder == home / "incoming" / batch.id
    sha256 = hashlib.sha256(photo(2)).hexdigest()
    assert open_photo(batch.folder / "我的草" / f"{sha256}.jpg").size == (60, 48)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert open_batch(batch.id) == batch
    assert list((home / "incoming").iterdir()) == [batch.folder]
    assert Library().herbs() == {}  # nothing is kept before its owner says so


def test_two_folders_of_one_herb_become_one(home, tmp_path):
    batch = take_zip(zip_file(tmp_path, "党参/1.png", "黨參/1.png", "dangshen/1.png"))
    assert batch.herbs == {"党参": 3}
    assert set(batch.names) == {"党参", "黨參", "dangshen"}


def test_a_photo_that_does_not_open_is_set_aside(home, tmp_path):
    entries = [
        Entry("all/党参/1.png", photo()),
        Entry("all/党参/坏.jpg", b"\xff\xd8\xff broken"),
        Entry("all/党参/empty.png", b""),
        Entry("all/cover.png", photo(5)),
    ]
    batch = take_zip(written(tmp_path, zip_of(entries)))
    assert batch.herbs == {"党参": 1}
    reasons = {refused.file: refused.error.hint for refused in batch.refused}
    assert reasons == {
        "cover.png": "photo-no-herb",
        "党参/empty.png": "photo-empty",
        "党参/坏.jpg": "photo-truncated",
    }
    again = open_batch(batch.id).refused
    assert [(r.file, r.error.zh, r.error.en, r.error.hint) for r in again] == [
        (r.file, r.error.zh, r.error.en, r.error.hint) for r in batch.refused
    ]


def test_a_batch_of_broken_photos_alone_is_empty(home, tmp_path):
    batch = take_files([b"broken", tmp_path / "gone.png"], "党参")
    assert batch.herbs == {}
    assert [r.file for r in batch.refused] == ["1", "gone.png"]
    assert accept(batch.id) == 0
    assert Library().herbs() == {}


def test_files_and_pictures_of_a_webcam(home, tmp_path):
    fill(tmp_path, "党参", range(2))
    given = [*(tmp_path / "党参").iterdir(), encoded(herb_picture("党参", 7), "WEBP")]
    batch = take_files(given, "黨參")
    assert batch.herbs == {"党参": 3}
    assert batch.names == {"黨參": "党参"}


def test_every_hostile_photo_is_set_aside_and_the_good_one_stays(home, tmp_path):
    sources = []
    for number, case in enumerate(HOSTILE_PHOTOS):
        (tmp_path / str(number)).mkdir()
        source = case.make(tmp_path / str(number))
        if isinstance(source, bytes | Path):
            sources.append(source)
    batch = take_files([*sources, photo()], "党参")
    assert batch.herbs == {"党参": 1}
    assert len(batch.refused) == len(sources)
    assert all(r.error.hint.startswith("photo-") for r in batch.refused)


@pytest.mark.parametrize("name", ["", "..", "a/b", "CON", "x" * 41, "a\u202eb"], ids=ascii)
def test_an_unusable_herb_stops_the_whole(home, tmp_path, name):
    assert refusal(take_files, [photo()], name).hint == "herb-name"
    assert nothing_incoming(home)


def test_a_folder_of_a_zip_that_no_herb_can_be_named_like(home, tmp_path):
    error = refusal(take_zip, zip_file(tmp_path, f"{'很长' * 21}/1.png", "党参/2.png"))
    assert error.hint == "herb-name"
    assert nothing_incoming(home)


@pytest.mark.parametrize("name", ["half", "slip", "link", "case-only-herbs", "ratio-bomb",
                                  "encrypted", "more-than-promised", "only-litter"])  # fmt: skip
def test_a_hostile_zip_leaves_nothing(home, tmp_path, name):
    case = next(case for case in HOSTILE_ZIPS if case.name == name)  # test_archive.py has them all
    assert refusal(take_zip, written(tmp_path, case.make())).hint == case.hint
    assert nothing_incoming(home)


# Folders on the server


@pytest.fixture
def offered(tmp_path, monkeypatch) -> Path:
    """HERBDEMO_DATA with one folder of herbs in it, and a secret photo beside it."""
    fill(tmp_path / "data" / "set", "党参", range(2))
    fill(tmp_path / "secret", "菊花", range(1))
    monkeypatch.setenv("HERBDEMO_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_folder_on_the_server(home, offered):
    herb_picture("党参", 5).save(offered / "set" / "loose.png")
    batch = take_folder("set")
    assert batch.herbs == {"党参": 2}
    assert [(r.file, r.error.hint) for r in batch.refused] == [("loose.png", "photo-no-herb")]
    assert len(list((offered / "set" / "党参").iterdir())) == 2  # they stay there, too


@pytest.mark.parametrize(
    "name",
    ["..", "../secret", "set/../../secret", "gone", "set/党参/000.png", "a\0b", "x" * 300, "link",
     "circle"],
    ids=ascii,
)  # fmt: skip
def test_no_way_out_of_the_folders_offered(home, offered, name):
    (offered / "link").symlink_to(offered.parent / "secret")
    (offered / "circle").symlink_to(offered / "circle")
    assert refusal(take_folder, name).hint == "folder-missing"
    assert refusal(take_folder, str(offered.parent / "secret")).hint == "folder-missing"
    assert not home.exists()


def test_links_in_the_folder_lead_nowhere_either(home, offered):
    secret = offered.parent / "secret"
    (offered / "set" / "菊花").symlink_to(secret / "菊花")
    (offered / "set" / "党参" / "link.png").symlink_to(secret / "菊花" / "000.png")
    (offered / "set" / "党参" / "inside.png").symlink_to(offered / "set" / "党参" / "000.png")
    batch = take_folder("set")
    assert batch.herbs == {"党参": 2}
    assert {(r.file, r.error.hint) for r in batch.refused} == {
        ("菊花/000.png", "photo-escapes"),
        ("党参/link.png", "photo-escapes"),
    }


def test_without_a_folder_of_data_a_sentence(home, monkeypatch):
    monkeypatch.delenv("HERBDEMO_DATA", raising=False)
    assert refusal(take_folder, "set").hint == "data-not-offered"


# The owner decides


def test_accepting_moves_the_photos_into_the_library(home, tmp_path):
    batch = take_zip(zip_file(tmp_path, "党参/1.png", "菊花/2.png"))
    assert accept(batch.id) == 2
    assert Library().herbs() == {"党参": 1, "菊花": 1}
    assert list((home / "incoming").iterdir()) == []
    assert refusal(accept, batch.id).hint == "batch-missing"


def test_the_batches_that_wait_are_listed(home, tmp_path):
    assert waiting() == []
    batch = take_files([photo()], "党参")
    (home / "incoming" / ".taking-half").mkdir()
    assert waiting() == [batch.id]
    discard(batch.id)
    assert waiting() == []


def test_photos_that_the_library_has_are_not_moved(home, tmp_path):
    Library().add(photo(0), "党参")
    Library().add(photo(1), "菊花")
    batch = take_files([photo(0), photo(1), photo(2)], "党参")
    assert accept(batch.id) == 1
    assert Library().herbs() == {"党参": 2, "菊花": 1}


def test_one_photo_under_two_herbs_of_a_batch_is_kept_once(home, tmp_path):
    data = zip_of([Entry("党参/1.png", photo()), Entry("菊花/1.png", photo())])
    batch = take_zip(written(tmp_path, data))
    assert batch.herbs == {"党参": 1, "菊花": 1}  # so that the report can say it
    assert accept(batch.id) == 1


def test_discarding_a_batch(home, tmp_path):
    batch = take_files([photo()], "党参")
    discard(batch.id)
    discard(batch.id)
    assert nothing_incoming(home)
    assert refusal(open_batch, batch.id).hint == "batch-missing"
    assert Library().herbs() == {}


@pytest.mark.parametrize("name", ["", "..", "../library", ".taking-x", "20260101-000000-0", "/"])
def test_batches_that_never_were(home, name):
    Library().add(photo(), "党参")
    (home / "incoming" / ".taking-x").mkdir(parents=True)
    for call in (open_batch, accept):
        assert refusal(call, name).hint == "batch-missing"
    discard(name)
    assert Library().herbs() == {"党参": 1}
    assert (home / "incoming" / ".taking-x").is_dir()


@pytest.mark.parametrize("facts", ["", "{", "[]", "null", "{}", '{"refused": [1]}', "[" * 100_000])
def test_a_batch_whose_facts_are_spoilt_is_gone(home, facts):
    batch = take_files([photo()], "党参")
    (batch.folder / "batch.json").write_text(facts)
    assert refusal(open_batch, batch.id).hint == "batch-missing"


def test_a_day_later_batches_and_ruins_are_gone(home):
    old, fresh = take_files([photo()], "党参"), take_files([photo()], "党参")
    ruin = home / "incoming" / ".taking-x"
    ruin.mkdir()
    for folder in (old.folder, ruin):
        os.utime(folder, (time.time() - KEPT_SECONDS - 60,) * 2)
    sweep()
    assert list((home / "incoming").iterdir()) == [fresh.folder]


def test_a_sandbox_is_another_home(home, tmp_path):
    sandbox = tmp_path / "sandbox"
    batch = take_files([photo()], "党参", root=sandbox)
    assert open_batch(batch.id, root=sandbox) == batch
    assert accept(batch.id, root=sandbox) == 1
    assert Library(sandbox / "library").herbs() == {"党参": 1}
    assert not home.exists()


# Crashes, full disks


def test_a_full_disk_is_a_sentence_and_leaves_nothing(home, tmp_path, monkeypatch):
    Library().add(photo(50), "党参")
    path, calls = zip_file(tmp_path, *(f"党参/{i}.png" for i in range(20))), []

    def fails(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 10:
            raise OSError(errno.ENOSPC, "No space left on device", str(home))

    monkeypatch.setattr(files.os, "fsync", fails)
    assert refusal(take_zip, path).hint == "disk-full"
    assert len(calls) > 10
    assert list((home / "incoming").iterdir()) == []
    assert Library().herbs() == {"党参": 1}


CHILD = """
import itertools, sys
from herbdemo.intake import accept, take_files, take_zip
from herbdemo.library import Library
photos = [open(path, "rb").read() for path in sys.argv[2:]]
print("ready", flush=True)
for turn in itertools.count():
    accept(take_zip(sys.argv[1]).id)
    for data in photos:
        Library().add(data, "菊花", move=turn % 2 == 0)
        Library().add(data, "党参", move=True)
    accept(take_files(photos, "枸杞子").id)
    Library().remove("党参")
"""


def whole(library: Library) -> bool:
    return all(open_photo(entry.path).format == "JPEG" for entry in library.entries())


@pytest.mark.process
def test_nothing_half_written_is_listed_after_thirty_kills(home, tmp_path):
    fill(tmp_path, "党参", range(40, 46))
    names = [f"{herb}/{seed}.png" for herb in HERBS for seed in range(6)]
    arguments = [zip_file(tmp_path, *names), *sorted((tmp_path / "党参").iterdir())]
    rng, ruins = random.Random(7), 0
    for _ in range(30):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout.readline() == b"ready\n"
            time.sleep(rng.uniform(0, 0.4))
            child.send_signal(signal.SIGKILL)
        assert whole(Library())
        for folder in (home / "incoming").glob("*"):
            if folder.name.startswith("."):
                ruins += 1
            else:
                batch = open_batch(folder.name)
                assert batch.refused == ()
                assert whole(Library(folder))
                discard(batch.id)
    assert ruins > 5  # it was killed while at work
    accept(take_files([photo(99)], "甘草").id)
    assert Library().herbs()["甘草"] >= 1
    assert whole(Library())
