"""Several photos of one herb, and several herbs in one photo: what the page makes of them."""

import dataclasses
import re

import numpy as np
import pytest
import toys
from toys import herb_picture

from herbdemo.errors import HerbError
from herbdemo.herbs import Herb, herb_named
from herbdemo.photo import open_photo
from herbdemo.recognise import Recogniser
from herbdemo.tray import Region, Tray
from herbdemo.ui import model, specimen, texts, tray
from herbdemo.ui import texts_many as t
from herbdemo.ui.gate import Visitor

SOMEONE = Visitor(False, "", "a-browser-tab")


@pytest.fixture
def at_work(toy_model, monkeypatch) -> Recogniser:
    """The page works with the toy model, which is not choosy."""
    careless = dataclasses.replace(toy_model, thresholds={"certain": 0.2, "unknown": -1.0})
    recogniser = Recogniser(careless)
    monkeypatch.setattr(model, "recogniser", lambda: recogniser)
    return recogniser


@pytest.fixture
def paths(tmp_path):
    """`paths("枸杞子", None)`: a photo of that herb, and a file that is no photo."""

    def make(*herbs: str | None) -> list[str]:
        found = []
        for number, herb in enumerate(herbs):
            path = tmp_path / f"{number}.png"
            if herb:
                herb_picture(herb, 900 + number).save(path)
            else:
                path.write_text("not a photo")
            found.append(str(path))
        return found

    return make


# One herb, several photos


def test_the_fused_answer_stands_over_a_card_for_each_photo(at_work, paths):
    fused, one = specimen.look_at(paths("枸杞子", "枸杞子", "枸杞子"), SOMEONE)
    assert fused.count('class="candidate"') == 5
    assert len(re.findall(r"<figure", fused)) == 3
    assert fused.count('class="mark"') == 1
    assert fused.count('aria-pressed="true"') == 1
    for index in range(3):
        assert f'data-index="{index}"' in fused
    assert fused.count('type="radio"') == 5
    assert texts.NOT_ADVICE.zh in fused
    assert 'class="answer"' in one


def test_a_file_that_is_no_photo_costs_none_of_the_others(at_work, paths):
    fused, one = specimen.look_at(paths("枸杞子", None, "枸杞子"), SOMEONE)
    assert len(re.findall(r"<figure", fused)) == 2
    assert 'data-index="2"' in fused  # its place among all that were given
    assert 'data-index="1"' not in fused
    assert t.PHOTO_FAILED.format(2, "")[0] in fused
    assert one


def test_nothing_but_broken_files_is_said_in_words(at_work, paths):
    fused, one = specimen.look_at(paths(None, None), SOMEONE)
    assert fused.count("<p>") == 2
    assert one == ""
    assert specimen.look_at([], SOMEONE) == ("", "")


def test_photos_of_different_herbs_are_pointed_out(at_work, paths):
    fused, _ = specimen.look_at(paths("枸杞子", "金银花"), SOMEONE)
    assert t.DISAGREE.zh in fused
    fused, _ = specimen.look_at(paths("枸杞子") * 2, SOMEONE)
    assert t.DISAGREE.zh not in fused


def test_a_single_photo_asks_for_more_and_marks_none(at_work, paths):
    fused, _ = specimen.look_at(paths("枸杞子"), SOMEONE)
    assert t.ONE_PHOTO.zh in fused
    assert 'class="mark"' not in fused


def test_a_card_leads_to_the_answer_of_that_photo(at_work, paths):
    given = paths("枸杞子", None)
    assert 'class="answer"' in specimen.one_photo(given, "0", SOMEONE)
    assert 'class="trouble"' in specimen.one_photo(given, "1", SOMEONE)
    for index in ("", "2", "-1", "x", "²"):
        with pytest.raises(HerbError):
            specimen.one_photo(given, index, SOMEONE)


# Several herbs in one photo


def found(*herbs: Herb, cells: tuple[int, int] = (6, 8)) -> Tray:
    """A tray with a column of cells for each herb."""
    photo = open_photo(toys.encoded(herb_picture("党参", 1, size=(320, 240))))
    regions = []
    for column, herb in enumerate(herbs):
        mask = np.zeros(cells, bool)
        mask[1:, column] = True
        regions.append(Region(herb, mask, 0.9, float(mask.mean()), (0, 0, 1, 1)))
    return Tray(photo, tuple(regions), model="toy", sha256="0123456789abcdef")


def test_each_herb_has_a_mask_with_an_outline_and_a_row_of_the_same_colour():
    shown = found(*map(herb_named, ("党参", "附子", "当归")))
    image, masks = tray.picture_of(shown)
    page = tray.found_html(shown)
    assert image.size == (320, 240)
    assert [label.split()[0] for _, label in masks] == ["1", "2", "3"]
    for at, (mask, label) in enumerate(masks):
        assert mask.shape == (240, 320)
        assert set(np.unique(mask)) == {0, tray.INSIDE, 1}
        assert shown.herbs[at].herb.zh in label
        assert f'data-region="{at}"' in page
        assert tray.COLOURS[at] in page
    assert t.FOUND.format(3).en in page
    assert "12.5%" not in page  # 5 of 48 cells
    assert "10.4%" in page


def test_poisons_are_named_above_the_table():
    page = tray.found_html(found(herb_named("党参"), herb_named("附子")))
    warning = page[page.index('class="warning"') : page.index("<table>")]
    assert "附子" in warning
    assert "党参" not in warning
    assert 'class="warning"' not in tray.found_html(found(herb_named("党参")))


def test_more_herbs_than_colours_are_told_apart_by_number():
    herbs = [Herb(zh=f"药{k}") for k in range(len(tray.COLOURS) + 2)]
    shown = found(*herbs, cells=(6, 20))
    labels = [label for _, label in tray.picture_of(shown)[1]]
    assert len(set(labels)) == len(herbs)


def test_names_that_users_gave_are_escaped():
    page = tray.found_html(found(Herb(zh='<b>"药"</b>')))
    assert "<b>&quot;" not in page
    assert '<b>"药"</b>' not in page


def test_one_herb_in_a_corner_is_not_called_the_whole_photo():
    assert t.FOUND_ONE_MORE.zh not in tray.found_html(found(herb_named("党参")))


def test_a_tray_is_looked_at_and_nothing_is_nothing(toy_model, at_work, paths, monkeypatch):
    path = paths("枸杞子")[0]
    picture, page = tray.look_at(path, "a-browser-tab")
    assert ('class="found"' in page) == (picture is not None)
    strict = dataclasses.replace(toy_model, thresholds={"certain": 0.7, "unknown": 1.1})
    monkeypatch.setattr(model, "recogniser", lambda: Recogniser(strict))
    picture, page = tray.look_at(path, "a-browser-tab")
    assert picture is None
    assert t.NOTHING_TITLE.zh in page


def test_what_cannot_be_opened_is_said_in_words(at_work, paths, monkeypatch):
    for path in (None, paths(None)[0], "/no/such/photo.jpg"):
        picture, page = tray.look_at(path, "a-browser-tab")
        assert picture is None
        assert 'class="trouble"' in page
        assert "/no/such" not in page

    def broken() -> Recogniser:
        raise ValueError("secret path /root")

    monkeypatch.setattr(model, "recogniser", broken)
    _, page = tray.look_at(paths("党参")[0], "a-browser-tab")
    assert texts.FAILED.zh in page
    assert "secret" not in page
