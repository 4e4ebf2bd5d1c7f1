"""Sanity of the maps on the real model: they follow the head, and the herb they are made for."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.sanity import features, pairs, pointing, randomised, share_on_the_left, side_by_side
from herbdemo.dataset import scan
from herbdemo.heatmap import class_maps, normalised
from herbdemo.photo import open_photo


def test_a_randomised_head_gives_other_maps(recogniser):
    """Adebayo et al. 2018: a map that survives this shows the photo, not the model's reasons."""
    folder = Path(__file__).parent.parent / "examples"
    photos = [open_photo(path) for path in sorted(folder.glob("*.jpg"))[:4]]
    answers = recogniser.recognise(photos)
    A = np.stack([answer.features for answer in answers])
    herbs = recogniser.checkpoint.herbs
    best = np.array([herbs.index(answer.candidates[0].herb.zh) for answer in answers])
    assert len(A) >= 3
    correlation = randomised(A, recogniser.head, best)
    assert correlation.mean() < 0.6
    before = normalised(class_maps(A[0], recogniser.head.weight[best[:1]]))
    again = normalised(class_maps(A[0], recogniser.head.weight[best[:1]]))
    np.testing.assert_array_equal(before, again)  # it is the head that makes the difference


def test_the_map_of_a_herb_points_to_its_own_half(recogniser, data):
    """The pointing game on photos of two herbs; `python -m benchmarks.sanity` plays it in full."""
    samples = scan(data / "herbs" / "test")
    herbs = recogniser.checkpoint.herbs
    labels = np.array([herbs.index(sample.herb) for sample in samples])
    chosen = pairs(labels, 40)
    prepare = recogniser.checkpoint.preprocessing.tensor
    photos = [
        prepare(side_by_side(*(open_photo(samples[n].path).image for n in pair))) for pair in chosen
    ]
    A = features(recogniser.engine, photos)
    hits = pointing(A, recogniser.head, labels[np.array(chosen)])
    assert hits["grad-cam"].mean() >= 0.9
    assert (hits["mass"] > 0.5).mean() >= 0.9


def test_the_game_is_fair():
    left = np.zeros((7, 7), np.float32)
    left[3, 1] = 1
    assert share_on_the_left(left) == (True, pytest.approx(1, abs=0.02))
    found, mass = share_on_the_left(left[:, ::-1])
    assert not found
    assert mass == pytest.approx(0, abs=0.02)
    labels = np.repeat(np.arange(5), 8)
    chosen = np.array(pairs(labels, 15))
    assert (labels[chosen[:, 0]] != labels[chosen[:, 1]]).all()
    assert len(np.unique(chosen)) == 30  # no photo is seen twice
