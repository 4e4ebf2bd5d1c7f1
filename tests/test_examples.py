"""Every example photo is small, opens, and has its source and licence stated."""

import re
from pathlib import Path

import pytest

from herbdemo.photo import open_photo

FOLDER = Path(__file__).resolve().parent.parent / "examples"
PHOTOS = sorted(p for p in FOLDER.iterdir() if p.suffix in {".jpg", ".png", ".webp"})


def test_sources_name_each_photo_and_no_other():
    sources = (FOLDER / "SOURCES.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", sources, re.MULTILINE)
    assert [name for name, _ in rows] == [p.name for p in PHOTOS]
    for name, cells in rows:
        assert len([c for c in cells.split("|") if c.strip()]) == 5, f"{name} lacks a cell"


@pytest.mark.parametrize("path", PHOTOS, ids=lambda p: p.stem)
def test_photo_is_small_and_opens(path):
    assert path.stat().st_size < 200_000
    photo = open_photo(path)
    assert photo.image.mode == "RGB"
    assert max(photo.size) <= 1024


def test_there_are_known_and_unknown_ones():
    unknown = [p for p in PHOTOS if p.name.startswith("unknown-")]
    assert 6 <= len(PHOTOS) <= 9
    assert 1 <= len(unknown) < len(PHOTOS) / 2
