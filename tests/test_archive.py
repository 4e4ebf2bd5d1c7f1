"""archive.py: class folders out of a zip, whatever made it; everything suspicious refused."""

import subprocess
import time
from pathlib import Path

import pytest
from hostile.zips import HOSTILE, STORED, Case, Entry, photo, written, zip_of
from toys import refusal

from herbdemo import archive
from herbdemo.archive import unpacked


def unpack(path: Path, inside: Path) -> list[str]:
    """The files that come out of a zip, relative to the folder they come out in."""
    inside.mkdir(exist_ok=True)
    with unpacked(path, inside=inside) as folder:
        assert folder.parent == inside
        files = sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())
    assert list(inside.iterdir()) == []
    return files


def out_of(tmp_path: Path, *names: str | bytes, flags: int | None = None) -> list[str]:
    entries = [Entry(name, photo(seed), flags=flags) for seed, name in enumerate(names)]
    return unpack(written(tmp_path, zip_of(entries)), tmp_path / "out")


# What comes out


def test_class_folders_at_the_top(tmp_path):
    assert out_of(tmp_path, "党参/1.png", "菊花/1.png") == ["党参/1.png", "菊花/1.png"]


def test_class_folders_below_one_wrapping_folder(tmp_path):
    assert out_of(tmp_path, "我的照片/党参/1.png", "我的照片/菊花/1.png") == [
        "党参/1.png",
        "菊花/1.png",
    ]


def test_the_only_herb_is_no_wrapping_folder(tmp_path):
    assert out_of(tmp_path, "罗勒/1.png", "罗勒/2.png") == ["罗勒/1.png", "罗勒/2.png"]
    assert out_of(tmp_path, "dangshen/market/1.png") == ["dangshen/market/1.png"]


def test_photos_beside_the_class_folders_stay_beside_them(tmp_path):
    assert out_of(tmp_path, "all/cover.png", "all/党参/1.png") == ["cover.png", "党参/1.png"]


def test_the_bytes_are_those_that_were_packed(tmp_path):
    data = zip_of([Entry("党参/1.png", photo()), Entry("党参/2.png", photo(2), method=STORED)])
    with unpacked(written(tmp_path, data)) as folder:
        assert (folder / "党参/1.png").read_bytes() == photo()
        assert (folder / "党参/2.png").read_bytes() == photo(2)
    assert not folder.exists()


@pytest.mark.parametrize(
    "litter",
    [
        *(
            "__MACOSX/._党参",
            "__MACOSX/党参/._1.png",
            "党参/.DS_Store",
            "党参/._1.png",
            ".git/1.png",
        ),
        *("党参/Thumbs.db", "党参/desktop.ini", "党参/Icon\r", "@eaDir/1.png", "党参/@eaDir/1.png"),
        *("README.md", "党参/notes.txt", "labels.csv", "党参/"),
    ],
)
def test_litter_is_passed_over(tmp_path, litter):
    assert out_of(tmp_path, "党参/1.png", litter) == ["党参/1.png"]


def test_an_error_of_the_caller_removes_the_folder_too(tmp_path):
    path = written(tmp_path, zip_of([Entry("党参/1.png", photo())]))
    with pytest.raises(ZeroDivisionError), unpacked(path) as folder:
        raise ZeroDivisionError
    assert not folder.exists()


# Names in every encoding


@pytest.mark.parametrize("herb", ["党参", "黨參", "小", "一枝黄花", "炒酸枣仁", "乗", "𬭎"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_chinese_names_without_the_flag(tmp_path, herb, encoding):
    names = [f"{herb}/照片 1.png", "菊花/2.png", "plain/3.png"]
    found = out_of(tmp_path, *(name.encode(encoding) for name in names), flags=0)
    assert found == sorted(names)


def test_a_zip_with_both_kinds_of_names(tmp_path):
    entries = [Entry("党参/1.png", photo()), Entry("菊花/2.png".encode("gbk"), photo(), flags=0)]
    path = written(tmp_path, zip_of(entries))
    assert unpack(path, tmp_path / "out") == ["党参/1.png", "菊花/2.png"]


def test_names_of_old_dos_stay_readable(tmp_path):
    assert out_of(tmp_path, b"th\x82/1.png", flags=0) == ["thé/1.png"]


def test_decomposed_names_of_a_mac_are_composed(tmp_path):
    assert out_of(tmp_path, "the\u0301/1.png".encode(), flags=0) == ["thé/1.png"]


def test_a_real_zip_program_is_understood(tmp_path):
    (tmp_path / "党参").mkdir()
    (tmp_path / "党参" / "1.png").write_bytes(photo())
    try:
        subprocess.run(["zip", "-qr", "given.zip", "党参"], cwd=tmp_path, check=True)
    except FileNotFoundError:
        pytest.skip("no zip program")
    assert unpack(tmp_path / "given.zip", tmp_path / "out") == ["党参/1.png"]


# What is refused


@pytest.mark.parametrize("case", HOSTILE, ids=[case.name for case in HOSTILE])
def test_hostile_zips_are_refused_by_name_and_leave_nothing(tmp_path, case: Case):
    path = written(tmp_path, case.make())
    inside = tmp_path / "out"
    inside.mkdir()
    started = time.monotonic()
    error = refusal(lambda: unpacked(path, inside=inside).__enter__())
    assert time.monotonic() - started < 5
    assert error.hint == case.hint
    assert case.names in error.en
    assert case.names in error.zh
    assert max(len(error.en), len(error.zh)) < 200
    assert sorted(tmp_path.iterdir()) == [path, inside]
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize("name", ["gone.zip", "a\0b.zip", "x" * 300, "."])
def test_a_zip_that_is_not_there(tmp_path, name):
    assert refusal(lambda: unpacked(tmp_path / name).__enter__()).hint == "zip-missing"


def test_a_zip_that_may_not_be_read(tmp_path, locked):
    path = locked(written(tmp_path, zip_of([Entry("党参/1.png", photo())])))
    assert refusal(lambda: unpacked(path).__enter__()).hint == "unreadable"


def test_the_total_is_limited(tmp_path, monkeypatch):
    path = written(tmp_path, zip_of(Entry(f"党参/{i}.png", photo(i)) for i in range(9)))
    monkeypatch.setattr(archive, "MAX_TOTAL", 4 * len(photo()))
    assert refusal(lambda: unpacked(path).__enter__()).hint == "zip-too-large"
    monkeypatch.setattr(archive, "MAX_TOTAL", path.stat().st_size - 1)
    assert refusal(lambda: unpacked(path).__enter__()).hint == "zip-too-large"
