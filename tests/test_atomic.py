"""atomic.py: what is written is there whole or not at all, and leftovers go."""

import os
import time
from pathlib import Path

import pytest
from toys import refusal

from herbdemo import atomic as module
from herbdemo.atomic import remove_folder, replace_file, sweep, whole_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two leftovers of each kind, one of them old, beside things that must stay."""
    monkeypatch.setenv("HERBDEMO_HOME", str(tmp_path))
    for prefix in module.TEMPORARY:
        for name in ("old", "new"):
            (tmp_path / f"{prefix}{name}").mkdir()
            (tmp_path / f"{prefix}{name}" / "half").write_text("half")
        (tmp_path / f"{prefix}old-file").write_text("half")
    for name in (".hidden-thing", "model", ".saving"):
        (tmp_path / name).mkdir()
    for path in tmp_path.iterdir():
        age = module.STALE + 60 if "new" not in path.name else 60
        os.utime(path, (time.time() - age,) * 2)
    return tmp_path


KEPT = [".deleting-new", ".hidden-thing", ".saving", ".saving-new", ".writing-new", "model"]


def test_leftovers_of_killed_processes_go_after_an_hour(folder):
    sweep(folder)
    assert sorted(path.name for path in folder.iterdir()) == KEPT


def test_elsewhere_such_names_may_be_of_other_programs(folder, monkeypatch):
    monkeypatch.setenv("HERBDEMO_HOME", str(folder / "model"))
    before = sorted(folder.iterdir())
    with whole_folder(folder / "page") as temporary:
        (temporary / "card").write_text("x")
    assert sorted(folder.iterdir()) == [*before, folder / "page"]


@pytest.mark.parametrize("name", ["replace", "whole", "remove"])
def test_every_write_sweeps(folder, name):
    if name == "replace":
        replace_file(folder / "active.json", b"{}")
    elif name == "whole":
        with whole_folder(folder / "a") as temporary:
            (temporary / "card").write_text("x")
    else:
        (folder / "gone").mkdir()
        remove_folder(folder / "gone")
    rest = sorted(path.name for path in folder.iterdir() if path.name not in ("active.json", "a"))
    assert rest == KEPT


def test_a_folder_whose_writing_fails_is_not_there(tmp_path):
    def write() -> None:
        with whole_folder(tmp_path / "models" / "a") as temporary:
            (temporary / "card").write_text("x")
            assert not (tmp_path / "models" / "a").exists()
            raise KeyError("a")

    with pytest.raises(KeyError):
        write()
    assert list((tmp_path / "models").iterdir()) == []


def test_a_folder_is_never_overwritten(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine").write_text("mine")

    def write() -> None:
        with whole_folder(tmp_path / "a") as temporary:
            (temporary / "card").write_text("x")

    assert refusal(write).hint == "model-exists"
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "mine"]


def test_a_file_whose_writing_fails_stays_as_it_was(tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    replace_file(tmp_path / "a" / "file", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "a" / "file", b"new")
    assert (tmp_path / "a" / "file").read_bytes() == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]
