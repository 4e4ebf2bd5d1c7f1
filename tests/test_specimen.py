"""specimen.py: several photos of one specimen, fused into one answer."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import toys
from toys import HERBS, herb_photo, knowing, picture, refusal

from herbdemo.photo import open_photo
from herbdemo.recognise import Recogniser
from herbdemo.scores import Head, softmax
from herbdemo.specimen import MOST, dealt, fuse, least_familiarity, look


@pytest.fixture(scope="module")
def recogniser(toy_model) -> Recogniser:
    return Recogniser(toy_model)


def photos(herb: str, count: int) -> list:
    return [herb_photo(herb, 700 + seed) for seed in range(count)]


def stranger(seed: int):
    return open_photo(toys.encoded(picture(toys.STRANGE, seed)))


def test_each_photo_is_answered_as_by_itself(recogniser):
    given = photos("枸杞子", 3)
    specimen = look(recogniser, given)
    alone = recogniser.recognise(given)
    assert [a.photo for a in specimen.answers] == given
    for together, single in zip(specimen.answers, alone, strict=True):
        assert [c.herb for c in together.candidates] == [c.herb for c in single.candidates]
    assert specimen.candidates[0].herb.zh == "枸杞子"
    with pytest.raises(FrozenInstanceError):
        specimen.verdict = "certain"


@pytest.mark.parametrize("count", [1, 2, MOST])
def test_one_photo_again_and_again_is_that_photo_once(recogniser, count):
    photo = herb_photo("当归", 1)
    single = recogniser.recognise([photo])[0]
    specimen = look(recogniser, [photo] * count)
    assert [c.herb for c in specimen.candidates] == [c.herb for c in single.candidates]
    odds = [[c.probability for c in a.candidates] for a in (specimen, single)]
    assert odds[0] == pytest.approx(odds[1], rel=1e-3)
    assert specimen.verdict == single.verdict


def test_it_is_the_geometric_mean_of_the_photos_and_what_mean_features_say(toy_model, recogniser):
    given = photos("菊花", 2) + photos("陈皮", 1)
    specimen = look(recogniser, given)
    pooled = np.stack([a.features.mean(axis=(1, 2)) for a in specimen.answers])
    head = Head.of(toy_model)
    product = np.exp(np.log(head.probabilities(pooled)).mean(axis=0))
    expected = np.sort(product / product.sum())[::-1][:5]
    found = [c.probability for c in specimen.candidates]
    assert found == pytest.approx(expected, rel=1e-3)
    of_the_mean = head.probabilities(pooled.mean(axis=0, keepdims=True))[0]
    assert found == pytest.approx(np.sort(of_the_mean)[::-1][:5], rel=1e-3)


def test_the_decisive_photo_is_the_one_without_which_least_is_left(recogniser):
    given = [*photos("甘草", 2), stranger(0)]
    specimen = look(recogniser, given)
    best = specimen.candidates[0]
    assert best.herb.zh == "甘草"
    for left_out, influence in enumerate(specimen.influence):
        rest = look(recogniser, [p for k, p in enumerate(given) if k != left_out])
        odds = {c.herb: c.probability for c in rest.candidates}
        assert influence == pytest.approx(best.probability - odds.get(best.herb, 0), abs=0.02)
    assert specimen.decisive == int(np.argmax(specimen.influence)) != 2


def test_a_single_photo_decides_alone(recogniser):
    specimen = look(recogniser, photos("党参", 1))
    assert specimen.decisive == 0
    assert specimen.influence == pytest.approx(
        (specimen.candidates[0].probability - 1 / len(HERBS),)
    )


def test_photos_of_different_herbs_are_never_certain(toy_model):
    careless = Recogniser(replace(toy_model, thresholds={"certain": 0.2, "unknown": -1}))
    mixed = look(careless, photos("枸杞子", 2) + photos("金银花", 1))
    assert mixed.disagree
    assert mixed.verdict == "unsure"
    alike = look(careless, photos("枸杞子", 3))
    assert not alike.disagree
    assert alike.verdict == "certain"


@pytest.mark.parametrize(("above", "unknown"), [(1e-4, True), (-1e-4, False)])
def test_what_is_unknown_goes_by_the_mean_familiarity(toy_model, recogniser, above, unknown):
    given = [*photos("枸杞子", 2), stranger(0)]
    pooled = np.stack([a.features.mean(axis=(1, 2)) for a in recogniser.recognise(given)])
    mean = float(Head.of(toy_model).familiarity(pooled).mean())
    limits = {"certain": 0.1, "unknown": mean + above}
    specimen = look(Recogniser(replace(toy_model, thresholds=limits)), given)
    assert (specimen.verdict == "unknown") is unknown


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_none_and_too_many_are_refused(recogniser, count):
    error = refusal(look, recogniser, photos("党参", 1) * count)
    assert error.hint == "specimen-photos"
    assert str(MOST) in error.zh


def test_groups_are_held_to_more_than_single_photos(toy_model, tmp_path):
    model = knowing(toy_model, tmp_path, photos=6)
    model = replace(model, thresholds={"certain": 0.7, "unknown": 0.2})
    head = Head.of(model)
    assert least_familiarity(model, head, 1) == 0.2
    assert least_familiarity(model, head, 2) > 0.2
    assert least_familiarity(model, head, 5) == 0.2  # there are four held-out photos of each herb
    assert least_familiarity(toy_model, Head.of(toy_model), 3) == 0.1  # and here none at all


def test_every_photo_is_dealt_once_a_round_and_only_among_its_own():
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    groups = dealt(labels, 2, rounds=3)
    assert groups.shape == (3 * (2 + 1), 2)
    assert (labels[groups[:, 0]] == labels[groups[:, 1]]).all()
    assert len(set(groups[:3].ravel())) == 6
    assert dealt(labels, 6, rounds=3).shape == (0, 6)


def test_fusing_many_groups_at_once_is_fusing_each():
    logits = np.random.default_rng(0).normal(size=(4, 3, 7))
    assert np.allclose(fuse(logits, 0.5)[2], softmax(logits[2].mean(axis=0) / 0.5))
