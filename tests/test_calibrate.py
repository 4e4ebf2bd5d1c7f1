"""calibrate.py: temperature, thresholds and sums, each against what it promises."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import toys
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import HERBS

from herbdemo.calibrate import (
    CERTAIN_ACCURACY,
    KEPT_PER_HERB,
    KNOWN_KEPT,
    calibrated,
    certain_threshold,
    familiar_directions,
    feature_statistics,
    finish,
    fit_temperature,
)
from herbdemo.checkpoint import Preprocessing, load_checkpoint, save_checkpoint
from herbdemo.dataset import Sample
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import Features, extract
from herbdemo.scores import Head, expected_calibration_error, softmax

# Temperature


def drawn(rng: np.random.Generator, logits: np.ndarray) -> np.ndarray:
    """A label per row, drawn with the probabilities of its logits."""
    odds = softmax(logits)
    return (odds.cumsum(axis=1) < rng.random((len(logits), 1))).sum(axis=1)


@pytest.mark.parametrize("true", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_found_again(true):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 8)) * 3
    labels = drawn(rng, logits / true)
    found = fit_temperature(logits.astype(np.float32), labels)
    assert found == pytest.approx(true, rel=0.04)
    odds = softmax(logits / found)
    assert expected_calibration_error(odds.max(axis=1), odds.argmax(axis=1) == labels) < 0.012


def test_no_other_temperature_is_likelier():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(300, 5)) * 4
    labels = drawn(rng, logits / 2)

    def surprise(temperature: float) -> float:
        return float(-np.log(softmax(logits / temperature)[np.arange(300), labels]).mean())

    found = fit_temperature(logits, labels)
    assert all(
        surprise(found) <= surprise(found * f) + 1e-9 for f in (0.5, 0.9, 0.99, 1.01, 1.1, 2)
    )


@given(st.integers(0, 10**6), st.floats(0.1, 30), st.integers(2, 9))
@settings(max_examples=15)
def test_a_temperature_never_changes_the_order(seed, scale, herbs):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(30, herbs)) * scale
    temperature = fit_temperature(logits, rng.integers(0, herbs, size=30))
    assert temperature > 0
    odds = softmax(logits / temperature)
    np.testing.assert_array_equal(odds.max(axis=1), odds[np.arange(30), logits.argmax(axis=1)])


def test_a_head_that_is_worse_than_chance_makes_a_model_that_loads(toy, tmp_path):
    logits = np.eye(5) * 1e5
    temperature = fit_temperature(logits, np.roll(np.arange(5), 1))
    saved = save_checkpoint(replace(toy, temperature=temperature), tmp_path / "bad")
    assert load_checkpoint(tmp_path / "bad").temperature == saved.temperature


@pytest.mark.parametrize("case", ["all right", "all wrong", "no difference", "one photo"])
def test_a_temperature_is_a_number_in_any_case(case):
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(1 if case == "one photo" else 50, 4)).astype(np.float32) * 5
    labels = logits.argmax(axis=1)
    if case == "all wrong":
        labels = logits.argmin(axis=1)
    if case == "no difference":
        logits[:] = 1
    temperature = fit_temperature(logits, labels)
    assert 0 < temperature < np.inf
    assert np.isfinite(softmax(logits / temperature)).all()


# The threshold of "certain"


@given(
    st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.7, 0.9, 0.99, 1.0]), st.booleans()), min_size=1)
    | st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1)
)
def test_certain_answers_are_right_as_often_as_promised(pairs):
    probability = np.array([p for p, _ in pairs])
    right = np.array([r for _, r in pairs])
    threshold = certain_threshold(probability, right)
    certain = probability >= threshold
    assert not certain.any() or right[certain].mean() >= CERTAIN_ACCURACY
    for lower in probability[probability < threshold]:  # and no lower threshold would do
        assert right[probability >= lower].mean() < CERTAIN_ACCURACY


def test_certain_thresholds_by_hand():
    ramp = np.linspace(0.01, 1, 100)
    everything = np.ones(100, bool)
    assert certain_threshold(ramp, everything) == ramp[0]
    assert certain_threshold(ramp, ramp > 0.5) == pytest.approx(0.51)
    assert certain_threshold(ramp, ~everything) > 1
    # A single mistake at full confidence among few photos: no answer can be called certain.
    assert certain_threshold(np.ones(4), np.array([True, True, True, False])) > 1


# Sums


def features(n: int, seed: int, *, size: int = 6, herbs: int = 4) -> Features:
    rng = np.random.default_rng(seed)
    return Features(rng.random((n, size), np.float32), rng.integers(0, herbs, n))


def test_statistics_are_the_sums_they_claim_to_be():
    data = features(50, 0)
    found = feature_statistics(data, 4)
    x = data.pooled.astype(np.float64)
    for k in range(4):
        mine = x[data.labels == k]
        assert found["count"][k] == len(mine)
        np.testing.assert_allclose(found["sum"][k], mine.sum(axis=0), rtol=1e-6)
    moment = np.zeros((6, 6))
    moment[np.triu_indices(6)] = found["moment"]
    np.testing.assert_allclose(moment, np.triu(sum(np.outer(v, v) for v in x)), rtol=1e-6)
    assert {t.dtype for t in found.values()} == {torch.float32}


def test_familiar_directions_keep_what_they_are_made_of():
    """A basis of all directions loses nothing; of many photos of one herb, so many are kept."""
    data = features(500, 8, size=6, herbs=2)
    found = familiar_directions(data)
    basis, bank = (found[name].float().numpy() for name in ("basis", "bank"))
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=2e-3)
    assert bank.shape == (2 * KEPT_PER_HERB, 6)
    np.testing.assert_allclose(np.linalg.norm(bank, axis=1), 1, atol=2e-3)
    roots = np.sqrt(data.pooled[data.labels == 1][:KEPT_PER_HERB])
    roots /= np.linalg.norm(roots, axis=1, keepdims=True)
    np.testing.assert_allclose(bank[KEPT_PER_HERB:] @ bank[KEPT_PER_HERB:].T, roots @ roots.T,
                               atol=4e-3)  # fmt: skip


def test_statistics_of_two_sets_add_up_to_those_of_both():
    a, b = features(40, 1), features(25, 2)
    both = Features(np.concatenate([a.pooled, b.pooled]), np.concatenate([a.labels, b.labels]))
    whole = feature_statistics(both, 4)
    for name, value in feature_statistics(a, 4).items():
        torch.testing.assert_close(value + feature_statistics(b, 4)[name], whole[name])


def test_a_herb_without_photos_counts_zero():
    found = feature_statistics(features(10, 3, herbs=2), 4)
    assert found["count"].tolist()[2:] == [0, 0]
    assert not found["sum"][2:].any()


# All together


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> dict[str, list[Sample]]:
    folder = tmp_path_factory.mktemp("calibrate")
    sides = {}
    for side, seeds in (("train", range(100, 102)), ("val", range(200, 204))):
        for herb in HERBS:
            toys.fill(folder / side, herb, seeds)
        files = sorted((folder / side).rglob("*.png"))
        sides[side] = [Sample(file, file.parent.name) for file in files]
    return sides


@pytest.fixture(scope="module")
def val(toy_model, samples) -> Features:
    engine = TorchEngine(toy_model.network)
    return extract(engine, samples["val"], HERBS, toy_model.preprocessing)


def test_calibrated_fits_temperature_and_thresholds_and_measures(toy_model, val):
    found = calibrated(toy_model, val)
    logits = Head.of(toy_model).logits(val.pooled)
    assert found.temperature == fit_temperature(logits, val.labels)
    assert found.network is toy_model.network

    head = Head.of(found)
    odds, familiarity = head.probabilities(val.pooled), head.familiarity(val.pooled)
    right = odds.argmax(axis=1) == val.labels
    kept = np.mean([head.verdict(1.0, f) != "unknown" for f in familiarity])
    assert kept >= KNOWN_KEPT
    certain = odds.max(axis=1) >= found.thresholds["certain"]
    assert not certain.any() or right[certain].mean() >= CERTAIN_ACCURACY

    metrics = found.card["metrics"]["val"]
    assert metrics["photos"] == len(val.labels)
    assert metrics["top1"] == pytest.approx(right.mean())
    assert metrics["top1_interval"][0] < metrics["top1"] <= metrics["top1_interval"][1]
    assert metrics["ece"] == expected_calibration_error(odds.max(axis=1), right)
    assert found.card["note"] == "a toy"


def test_finish_makes_a_model_that_is_measured_as_it_is_loaded(toy, samples, tmp_path):
    done, total = [], 0

    def progress(now: int, of: int) -> None:
        nonlocal total
        done.append(now)
        total = of

    finished = finish(
        toy.network.state_dict(),
        name="finished",
        herbs=HERBS,
        preprocessing=Preprocessing(size=toys.SIZE),
        train=samples["train"],
        val=samples["val"],
        card={"parent": "nobody"},
        progress=progress,
    )
    assert finished.herbs == HERBS
    assert finished.card["parent"] == "nobody"
    assert finished.card["data"] == {"train": 14, "val": 28}
    assert finished.statistics["count"].tolist() == [2] * 7
    assert finished.statistics["sum"].shape == (7, 2048)
    assert finished.statistics["moment"].shape == (2048 * 2049 // 2,)
    assert finished.statistics["bank"].shape == (14, 128)
    assert not torch.equal(finished.network.fc.weight, toy.network.fc.weight)  # blended
    int8 = finished.card["int8"]
    assert int8["photos"] == 14
    assert len(int8["limits"]) == 50
    assert int8["val"]["photos"] == 28
    assert int8["val"]["maps"] > 0.9
    assert done == sorted(done)
    assert done[-1] == total

    save_checkpoint(finished, tmp_path / "finished")
    loaded = load_checkpoint(tmp_path / "finished")
    before, after = finished.network.state_dict(), loaded.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert loaded.temperature == finished.temperature
    assert loaded.thresholds == finished.thresholds
    assert loaded.card["metrics"]["val"]["top1"] == finished.card["metrics"]["val"]["top1"]


def test_a_temperature_of_few_right_photos_is_not_zero():
    temperature = fit_temperature(np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], np.array([0, 1, 2, 0]))
    assert 0.2 < temperature < 1.0  # softmax gives each about five sixths, as four of six would
