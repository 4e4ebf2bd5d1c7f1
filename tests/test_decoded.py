"""Photos of a training are opened once; what is kept of them never changes what is seen."""

import os
from collections import Counter
from pathlib import Path

import pytest
from toys import fill, herb_picture

from herbdemo import decoded
from herbdemo.dataset import photos_below
from herbdemo.decoded import Decoded, reduced
from herbdemo.errors import HerbError


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    fill(tmp_path / "photos", "党参", range(3))
    return photos_below(tmp_path / "photos")


@pytest.fixture
def opened(monkeypatch) -> Counter:
    """How often each file was opened."""
    count: Counter = Counter()

    def counted(path: Path):
        count[path.name] += 1
        return reduced(path)

    monkeypatch.setattr(decoded, "reduced", counted)
    return count


def test_a_photo_is_opened_once_and_looks_the_same_each_time(paths, opened, tmp_path):
    with Decoded(tmp_path / "copies", paths) as picture:
        for _ in range(3):
            for path in paths:
                assert picture(path).tobytes() == reduced(path).tobytes()
                assert picture(path).size == (60, 48)
        assert list(opened.values()) == [1, 1, 1]
        assert Decoded(tmp_path / "copies", paths)(paths[0])  # another process of this training
        assert opened[paths[0].name] == 1
    assert not (tmp_path / "copies").exists()


def test_a_photo_that_changed_is_opened_again(paths, opened, tmp_path):
    with Decoded(tmp_path / "copies", paths) as picture:
        picture(paths[0])
        herb_picture("党参", 9).save(paths[0])
        os.utime(paths[0], ns=(1, 1))
        assert picture(paths[0]).tobytes() == reduced(paths[0]).tobytes()
        assert opened[paths[0].name] == 2
        # As after a power cut.
        for copy in (tmp_path / "copies").iterdir():
            os.truncate(copy, copy.stat().st_size // 2)
        assert picture(paths[0]).tobytes() == reduced(paths[0]).tobytes()
        # A resumed training of other photos must not take these copies for its own.
        assert Decoded(tmp_path / "copies", paths[1:])(paths[1]).tobytes() != (
            reduced(paths[0]).tobytes()
        )


@pytest.mark.parametrize("limit", [{"SPARED": 1 << 60}, {"MOST": 0}])
def test_without_room_on_the_disk_nothing_is_kept(paths, opened, tmp_path, monkeypatch, limit):
    for name, value in limit.items():
        monkeypatch.setattr(decoded, name, value)
    with Decoded(tmp_path / "copies", paths) as picture:
        assert picture(paths[0]).tobytes() == picture(paths[0]).tobytes()
        assert opened[paths[0].name] == 2
        assert list((tmp_path / "copies").iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_costs_only_time(paths, opened, tmp_path, monkeypatch):
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with Decoded(tmp_path / "copies", paths) as picture:
        monkeypatch.setattr(Path, "write_bytes", full)
        assert picture(paths[0]).tobytes() == picture(paths[0]).tobytes()
    assert opened[paths[0].name] == 2


def test_a_photo_that_does_not_open_says_so_each_time(paths, tmp_path):
    paths[0].write_bytes(b"")
    paths[1].unlink()
    with Decoded(tmp_path / "copies", paths) as picture:
        for path in (paths[0], paths[1]) * 2:
            with pytest.raises(HerbError):
                picture(path)
