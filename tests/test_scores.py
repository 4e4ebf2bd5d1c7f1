"""scores.py: probabilities, calibration error, intervals, familiarity, verdicts."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from herbdemo.checkpoint import Checkpoint
from herbdemo.scores import Head, directions, expected_calibration_error, softmax, wilson

# Probabilities


@pytest.mark.parametrize("scale", [0, 1, 100, 1e4, 1e30])
def test_softmax_is_torchs(scale):
    logits = (np.random.default_rng(0).normal(size=(9, 7)) * scale).astype(np.float32)
    expected = torch.softmax(torch.from_numpy(logits), dim=-1).numpy()
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-6)
    assert np.isfinite(softmax(logits)).all()


@pytest.fixture
def head() -> Head:
    """Three herbs in a space of four features."""
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(4, 3)))[0]
    return Head(
        weight=rng.normal(size=(3, 4)),
        bias=rng.normal(size=3),
        temperature=2.0,
        certain=0.8,
        unknown=0.2,
        basis=basis,
        bank=directions(rng.random((9, 4)), basis),
    )


def test_the_temperature_divides_the_logits(head):
    pooled = np.random.default_rng(1).random((5, 4))
    logits = torch.nn.functional.linear(*map(torch.from_numpy, (pooled, head.weight, head.bias)))
    np.testing.assert_allclose(head.logits(pooled), logits)
    np.testing.assert_allclose(head.probabilities(pooled), torch.softmax(logits / 2.0, dim=1))


def test_the_head_of_a_checkpoint(toy, toy_model):
    head = Head.of(toy_model)
    assert head.weight.shape == (7, 2048)
    assert (head.temperature, head.certain, head.unknown) == (0.8, 0.7, 0.1)
    np.testing.assert_allclose(head.bank, toy.statistics["bank"].float(), atol=1e-3)
    assert head.bank.dtype == head.basis.dtype == np.float32
    head.weight[:] = 0  # a copy: the network is as before
    assert toy_model.network.fc.weight.any()


def test_a_model_without_statistics_calls_nothing_unknown(toy):
    bare = Checkpoint(**{**vars(toy), "statistics": {}, "thresholds": {}})
    head = Head.of(bare)
    familiarity = head.familiarity(np.random.default_rng(0).random((4, 2048), np.float32))
    assert np.isfinite(familiarity).all()
    assert {head.verdict(p, f) for p, f in zip((0.1, 0.5, 0.89), familiarity, strict=False)} == {
        "unsure"
    }
    assert head.verdict(0.95, familiarity[0]) == "certain"


# Familiarity and verdict


def test_familiarity_is_the_cosine_to_the_nearest_training_photo(head):
    pooled = np.random.default_rng(2).random((200, 4)) * 100
    familiarity = head.familiarity(pooled)
    assert familiarity.shape == (200,)
    assert (familiarity <= 1 + 1e-9).all()
    slow = []
    for x in pooled:
        seen = [sum(math.sqrt(x[i]) * head.basis[i, d] for i in range(4)) for d in range(3)]
        slow.append(max(np.dot(seen, photo) for photo in head.bank) / math.hypot(*seen))
    np.testing.assert_allclose(familiarity, slow)


def test_what_it_learnt_from_is_most_familiar_and_brightness_changes_nothing(head):
    pooled = np.random.default_rng(3).random((5, 4))
    learnt = replace(head, bank=directions(pooled, head.basis))
    np.testing.assert_allclose(learnt.familiarity(pooled), 1)
    np.testing.assert_allclose(learnt.familiarity(pooled * 7), 1)
    np.testing.assert_allclose(head.familiarity(pooled), head.familiarity(pooled / 9))


@pytest.mark.parametrize(
    ("probability", "familiarity", "verdict"),
    [
        (0.99, 0.9, "certain"),
        (0.8, 0.2, "certain"),  # both limits count as reached
        (0.79, 0.9, "unsure"),
        (0.99, 0.19, "unknown"),
        (0.1, -1.0, "unknown"),
    ],
)
def test_verdict(head, probability, familiarity, verdict):
    assert head.verdict(probability, familiarity) == verdict


# Calibration error


@pytest.mark.parametrize(
    ("probability", "right", "expected"),
    [
        ([1.0, 1.0], [1, 1], 0.0),
        ([1.0, 1.0], [0, 0], 1.0),
        ([0.5, 0.5], [1, 0], 0.0),  # half sure, half right
        ([0.9, 0.9, 0.9, 0.9], [1, 1, 1, 0], 0.15),
        ([0.9, 0.9, 0.2, 0.2], [1, 1, 0, 0], 0.15),  # gaps of 0.1 and 0.2, half of the photos each
        ([0.05], [1], 0.95),
        ([0.0], [0], 0.0),
    ],
)
def test_calibration_error_by_hand(probability, right, expected):
    ece = expected_calibration_error(np.array(probability), np.array(right, dtype=bool))
    assert ece == pytest.approx(expected)


def slow_ece(probability: list[float], right: list[bool], bins: int) -> float:
    total = 0.0
    for b in range(bins):
        inside = [
            (p, r)
            for p, r in zip(probability, right, strict=True)
            if b / bins <= p < (b + 1) / bins or (b == bins - 1 and p == 1)
        ]
        if inside:
            confidence = math.fsum(p for p, _ in inside) / len(inside)
            accuracy = sum(r for _, r in inside) / len(inside)
            total += len(inside) / len(probability) * abs(confidence - accuracy)
    return total


@given(
    st.lists(
        # Away from the edges of bins, where rounding decides the bin.
        st.tuples(st.integers(0, 1000).map(lambda n: (n + 0.37) / 1001), st.booleans()),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([1, 10, 15]),
)
def test_calibration_error_agrees_with_a_slow_one(pairs, bins):
    probability, right = map(list, zip(*pairs, strict=True))
    fast = expected_calibration_error(np.array(probability), np.array(right), bins=bins)
    assert fast == pytest.approx(slow_ece(probability, right, bins))
    assert 0 <= fast <= 1


def test_a_calibrated_model_has_almost_none():
    rng = np.random.default_rng(0)
    probability = rng.random(100_000)
    assert expected_calibration_error(probability, rng.random(100_000) < probability) < 0.01


# Intervals


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [  # Wilson's formula with all digits of the normal quantile
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (50, 100, 0.4038315, 0.5961685),
        (1, 1, 0.2065493, 1.0),
    ],
)
def test_wilson_known_values(hits, total, low, high):
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_within_bounds(pair):
    hits, total = pair
    low, high = wilson(hits, total)
    assert 0 <= low <= hits / total + 1e-12
    assert hits / total - 1e-12 <= high <= 1
    # The limits are where the share lies 1.96 standard errors away: Wilson's own definition.
    for limit in (low, high):
        if 0 < limit < 1:
            error = math.sqrt(limit * (1 - limit) / total)
            assert abs(hits / total - limit) == pytest.approx(1.96 * error, abs=1e-6)


def test_wilson_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = rng.binomial(200, 0.97, size=2000)
    covered = np.mean([low <= 0.97 <= high for low, high in (wilson(int(k), 200) for k in hits)])
    assert 0.93 < covered < 0.98
