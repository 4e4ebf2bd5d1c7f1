"""portable.py: a model goes from one computer to another, and nothing else gets in that way."""

import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import herb_photo, model_copy, refusal

from herbdemo import portable as module
from herbdemo.checkpoint import CARD, WEIGHTS, load_checkpoint
from herbdemo.portable import export_zip, import_zip
from herbdemo.recognise import Recogniser
from herbdemo.registry import Registry


@pytest.fixture
def registry(toy_folder: Path, tmp_path: Path) -> Registry:
    """One computer, with the model `mine` in use."""
    model_copy(toy_folder, tmp_path / "here" / "models" / "mine")
    return Registry(shipped=tmp_path / "none", own=tmp_path / "here")


@pytest.fixture
def elsewhere(toy_folder: Path, tmp_path: Path) -> Registry:
    """Another computer, with the shipped model `theirs` in use."""
    model_copy(toy_folder, tmp_path / "shipped" / "theirs")
    (tmp_path / "there" / "models").mkdir(parents=True)
    return Registry(shipped=tmp_path / "shipped", own=tmp_path / "there")


def leftovers(registry: Registry) -> list[str]:
    return [path.name for path in (registry.own / "models").iterdir()]


def test_a_model_answers_the_same_on_the_other_computer(registry, elsewhere, tmp_path):
    file = export_zip(registry, "mine", tmp_path / "out" / "mine.zip")
    assert [path.name for path in file.parent.iterdir()] == ["mine.zip"]
    assert zipfile.ZipFile(file).namelist() == [f"mine/{CARD}", f"mine/{WEIGHTS}"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644

    assert import_zip(elsewhere, file) == "mine"
    assert elsewhere.active_id() == "theirs"  # listed, not in use
    photo = herb_photo("党参", 3)
    here, there = (Recogniser(each.load("mine")).recognise([photo])[0]
                   for each in (registry, elsewhere))  # fmt: skip
    assert there.sha256 == here.sha256
    assert there.candidates == here.candidates

    assert refusal(import_zip, elsewhere, file).hint == "model-exists"
    assert import_zip(elsewhere, file, name="again") == "again"
    assert sorted(leftovers(elsewhere)) == ["again", "mine"]
    back = export_zip(elsewhere, "again", tmp_path / "back.zip")
    assert import_zip(registry, back) == "again"  # as it was called there
    assert refusal(import_zip, elsewhere, file, name="../up").hint == "model-name"


def test_a_zip_that_a_mac_packed_again_is_taken(registry, elsewhere, tmp_path, toy_folder):
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        archive.mkdir("my model")
        for name in (CARD, WEIGHTS):
            archive.write(toy_folder / name, f"my model/{name}")
            archive.writestr(f"__MACOSX/my model/._{name}", b"attributes")
        archive.writestr("my model/.DS_Store", b"view")
    assert import_zip(elsewhere, tmp_path / "mac.zip") == "toy"


def test_only_whole_models_are_exported(registry, tmp_path):
    assert refusal(export_zip, registry, "nobody", tmp_path / "a.zip").hint == "model-missing"
    weights = registry.own / "models" / "mine" / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.unlink()  # it is shared with other tests
    weights.write_bytes(data)
    assert refusal(export_zip, registry, "mine", tmp_path / "a.zip").hint == "weights-damaged"
    assert not (tmp_path / "a.zip").exists()


def test_a_model_that_goes_while_it_is_packed_is_not_the_fault_of_the_place(
    registry, tmp_path, monkeypatch
):
    def load(folder: Path):
        loaded = load_checkpoint(folder)
        (folder / WEIGHTS).unlink()
        return loaded

    monkeypatch.setattr(module, "load_checkpoint", load)
    assert refusal(export_zip, registry, "mine", tmp_path / "a.zip").hint == "weights-unreadable"
    assert not (tmp_path / "a.zip").exists()


def test_a_place_that_cannot_be_written_is_a_sentence(registry, tmp_path):
    (tmp_path / "folder").mkdir()
    assert refusal(export_zip, registry, "mine", tmp_path / "folder").hint == "zip-unwritable"
    (tmp_path / "file").write_text("x")
    assert refusal(export_zip, registry, "mine", tmp_path / "file" / "a").hint == "zip-unwritable"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "here"]


def test_a_full_disk_leaves_nothing(registry, elsewhere, tmp_path, monkeypatch):
    file = export_zip(registry, "mine", tmp_path / "mine.zip")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert refusal(import_zip, elsewhere, file).hint == "disk-full"
    assert refusal(export_zip, registry, "mine", tmp_path / "b.zip").hint == "disk-full"
    assert leftovers(elsewhere) == []
    assert not (tmp_path / "b.zip").exists()


# Hostile zips: each is made of the two files' bytes


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], deflated: bool = False) -> bytes:
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def patched(data: bytes, field: int, value: bytes, *, entry: int = 0) -> bytes:
    """The zip with `value` at offset `field` of one entry in its directory."""
    found = -1
    for _ in range(entry + 1):
        found = data.index(b"PK\1\2", found + 1)
    return data[: found + field] + value + data[found + field + len(value) :]


def both(card: bytes, weights: bytes, folder: str = "") -> bytes:
    return packed((folder + CARD, card), (folder + WEIGHTS, weights))


def with_zip64(data: bytes) -> bytes:
    """The larger record, which overrules the ordinary one, put before it."""
    end = data[-22:]
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(data) - 22, 1)
    return data[:-22] + record + locator + end


HOSTILE: dict[str, tuple[Callable[[bytes, bytes], bytes], str]] = {
    "slip": (lambda c, w: both(c, w, "../"), "zip-no-model"),
    "deep slip": (lambda c, w: both(c, w, "a/../../"), "zip-no-model"),
    "absolute": (lambda c, w: both(c, w, "/etc/"), "zip-no-model"),
    "backslash": (lambda c, w: both(c, w, "..\\x/"), "zip-no-model"),
    "link": (lambda c, w: packed((CARD, c), (link(WEIGHTS), b"/etc/passwd")), "zip-no-model"),
    "linked card": (lambda c, w: packed((link(CARD), b"/x"), (WEIGHTS, w)), "zip-no-model"),
    "a program beside": (lambda c, w: packed((CARD, c), (WEIGHTS, w), ("a.py", b"x")),
                         "zip-no-model"),
    "a pickle": (lambda c, w: packed((CARD, c), ("model.pth", w)), "zip-no-model"),
    "no weights": (lambda c, w: packed((CARD, c)), "zip-no-model"),
    "empty": (lambda c, w: packed(), "zip-no-model"),
    "a name of nothing": (
        lambda c, w: packed((CARD, c), (WEIGHTS, w), ("none", b"")).replace(b"none", bytes(4)),
        "zip-no-model",
    ),
    "two folders": (lambda c, w: packed((f"a/{CARD}", c), (f"b/{WEIGHTS}", w)), "zip-no-model"),
    "nested": (lambda c, w: packed(("a.zip", both(c, w))), "zip-no-model"),
    "100,000 entries": (lambda c, w: packed(*((f"{i}", b"") for i in range(100_000))),
                        "zip-no-model"),
    "bomb": (lambda c, w: packed((CARD, c), (WEIGHTS, bytes(50_000_000)), deflated=True),
             "zip-no-model"),
    "encrypted": (lambda c, w: patched(both(c, w), 8, b"\1\0"), "zip-encrypted"),
    "rare method": (lambda c, w: patched(both(c, w), 10, b"\x0e\0"), "zip-no-model"),
    "huge card": (lambda c, w: patched(patched(both(c, w), 20, b"\0\0\0\x02"), 24, b"\0\0\0\x02"),
                  "zip-too-large"),
    "card said smaller": (lambda c, w: patched(both(c, w), 24, b"\x10\0\0\0"), "zip-damaged"),
    "weights said smaller": (lambda c, w: patched(both(c, w), 24, b"\0\0\1\0", entry=1),
                             "zip-damaged"),
    "cut off": (lambda c, w: both(c, w)[:-1000], "zip-no-model"),
    "a comment": (lambda c, w: both(c, w)[:-2] + b"\1\0!", "zip-no-model"),
    "zip64": (lambda c, w: with_zip64(both(c, w)), "zip-no-model"),
    "not a zip": (lambda c, w: b"\x80\x04 a pickle", "zip-no-model"),
    "nothing": (lambda c, w: b"", "zip-no-model"),
    "a pickle for weights": (lambda c, w: both(c, b"\x80\x04]."), "weights-pickle"),
    "flipped weights": (lambda c, w: both(c, w[:-1] + bytes([w[-1] ^ 1])), "weights-damaged"),
    "a card of brackets": (lambda c, w: both(b"[" * 100_000, w), "zip-no-model"),
    "a card without id": (lambda c, w: both(b"{}", w), "zip-no-model"),
    "an id that climbs": (lambda c, w: both(changed(c, id="../../x"), w), "model-name"),
    "an id that is a list": (lambda c, w: both(changed(c, id=["x"]), w), "zip-no-model"),
    "other herbs": (lambda c, w: both(changed(c, herbs=["党参"]), w), "herbs-mismatch"),
    "metrics that are none": (lambda c, w: both(changed(c, metrics=["x"]), w), "card-damaged"),
}  # fmt: skip


def changed(card: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(card) | changes).encode()


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused_and_leaves_nothing(kind, elsewhere, toy_folder, tmp_path):
    make, hint = HOSTILE[kind]
    file = tmp_path / "hostile.zip"
    file.write_bytes(make((toy_folder / CARD).read_bytes(), (toy_folder / WEIGHTS).read_bytes()))
    before = sorted(path for path in tmp_path.rglob("*"))
    assert refusal(import_zip, elsewhere, file).hint == hint
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert [model.id for model in elsewhere.list()] == ["theirs"]


def test_the_whole_file_is_bounded_before_it_is_read(elsewhere, tmp_path):
    with (tmp_path / "huge.zip").open("wb") as file:
        file.truncate(sum(module.LIMITS.values()) + 1)  # sparse: it takes no room
    assert refusal(import_zip, elsewhere, tmp_path / "huge.zip").hint == "zip-too-large"


def test_a_file_that_may_not_be_read(elsewhere, tmp_path, locked):
    (tmp_path / "a.zip").touch()
    assert refusal(import_zip, elsewhere, locked(tmp_path / "a.zip")).hint == "unreadable"


@pytest.mark.parametrize("name", ["missing.zip", "."])
def test_a_file_that_is_not_there(elsewhere, tmp_path, name):
    assert refusal(import_zip, elsewhere, tmp_path / name).hint == "zip-missing"
