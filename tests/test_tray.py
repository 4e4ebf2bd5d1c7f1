"""tray.py: which herbs lie where in one photo."""

from dataclasses import replace

import numpy as np
import pytest
import toys
from PIL import Image
from toys import HERBS, herb_photo, herb_picture

from herbdemo.choice import ASKED
from herbdemo.engine import ServingEngine
from herbdemo.herbs import herb_named
from herbdemo.photo import Photo, open_photo
from herbdemo.recognise import Recogniser
from herbdemo.scores import Head
from herbdemo.tray import LEAST_SHARE, Region, Tray, look, pass_size, regions_of


def head(*, unknown: float = -np.inf) -> Head:
    """Three herbs; the first three of four channels are the evidence for each."""
    weight = np.eye(3, 4, dtype=np.float32) * 10
    return Head(
        weight=weight,
        bias=np.zeros(3, np.float32),
        temperature=1.0,
        certain=0.8,
        unknown=unknown,
        basis=np.eye(4, dtype=np.float32),
        bank=np.eye(3, 4, dtype=np.float32),
    )


def scene(*blocks: tuple[int, slice, slice], size: tuple[int, int] = (12, 16)) -> np.ndarray:
    """A feature map (4, h, w): in each block the channel of a herb is loud, elsewhere the last."""
    cells = np.zeros((4, *size), np.float32)
    cells[3] = 1
    for channel, rows, columns in blocks:
        cells[:, rows, columns] = 0
        cells[channel, rows, columns] = 1
    return cells


NOTHING = np.zeros(4, np.float32)  # a whole photo that speaks for no herb
LEFT, RIGHT, ALL = slice(0, 6), slice(10, 16), slice(None)


def test_two_herbs_side_by_side_are_two_regions_in_their_places():
    found = regions_of(head(), NOTHING, scene((0, ALL, LEFT), (2, ALL, RIGHT)))
    assert [k for k, _, _ in found] == [0, 2]
    for (_, mask, probability), columns in zip(found, (LEFT, RIGHT), strict=True):
        truth = np.zeros((12, 16), bool)
        truth[:, columns] = True
        assert (mask & truth).sum() / (mask | truth).sum() > 0.8
        assert 0.7 < probability < 1


def test_one_herb_in_two_places_is_two_regions():
    found = regions_of(head(), NOTHING, scene((1, ALL, LEFT), (1, ALL, RIGHT)))
    assert [k for k, _, _ in found] == [1, 1]
    assert not (found[0][1] & found[1][1]).any()


def test_a_bare_table_has_no_regions():
    assert regions_of(head(), NOTHING, scene()) == []


def test_a_speck_is_no_region():
    small = scene((0, slice(4, 6), slice(4, 6)), (1, ALL, RIGHT), size=(40, 40))
    assert [k for k, _, _ in regions_of(head(), NOTHING, small)] == [1]
    assert LEAST_SHARE > 4 / 1600


def test_what_looks_like_no_training_photo_is_no_region():
    cells = scene((0, ALL, LEFT), (2, ALL, RIGHT))
    cells[3, :, RIGHT] = 4  # still louder for herb 2 than for others, but strange
    assert [k for k, _, _ in regions_of(head(unknown=0.9), NOTHING, cells)] == [0]


def test_a_photo_that_shows_one_herb_as_a_whole_is_not_taken_apart():
    cells = scene((0, ALL, LEFT), (1, ALL, RIGHT))
    cells[0, :, RIGHT] = 0.9  # a piece that alone looks a little more like another herb
    whole = np.array([1, 0, 0, 0], np.float32)
    assert {k for k, _, _ in regions_of(head(), whole, cells)} == {0}


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1000, 1000), (672, 672)), ((1200, 900), (672, 512)), ((30, 3000), (32, 672))],
)
def test_the_large_pass_keeps_the_proportions_in_whole_cells(size, expected):
    assert pass_size(size, 672) == expected


def test_a_real_network_finds_toy_herbs_on_a_table(toy_model):
    careless = replace(toy_model, thresholds={"certain": 0.7, "unknown": -1.0})
    herb = "枸杞子"
    photo = open_photo(toys.encoded(herb_picture(herb, 3, size=(240, 180))))
    tray = look(Recogniser(careless), photo)
    assert tray.photo is photo
    assert tray.model == "toy"
    for region in tray.regions:
        assert region.herb.zh in HERBS
        assert region.mask.dtype == bool
        assert region.share == pytest.approx(region.mask.mean())
        left, top, right, bottom = region.box
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
    assert sum(one.share for one in tray.herbs) <= 1


def test_a_tray_is_looked_at_by_one_engine_though_a_faster_one_is_ready_meanwhile(toy_model):
    serving = ServingEngine(toy_model, wanted="torch")
    first = serving.now

    class Last:
        name, why = "the last pass of an engine", ASKED

        def features(self, batch):
            serving._now = another, ASKED
            return first.features(batch)

    class Another:
        name, why = "another", ASKED

        def features(self, batch):
            pytest.fail("asked halfway through")

    another = Another()
    serving._now = Last(), ASKED
    look(Recogniser(toy_model, engine=serving), herb_photo(HERBS[0], 1))
    assert serving.now is another


def test_nothing_is_familiar_enough_for_a_strict_model(toy_model):
    strict = replace(toy_model, thresholds={"certain": 0.7, "unknown": 1.1})
    tray = look(Recogniser(strict), herb_photo("党参", 1))
    assert tray.regions == ()
    assert tray.herbs == ()


def test_herbs_are_listed_by_their_share_and_as_sure_as_their_surest_region():
    def region(zh: str, cells: int, probability: float) -> Region:
        mask = np.zeros((10, 10), bool)
        mask.flat[:cells] = True
        return Region(herb_named(zh), mask, probability, cells / 100, (0, 0, 1, 1))

    photo = Photo(Image.new("RGB", (10, 10)), (10, 10), "", "PNG")
    regions = (region("党参", 20, 0.9), region("当归", 15, 0.8), region("当归", 10, 0.95))
    herbs = Tray(photo, regions, model="toy", sha256="").herbs
    assert [(one.herb.zh, one.share, one.probability) for one in herbs] == [
        ("当归", 0.25, 0.95),
        ("党参", 0.2, 0.9),
    ]
