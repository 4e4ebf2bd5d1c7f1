"""Where a map is bright, in words."""

import numpy as np
import pytest

from herbdemo.where import where


def spot(row: int, column: int, size: int = 7) -> np.ndarray:
    values = np.zeros((size, size), np.float32)
    values[row, column] = 1
    return values


@pytest.mark.parametrize(
    ("row", "column", "en", "zh"),
    [
        (0, 0, "in the upper left", "左上"),
        (0, 3, "at the top", "上方"),
        (1, 6, "in the upper right", "右上"),
        (3, 1, "on the left", "左侧"),
        (3, 3, "in the middle", "中间"),
        (4, 5, "on the right", "右侧"),
        (6, 0, "in the lower left", "左下"),
        (6, 2, "at the bottom", "下方"),
        (5, 5, "in the lower right", "右下"),
    ],
)
def test_a_spot_is_where_it_is(row, column, en, zh):
    found = where(spot(row, column))
    assert (found.en, found.zh) == (en, zh)
    assert found.share == pytest.approx(1 / 49)


def test_two_spots_far_apart_are_not_in_the_middle():
    found = where(spot(0, 0) + 0.9 * spot(6, 6))
    assert found.en == "in the upper left and in the lower right"
    assert where(spot(0, 0) + 0.1 * spot(6, 6)).en == "in the upper left"


def test_evidence_everywhere():
    found = where(np.ones((7, 7)))
    assert found.en == "all over the photo"
    assert found.share == 1


def test_the_share_counts_what_is_half_as_bright_as_the_brightest():
    values = np.full((4, 4), 0.4)
    values[:2] = [0.5, 1, 0.5, 0.6]
    assert where(values).share == 0.5


@pytest.mark.parametrize("values", [np.zeros((7, 7)), np.full((7, 7), -1.0), np.zeros((1, 1))])
def test_no_positive_evidence(values):
    assert where(values) is None


@pytest.mark.parametrize("size", [1, 2, 3, 5, 14])
def test_maps_of_any_size(size):
    assert where(np.ones((size, size + 1))).share == 1


def test_what_speaks_against_counts_for_nothing():
    assert where(spot(0, 0) - 5 * spot(6, 6)) == where(spot(0, 0))
