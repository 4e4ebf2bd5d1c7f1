"""What the Learn tab asks of the library and of the job."""

import pytest
from toys import HERBS, fill

from herbdemo.library import Library
from herbdemo.ui import desk


@pytest.fixture
def library(home, tmp_path, monkeypatch):
    """A library of two herbs, and no model."""
    monkeypatch.setattr(desk, "_known", lambda: ())
    for herb in HERBS[:2]:
        fill(tmp_path / "given", herb, range(2))
    library = Library()
    for path in sorted((tmp_path / "given").rglob("*.png")):
        library.add(path, path.parent.name)
    return library


def test_a_herb_that_vanishes_meanwhile_is_passed_over(library, monkeypatch):
    (library.root / "空").mkdir()
    assert "空" not in desk.shelf()
    photos = Library.photos
    monkeypatch.setattr(
        Library, "photos", lambda self, herb: [] if herb == HERBS[0] else photos(self, herb)
    )
    page = desk.shelf(HERBS[0])
    assert f'data-herb="{HERBS[1]}"' in page
    assert HERBS[0] not in page
