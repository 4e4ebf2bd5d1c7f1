"""Shared answers: opened as they were seen, gone when they end, and nobody else's to delete."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import HERBS, encoded, herb_picture, refusal

from herbdemo import kept
from herbdemo.kept import Kept, forget, keep, open_kept, sweep_kept
from herbdemo.photo import open_photo
from herbdemo.recognise import Answer, Recogniser
from herbdemo.ui import share


@pytest.fixture(scope="module")
def answer(toy_model) -> Answer:
    photo = open_photo(encoded(herb_picture("党参", 3, size=(1500, 900))))
    return Recogniser(toy_model).recognise([photo])[0]


@pytest.fixture
def later(monkeypatch):
    """`later(seconds)` turns the clock on."""
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(kept.time, "time", lambda: real() + ahead[0])
    return lambda seconds: ahead.__setitem__(0, ahead[0] + seconds)


def names(home: Path) -> set[str]:
    return {path.name for path in (home / "shared").iterdir()}


def test_what_is_opened_is_what_was_kept(answer, home):
    name, _ = keep(answer, "党参")
    again = open_kept(name)
    assert isinstance(again, Kept)
    assert again.herb == "党参"
    assert again.ends - again.made == kept.DAYS * 86400
    there = again.answer
    assert there.candidates == answer.candidates
    for field in ("verdict", "model", "sha256", "device", "stages", "herbs", "ms"):
        assert getattr(there, field) == getattr(answer, field)
    for herb in HERBS:  # not only the five
        assert there.probability(herb) == pytest.approx(answer.probability(herb), abs=1e-6)
        np.testing.assert_allclose(there.heatmap(herb), answer.heatmap(herb), atol=1e-5)
        np.testing.assert_allclose(
            there.contrast("党参", herb), answer.contrast("党参", herb), atol=1e-5
        )
    refusal(there.heatmap, "人参")


def test_the_photo_is_reduced_and_says_nothing_of_its_past(toy_model, home):
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)
    photo = encoded(herb_picture("党参", 3, size=(1500, 900)), "JPEG", exif=exif)
    assert b"a camera" in photo
    answer = Recogniser(toy_model).recognise([open_photo(photo)])[0]
    name, _ = keep(answer)
    content = (home / "shared" / name / "photo.jpg").read_bytes()
    assert b"Exif" not in content
    assert b"a camera" not in content
    assert open_kept(name).answer.photo.size == (1024, 614)
    assert sum(path.stat().st_size for path in (home / "shared" / name).iterdir()) < 1 << 20
    assert answer.photo.sha256 not in (home / "shared" / name / "answer.json").read_text()


def test_the_name_cannot_be_guessed_and_the_secret_is_not_kept(answer, home):
    (name, secret), (other, another) = keep(answer), keep(answer)
    assert name != other
    assert secret != another
    assert len(name) == 32  # hexadecimal: 128 bits
    assert len(secret) >= 22
    assert secret not in (home / "shared" / name / "answer.json").read_text()


def test_a_herb_that_is_no_candidate_is_not_remembered(answer):
    name, _ = keep(answer, "<script>")
    assert open_kept(name).herb == ""


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../shared", "0" * 32, "0" * 31 + "/", "A" * 32, "x\0", "0" * 10_000]
)
def test_other_names_open_nothing(answer, name):
    keep(answer)
    assert refusal(open_kept, name).hint == "result-gone"
    assert refusal(forget, name, "secret").hint == "result-gone"


def test_it_ends_after_a_week_and_is_deleted(answer, home, later):
    name, _ = keep(answer)
    later(kept.DAYS * 86400 - 60)
    sweep_kept()
    assert open_kept(name)
    later(120)
    assert refusal(open_kept, name).hint == "result-gone"
    sweep_kept()
    assert names(home) == set()


def test_only_who_has_the_secret_can_delete_it(answer, home):
    name, secret = keep(answer)
    for wrong in ("", "x", secret[:-1], secret.swapcase(), "\ud800"):
        assert refusal(forget, name, wrong).hint == "not-yours"
    forget(name, secret)
    assert names(home) == set()
    assert refusal(forget, name, secret).hint == "result-gone"


def test_the_oldest_makes_room(answer, home, monkeypatch, later):
    monkeypatch.setattr(kept, "MOST", 3)
    made = []
    for _ in range(5):
        made.append(keep(answer)[0])
        later(1)
    assert names(home) == set(made[-3:])


def test_what_is_damaged_is_gone_and_swept(answer, home):
    made = [keep(answer)[0] for _ in range(6)]
    folder = home / "shared"
    (folder / made[0] / "answer.json").write_text("{")
    (folder / made[1] / "answer.json").write_text("[]")
    (folder / made[2] / "photo.jpg").write_bytes(b"no photo")
    (folder / made[3] / "evidence.npy").write_bytes(b"no array")
    (folder / made[4] / "answer.json").write_text("[" * 100_000)
    said = json.loads((folder / made[5] / "answer.json").read_text())
    (folder / made[5] / "answer.json").write_text(json.dumps(said | {"bias": [10**400]}))
    for name in made:
        assert refusal(open_kept, name).hint == "result-gone"
    sweep_kept()
    assert names(home) == {made[2], made[3], made[5]}  # these end on their day


def test_a_full_disk(answer, home, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept.np, "save", full)
    assert refusal(keep, answer).hint == "disk-full"
    assert names(home) == set()


def test_it_holds_no_pickle(answer, home):
    name, _ = keep(answer)
    assert np.load(home / "shared" / name / "evidence.npy", allow_pickle=False).shape == (7, 2, 2)
    json.loads((home / "shared" / name / "answer.json").read_text("utf-8"))


def test_the_page_says_the_same_numbers():
    assert (share.DAYS, share.SIDE) == (kept.DAYS, kept.SIDE)
