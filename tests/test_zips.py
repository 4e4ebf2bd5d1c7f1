"""zips.py: no directory larger than it may be, and none that other readers would not find."""

import struct
from pathlib import Path

import pytest
import torch
from hostile.zips import STORED, Entry, zip_of
from toys import refusal

from herbdemo import zips
from herbdemo.errors import HerbError

NAMES = ["a/data.pkl", "a/data/0"]
GOOD = zip_of(Entry(name, b"x" * 9, method=STORED) for name in NAMES)
TOLD = {
    "too_large": HerbError("太大。", "Too large.", hint="large"),
    "damaged": HerbError("损坏。", "Damaged.", hint="damaged"),
}


def names(path: Path, **options) -> list[str]:
    with zips.opened(path, largest=1 << 17, **TOLD | options) as archive:
        return archive.namelist()


def written(folder: Path, data: bytes) -> Path:
    path = folder / "a.zip"
    path.write_bytes(data)
    return path


def directory(data: bytes) -> tuple[int, int]:
    """Where the directory of a zip without a comment starts, and its size."""
    size, start = struct.unpack("<LL", data[-10:-2])
    return start, size


def end_of(size: int, start: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, size, start, 0)


def large_end(size: int, start: int, at: int, *, named: int | None = None) -> bytes:
    """The three records at the end of a large zip, of which the first lies at `at`."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at if named is None else named, 1)
    return record + locator + end_of(0xFFFFFFFF, 0xFFFFFFFF)


def two_directories() -> bytes:
    """zipfile sees `GOOD`'s; who goes where the end says sees another of the same size."""
    other = zip_of(Entry(name, bytes(1 << 20)) for name in NAMES)
    start, size = directory(other)
    return other[: start + size] + GOOD[:-22] + end_of(size, start)


def two_large_ends() -> bytes:
    """zipfile reads the record before the locator; others read the one that it names."""
    other = zip_of(Entry(name, bytes(1 << 20)) for name in NAMES)
    start, size = directory(other)
    body = other[:-22] + large_end(size, start, 0)[:56]
    named = len(body) - 56
    at = len(body) + len(GOOD) - 22
    return body + GOOD[:-22] + large_end(size, len(body) + directory(GOOD)[0], at, named=named)


def in_its_large_end() -> bytes:
    start, size = directory(GOOD)
    return GOOD[:-22] + large_end(size, start - 1, start + size)


PLAIN = {
    "a small one": lambda: GOOD,
    "a large end": lambda: GOOD[:-22] + large_end(*directory(GOOD)[::-1], len(GOOD) - 22),
    "an empty one": lambda: zip_of(()),
}
ODD = {  # zipfile takes them
    "a comment": lambda: zip_of([Entry(NAMES[0]), Entry(NAMES[1])], comment=b"bought in May"),
    "a program in front": lambda: b"MZ" * 99 + GOOD,
    "another directory where the end says": two_directories,
    "another end where the locator says": two_large_ends,
    "another place in its large end": in_its_large_end,
}
BROKEN = {  # nobody takes them
    "no zip": lambda: b"\x80\x02}.",
    "nothing": lambda: b"",
    "the start of an end": lambda: GOOD + b"PK\5\6",
    "cut off": lambda: GOOD[:-1],
    "a directory beyond the file": lambda: GOOD[:-22] + end_of(1 << 15, 1 << 30),
}


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("plain", [True, False])
def test_a_zip_without_tricks(tmp_path, kind, plain):
    found = names(written(tmp_path, PLAIN[kind]()), plain=plain)
    assert found == ([] if kind == "an empty one" else NAMES)


@pytest.mark.parametrize("kind", ODD)
def test_one_that_two_readers_may_read_in_two_ways(tmp_path, kind):
    path = written(tmp_path, ODD[kind]())
    assert names(path) == NAMES
    assert refusal(names, path, plain=True).hint == "damaged"


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("plain", [True, False])
def test_a_broken_one(tmp_path, kind, plain):
    assert refusal(names, written(tmp_path, BROKEN[kind]()), plain=plain).hint == "damaged"


@pytest.mark.parametrize("plain", [True, False])
def test_a_large_directory_is_not_read(tmp_path, plain):
    path = written(tmp_path, zip_of(Entry(f"{i}") for i in range(4000)))
    assert refusal(names, path, plain=plain).hint == "large"


def test_what_torch_writes_is_plain(tmp_path):
    torch.save({"a": torch.rand(3), "b": torch.rand(9)}, tmp_path / "a.pth")
    assert b"PK\6\7" in (tmp_path / "a.pth").read_bytes()[-42:]  # also in a small one
    assert "a/data.pkl" in names(tmp_path / "a.pth", plain=True)


def test_a_directory_beyond_four_gigabytes(tmp_path):
    start, size = directory(GOOD)
    far = 5 << 30
    path = written(tmp_path, GOOD[:start])
    with path.open("r+b") as file:
        file.seek(far)  # over a hole: it takes no room
        file.write(GOOD[start:-22] + large_end(size, far, far + size))
    assert names(path, plain=True) == NAMES


def test_entries_may_be_larger_than_the_directory(tmp_path):
    data = bytes(range(256)) * 1000
    path = written(tmp_path, zip_of([Entry("a", data, method=STORED)]))
    with zips.opened(path, largest=1 << 10, **TOLD) as archive:
        assert archive.read("a") == data


def test_what_fails_meanwhile_is_no_matter_of_the_zip(tmp_path):
    path = written(tmp_path, GOOD)
    with pytest.raises(OSError, match="disk"), zips.opened(path, largest=1 << 10, **TOLD):
        raise OSError("disk")


def test_one_that_may_not_be_read(tmp_path, locked):
    assert refusal(names, locked(written(tmp_path, GOOD))).hint == "unreadable"
