"""The discriminant: like scikit-learn's, fair to few photos, and blended on one scale."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from herbdemo.calibrate import feature_statistics
from herbdemo.discriminant import Discriminant, blended, loudness, moments
from herbdemo.evaluate import Features


def clouds(counts: list[int], *, size: int = 12, apart: float = 2.0, draw: int = 0) -> Features:
    """Gaussian features around random means, `counts` photos of each herb, one covariance.

    Another `draw` gives other photos of the same herbs.
    """
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(size, size)) / 3 + np.eye(size)
    means = rng.normal(size=(len(counts), size)) * apart
    rng = np.random.default_rng(100 + draw)
    labels = np.repeat(np.arange(len(counts)), counts)
    pooled = means[labels] + rng.normal(size=(len(labels), size)) @ mix
    return Features(pooled.astype(np.float32), labels)


def test_the_sums_come_back_as_they_were():
    features = clouds([5, 9])
    count, total, moment = moments(feature_statistics(features, 2))
    assert count.tolist() == [5, 9]
    assert total[1] == pytest.approx(features.pooled[5:].sum(axis=0), rel=1e-5)
    assert moment == pytest.approx(features.pooled.T @ features.pooled, rel=1e-4, abs=1e-3)


def test_it_agrees_with_scikit_learn():
    features = clouds([4000, 4000, 4000])  # so many that the correction for few does not show
    weight, bias = Discriminant.of(*moments(feature_statistics(features, 3)), shrink=0.0).head()
    oracle = LinearDiscriminantAnalysis(solver="lsqr", priors=[1 / 3] * 3)
    oracle.fit(features.pooled, features.labels)
    ours = features.pooled @ weight.T + bias
    theirs = features.pooled @ oracle.coef_.T + oracle.intercept_
    ours, theirs = (z - z.mean(axis=1, keepdims=True) for z in (ours, theirs))
    assert ours == pytest.approx(theirs, rel=1e-3, abs=0.01)  # it divides by N, not N - herbs


def test_a_herb_of_few_photos_is_not_overlooked():
    """Without the correction it wins 39 % of its photos: its mean looks far from everything."""
    train = clouds([300, 300, 4], size=100, apart=0.5)
    test = clouds([100, 100, 100], size=100, apart=0.5, draw=1)
    weight, bias = Discriminant.of(*moments(feature_statistics(train, 3)), shrink=0.1).head()
    answer = (test.pooled @ weight.T + bias).argmax(axis=1)
    found = [(answer == k)[test.labels == k].mean() for k in range(3)]
    assert min(found) > 0.9


def test_a_blend_lies_between_its_heads_and_keeps_the_trained_scale():
    features = clouds([50, 60, 70])
    statistics = feature_statistics(features, 3)
    weight, bias = Discriminant.of(*moments(statistics)).head()
    # A trained head that happens to be the discriminant, ten times as loud.
    same = blended(weight * 10, bias * 10, statistics)
    assert same[0] == pytest.approx(10 * (weight - weight.mean(axis=0)), rel=1e-3, abs=1e-3)
    other = np.random.default_rng(1).normal(size=weight.shape)
    alone = blended(other, bias, statistics, share=0.0)[0]
    assert alone == pytest.approx(other - other.mean(axis=0), abs=1e-5)


def test_a_head_that_says_nothing_is_not_made_louder():
    head, nothing = (np.ones((2, 3)), np.ones(2)), (np.zeros((2, 3)), np.zeros(2))
    assert loudness(head, nothing, np.ones(2), np.ones((2, 3)), np.eye(3)) == 0
