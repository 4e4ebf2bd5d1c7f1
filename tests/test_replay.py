"""Not forgetting: what is remembered of a herb is what its photos would have said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from toys import HERBS, TinyNet, herb_picture, refusal

from herbdemo.calibrate import feature_statistics
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.discriminant import Discriminant, moments
from herbdemo.evaluate import Features
from herbdemo.replay import Anchor, remember, sources

D = 12
HEAD = SimpleNamespace(fc=nn.Linear(D, 4), signed=False)  # all that remembering asks of a network


@pytest.fixture(scope="module")
def photos() -> Features:
    """Features of four herbs, 400 photos each; hardly any below zero."""
    rng = np.random.default_rng(0)
    means, mix = rng.uniform(4, 8, (4, D)), rng.normal(size=(D, D)) / 4
    labels = np.repeat(np.arange(4), 400)
    pooled = means[labels] + rng.normal(size=(1600, D)) @ mix
    return Features(pooled.astype(np.float32), labels)


@pytest.fixture(scope="module")
def model(photos: Features) -> Checkpoint:
    """The model of these four herbs, its network only a head."""
    kept = {"val": torch.from_numpy(photos.pooled[::10]).half(),
            "val_labels": torch.from_numpy(photos.labels[::10])}  # fmt: skip
    return Checkpoint("m", HEAD, HERBS[:4], Preprocessing(),
                      statistics={**feature_statistics(photos, 4), **kept})  # fmt: skip


def some(photos: Features, herbs: list[int]) -> Features:
    rows = np.isin(photos.labels, herbs)
    return Features(photos.pooled[rows], photos.labels[rows])


def test_drawn_features_have_the_mean_and_the_scatter_of_the_photos(model, photos):
    memory = remember(model, {HERBS[0], HERBS[2], "another"})
    assert memory.replayed.tolist() == [1, 3]
    drawn = memory.batch(20_000, np.random.default_rng(0))
    assert set(drawn.labels) == {1, 3}
    for herb in (1, 3):
        mine, theirs = (f.pooled[f.labels == herb] for f in (drawn, photos))
        assert mine.mean(0) == pytest.approx(theirs.mean(0), abs=0.05)
        assert np.cov(mine.T) == pytest.approx(np.cov(theirs.T), abs=0.15)
    assert memory.rehearsal(np.random.default_rng(0)).labels.tolist() == [1] * 100 + [3] * 100
    again = memory.batch(20_000, np.random.default_rng(0))
    assert np.array_equal(again.pooled, drawn.pooled)


def test_no_feature_is_negative_since_none_is_after_relu(model):
    far = replace(model, statistics={**model.statistics, "sum": model.statistics["sum"] * 0.1})
    assert remember(far, set()).batch(500, np.random.default_rng(0)).pooled.min() == 0


def test_remembered_sums_and_those_of_photos_make_the_same_head_as_all_photos(model, photos):
    memory, seen = (
        remember(model, {HERBS[0], HERBS[1]}),
        feature_statistics(some(photos, [0, 1]), 4),
    )
    sums = {key: memory.statistics[key] + seen[key] for key in ("count", "sum", "moment")}
    for a, b in zip(moments(sums)[:2], moments(model.statistics)[:2], strict=True):
        assert a == pytest.approx(b, rel=1e-5)
    weight, bias = Discriminant.of(*moments(sums)).head()
    whole_weight, whole_bias = Discriminant.of(*moments(model.statistics)).head()
    # Not equal: the covariance of half the photos stands in for that of the others.
    assert np.corrcoef(weight.ravel(), whole_weight.ravel())[0, 1] > 0.999
    heads = (weight, bias), (whole_weight, whole_bias)
    answers = [(photos.pooled @ w.T + b).argmax(1) for w, b in heads]
    assert (answers[0] == answers[1]).mean() > 0.995


def test_all_herbs_remembered_are_the_statistics_as_they_were(model):
    memory = remember(model, set())
    for key in ("count", "sum", "moment"):
        torch.testing.assert_close(memory.statistics[key], model.statistics[key], rtol=1e-5, atol=1)


def test_the_held_out_photos_of_remembered_herbs_are_handed_on(model, photos):
    held_out = remember(model, {HERBS[0]}).held_out
    assert set(held_out.labels) == {1, 2, 3}
    assert held_out.pooled == pytest.approx(some(photos, [1, 2, 3]).pooled[::10], rel=1e-2)


def test_herbs_without_held_out_photos_are_judged_on_drawn_features(model, photos):
    only = photos.labels == 1
    kept = {"val": torch.from_numpy(photos.pooled[only]),
            "val_labels": torch.from_numpy(photos.labels[only])}  # fmt: skip
    held_out = remember(
        replace(model, statistics={**model.statistics, **kept}), {HERBS[0]}
    ).held_out
    assert held_out.labels.tolist() == [1] * 400 + [2] * 5 + [3] * 5
    mean = photos.pooled[photos.labels == 3].mean(0)
    assert held_out.pooled[-5:].mean(0) == pytest.approx(mean, abs=1.5)


def test_photos_that_were_added_to_a_model_are_remembered_too(model, photos):
    herbs = (*HERBS[:2], HERBS[3], HERBS[2])  # the last one was added: it has no place in the sums
    base = feature_statistics(some(photos, [0, 1]), 2)
    rows = photos.labels > 1
    order = np.where(photos.labels[rows] == 3, HERBS[3], HERBS[2])
    extended = Checkpoint(
        "m", HEAD, herbs, Preprocessing(),
        statistics={**base, "added": torch.from_numpy(photos.pooled[rows])},
        card={"added": [[herb, str(n)] for n, herb in enumerate(order)]},
    )  # fmt: skip
    memory = remember(extended, {HERBS[0]})
    assert memory.statistics["count"].tolist() == [0, 400, 400, 400]
    for row, k in ((2, 3), (3, 2)):
        theirs = photos.pooled[photos.labels == k]
        assert memory.mean[row - 1] == pytest.approx(theirs.mean(0), abs=1e-3)
    assert memory.scatter == pytest.approx(remember(model, {HERBS[0]}).scatter, rel=1e-4)


def test_what_is_familiar_of_remembered_herbs_stays_familiar(model):
    bank = {"basis": torch.eye(D).half(), "bank": torch.arange(4.0 * D).reshape(4, D).half()}
    labelled = {**model.statistics, **bank, "bank_labels": torch.tensor([0, 1, 2, 1])}
    kept = remember(replace(model, statistics=labelled), {HERBS[0], HERBS[2]}).statistics
    assert kept["bank_labels"].tolist() == [1, 1]
    assert torch.equal(kept["bank"], bank["bank"][[1, 3]])
    older = remember(replace(model, statistics={**model.statistics, **bank}), {HERBS[0]}).statistics
    assert torch.equal(older["bank"], bank["bank"])
    assert older["bank_labels"].tolist() == [-1] * 4


def test_nothing_is_remembered_of_herbs_with_photos(model):
    assert remember(model, set(HERBS)) is None
    assert sources(model, [HERBS[1], "另一种"]) == {
        HERBS[0]: "replay", HERBS[1]: "photos", HERBS[2]: "replay", HERBS[3]: "replay"
    }  # fmt: skip
    assert sources(None, HERBS) == {}


def test_sums_that_belong_to_no_photos_are_refused(model):
    wrong = replace(model, statistics={**model.statistics, "moment": -model.statistics["moment"]})
    assert refusal(remember, wrong, {HERBS[0]}).hint == "statistics-damaged"


@pytest.mark.parametrize("kept", [(), ("count", "sum")])
def test_a_model_that_kept_too_little_is_refused_unless_all_photos_are_there(model, kept):
    poor = replace(model, statistics={key: model.statistics[key] for key in kept})
    assert refusal(remember, poor, {HERBS[0]}).hint == "no-statistics"
    assert remember(poor, set(HERBS)) is None


def test_an_anchor_holds_where_it_stands_and_pulls_back_what_moved(model):
    torch.manual_seed(0)
    network = TinyNet(4)
    anchor = Anchor(network, remember(model, set()))
    x = torch.stack([Preprocessing(size=32).tensor(herb_picture(h, 0)) for h in HERBS[:3]])
    with torch.no_grad():
        old = network.features(x).mean((2, 3))
        logits = torch.cat([network.fc(old), torch.full((3, 1), 2.0)], 1)  # and a new herb
    assert anchor(x, old, logits) == pytest.approx(torch.zeros(3), abs=1e-6)
    moved = (old + 0.1).requires_grad_(True)
    pull = anchor(x, moved, logits)
    assert pull.tolist() == pytest.approx([16 * 0.01 / anchor.scatter] * 3, rel=1e-3)
    pull.sum().backward()
    assert (moved.grad > 0).all()
    assert (anchor(x, old, logits.flip(1)) > 0.01).all()


def test_an_anchor_works_in_the_precision_of_the_network_that_it_holds(model):
    network, seen = TinyNet(4), []
    network.last.register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    anchor = Anchor(network, remember(model, set()), lambda: torch.autocast("cpu", torch.bfloat16))
    pull = anchor(torch.rand(3, 3, 32, 32), torch.rand(3, 16), torch.rand(3, 5))
    assert seen == [torch.bfloat16]
    assert pull.dtype == torch.float32
