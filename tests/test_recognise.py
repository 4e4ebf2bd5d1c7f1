"""recognise.py: from photos to answers, equal to torch's own, from any number of threads."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
import toys
from toys import HERBS, herb_photo, model_copy, picture, refusal, same

from herbdemo import recognise as module
from herbdemo.checkpoint import Checkpoint
from herbdemo.photo import open_photo
from herbdemo.recognise import Answer, Recogniser, current
from herbdemo.registry import Registry


@pytest.fixture(scope="module")
def recogniser(toy_model) -> Recogniser:
    return Recogniser(toy_model)


@pytest.fixture(scope="module")
def photos() -> list:
    """Fifty different photos: of herbs, and every tenth of something else."""
    strange = [open_photo(toys.encoded(picture(toys.STRANGE, seed))) for seed in range(5)]
    herbs = [herb_photo(HERBS[k % len(HERBS)], 300 + k) for k in range(45)]
    return [strange[k // 10] if k % 10 == 9 else herbs.pop() for k in range(50)]


@pytest.fixture(scope="module")
def answers(recogniser, photos) -> list[Answer]:
    """Those of one thread, sixteen photos at a time."""
    return recogniser.recognise(photos)


def names(answer: Answer) -> list[str]:
    return [candidate.herb.zh for candidate in answer.candidates]


# Answers


def test_five_candidates_the_most_probable_first(answers, photos):
    assert [answer.photo for answer in answers] == photos
    for answer in answers:
        assert len(set(names(answer))) == 5
        odds = [candidate.probability for candidate in answer.candidates]
        assert odds == sorted(odds, reverse=True)
        assert 0 < sum(odds) <= 1 + 1e-6
        assert all(type(p) is float for p in odds)


@torch.inference_mode()
def test_probabilities_are_torchs_softmax(toy_model, answers, photos):
    x = torch.stack([toy_model.preprocessing.tensor(photo.image) for photo in photos[:8]])
    odds = (toy_model.network(x) / toy_model.temperature).softmax(dim=1)
    for answer, row in zip(answers[:8], odds, strict=True):
        order = row.argsort(descending=True)[:5]
        assert names(answer) == [HERBS[k] for k in order]
        found = [candidate.probability for candidate in answer.candidates]
        np.testing.assert_allclose(found, row[order], atol=1e-5)


def test_the_toy_knows_most_of_its_herbs(answers):
    """The rest of these tests would mean little if answers were random."""
    expected = [HERBS[k % len(HERBS)] for k in reversed(range(45))]
    herbs = [answer for k, answer in enumerate(answers) if k % 10 != 9]
    hits = [names(a)[0] == herb for a, herb in zip(herbs, expected, strict=True)]
    assert np.mean(hits) > 0.7


def test_the_verdict_follows_the_thresholds(toy_model, photos):
    basis, bank = (toy_model.statistics[name].float().numpy() for name in ("basis", "bank"))

    def nearest(features: np.ndarray) -> float:
        x = np.sqrt(features.mean(axis=(1, 2))) @ basis
        return max(float(b @ x / np.linalg.norm(b) / np.linalg.norm(x)) for b in bank)

    # To a random network all photos look familiar: a limit in their midst.
    plain = Recogniser(toy_model).recognise(photos)
    limits = {"certain": 0.7, "unknown": float(np.median([nearest(a.features) for a in plain]))}
    answers = Recogniser(replace(toy_model, thresholds=limits)).recognise(photos)
    assert {answer.verdict for answer in answers} == {"certain", "unsure", "unknown"}
    for answer in answers:
        familiar = nearest(answer.features)
        if familiar == pytest.approx(limits["unknown"], abs=1e-6):
            continue  # the very photo that the limit was taken from
        if familiar < limits["unknown"]:
            assert answer.verdict == "unknown"
        elif answer.candidates[0].probability >= limits["certain"]:
            assert answer.verdict == "certain"
        else:
            assert answer.verdict == "unsure"


def test_a_photo_alone_is_answered_as_in_a_batch(recogniser, answers, photos):
    for k in (0, 9, 17, 49):
        alone = recogniser.recognise([photos[k]])[0]
        assert names(alone) == names(answers[k])
        assert alone.verdict == answers[k].verdict
        np.testing.assert_allclose(alone.features, answers[k].features, rtol=1e-4, atol=1e-3)
        for a, b in zip(alone.candidates, answers[k].candidates, strict=True):
            assert a.probability == pytest.approx(b.probability, abs=1e-5)


def test_no_photos_no_answers(recogniser):
    assert recogniser.recognise([]) == []


def test_a_model_of_few_herbs_gives_fewer_candidates(toy):
    from herbdemo.architectures import network_from_state

    state = toy.network.state_dict()
    state |= {name: state[name][:2] for name in ("fc.weight", "fc.bias")}
    two = Checkpoint(
        **{
            **vars(toy),
            "network": network_from_state(state),
            "herbs": HERBS[:2],
            "statistics": {},
        }
    )
    answer = Recogniser(two).recognise([herb_photo(HERBS[1], 1)])[0]
    assert sorted(names(answer)) == sorted(HERBS[:2])
    assert sum(c.probability for c in answer.candidates) == pytest.approx(1)


def test_herbs_carry_their_names(recogniser, answers):
    assert [herb.zh for herb in recogniser.herbs] == list(HERBS)
    assert recogniser.herbs[0].pinyin == "jīn yín huā"
    assert recogniser.herbs[0].latin == "Lonicerae Japonicae Flos"
    assert recogniser.device == answers[0].device
    assert recogniser.device.endswith("torch")


def test_an_answer_is_for_reading_only(answers):
    with pytest.raises(FrozenInstanceError):
        answers[0].verdict = "certain"


def test_to_dict_has_exactly_the_promised_fields(answers, toy_model):
    answer = answers[0]
    found = answer.to_dict("herb.jpg")
    assert set(found) == {"file", "verdict", "candidates", "model", "sha256", "ms", "stages"}
    assert found["file"] == "herb.jpg"
    assert found["verdict"] == answer.verdict
    assert found["model"] == "toy"
    assert found["sha256"] == toy_model.sha256
    assert len(found["candidates"]) == 5
    for row, candidate in zip(found["candidates"], answer.candidates, strict=True):
        herb = candidate.herb
        assert row == {
            "herb": herb.zh,
            "zh": herb.zh,
            "zh_hant": herb.name("zh-Hant"),
            "pinyin": herb.pinyin,
            "latin": herb.latin,
            "en": herb.en,
            "probability": pytest.approx(candidate.probability, abs=1e-6),
        }
    assert found["ms"] > 0
    assert found["ms"] == pytest.approx(sum(found["stages"].values()), abs=0.01)
    assert all(ms >= 0 for ms in found["stages"].values())


# Heatmaps


def test_heatmaps_are_relu_of_weighted_features_from_0_to_1(recogniser, answers, toy_model):
    W = toy_model.network.fc.weight.numpy()
    empty = 0
    for answer in answers[:10]:
        for herb in HERBS:  # of every herb, not only of the five
            raw = np.einsum("c,chw->hw", W[HERBS.index(herb)], answer.features)
            expected = np.maximum(raw, 0)
            expected -= expected.min()
            found = answer.heatmap(herb)
            assert found.dtype == np.float32
            assert found.shape == (toys.SIZE // 32, toys.SIZE // 32)
            if expected.max() > 0:
                np.testing.assert_allclose(found, expected / expected.max(), atol=1e-4)
            else:
                assert not found.any()
                empty += 1
    assert empty, "no map without evidence was seen"


def test_heatmaps_are_those_of_backpropagation(answers, toy_model):
    answer = answers[0]
    A = torch.tensor(answer.features[None], requires_grad=True)
    for candidate in answer.candidates:
        k = HERBS.index(candidate.herb.zh)
        score = toy_model.network.fc(A.mean(dim=(2, 3)))[0, k]
        (gradient,) = torch.autograd.grad(score, A)
        cam = (gradient.mean(dim=(2, 3), keepdim=True) * A).sum(dim=1)[0].relu().detach().numpy()
        cam = (cam - cam.min()) / (np.ptp(cam) or 1)
        np.testing.assert_allclose(answer.heatmap(candidate.herb.zh), cam, atol=1e-4)


def test_the_contrast_is_the_difference_of_the_evidence(answers, toy_model):
    W, answer = toy_model.network.fc.weight.numpy(), answers[0]
    a, b = names(answer)[:2]
    raw = np.einsum("c,chw->hw", W[HERBS.index(a)] - W[HERBS.index(b)], answer.features)
    np.testing.assert_allclose(answer.contrast(a, b), raw / np.abs(raw).max(), atol=1e-5)
    np.testing.assert_allclose(answer.contrast(b, a), -answer.contrast(a, b), atol=1e-6)


@pytest.mark.parametrize("name", ["人参", "", "dangshen", "x" * 500])
def test_a_herb_that_the_model_does_not_know(answers, name):
    for call in (
        lambda: answers[0].heatmap(name),
        lambda: answers[0].contrast(HERBS[0], name),
        lambda: answers[0].contrast(name, HERBS[0]),
    ):
        error = refusal(call)
        assert error.hint == "herb-not-in-model"
        assert len(error.en) < 150


# Threads, and what is left behind


def test_two_threads_give_what_one_gives(recogniser, photos, answers):
    barrier = threading.Barrier(2)

    def work(_number: int) -> list[Answer]:
        barrier.wait()
        return [a for k in range(0, 50, 16) for a in recogniser.recognise(photos[k : k + 16])]

    with ThreadPoolExecutor(2) as pool:
        series = list(pool.map(work, range(2)))
    for found in series:
        for one, other in zip(answers, found, strict=True):
            assert one.candidates == other.candidates
            assert one.verdict == other.verdict
            assert same(one.features, other.features)
            for herb in names(one):
                assert same(one.heatmap(herb), other.heatmap(herb))
            assert same(one.contrast(*names(one)[:2]), other.contrast(*names(one)[:2]))


def test_nothing_is_left_behind_in_the_network(toy_model):
    network = toy_model.network
    flags = [parameter.requires_grad for parameter in network.parameters()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recogniser = Recogniser(toy_model)
    recogniser.warm_up()
    answer = recogniser.recognise([herb_photo("菊花", 1)])[0]
    answer.heatmap("菊花")
    answer.contrast("菊花", "党参")
    for part in network.modules():
        assert not part.training
        for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks"):
            assert not getattr(part, hooks)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [parameter.requires_grad for parameter in network.parameters()] == flags
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert torch.is_grad_enabled()
    assert isinstance(answer.features, np.ndarray)


# The active model


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the models that `current` loads, in a process that has loaded none."""
    loaded, load = [], Registry.load

    def counted(self: Registry, model_id: str | None = None) -> Checkpoint:
        loaded.append(model_id or self.active_id())
        return load(self, model_id)

    monkeypatch.setattr(Registry, "load", counted)
    monkeypatch.setattr(module, "_current", None)
    return loaded


def test_current_loads_once_for_eight_threads_and_follows_an_activation(toy_folder, home, loads):
    for name in "ab":
        model_copy(toy_folder, home / "models" / name)
    Registry().activate("a")

    def together() -> set[Recogniser]:
        barrier = threading.Barrier(8)

        def work(_number: int) -> Recogniser:
            barrier.wait()
            return current()

        with ThreadPoolExecutor(8) as pool:
            return set(pool.map(work, range(8)))

    (first,) = together()
    assert first.checkpoint.id == "a"
    assert loads == ["a"]
    Registry().activate("b")
    (second,) = together()
    assert second.checkpoint.id == "b"
    assert loads == ["a", "b"]
    assert second.recognise([herb_photo("党参", 1)])[0].model == "b"
    Registry().rollback()
    assert current().checkpoint.id in {model.id for model in Registry().list() if model.active}


def test_current_notices_another_model_of_the_same_name(toy_folder, home, loads):
    folder = model_copy(toy_folder, home / "models" / "mine")
    Registry().activate("mine")
    assert current() is current()
    shutil.rmtree(folder)  # deleted by another process, and trained anew under the same name
    model_copy(toy_folder, folder, temperature=2.0)
    assert current().checkpoint.temperature == 2.0
    assert loads == ["mine", "mine"]


def test_a_renamed_model_is_loaded_once_too(toy_folder, home, loads):
    model_copy(toy_folder, home / "models" / "renamed", id="before")
    Registry().activate("renamed")
    assert current() is current()
    assert current().checkpoint.id == "renamed"


def test_a_damaged_active_model_gets_its_sentence_and_a_mended_one_serves(toy_folder, home, loads):
    folder = model_copy(toy_folder, home / "models" / "mine")
    Registry().activate("mine")
    (folder / "card.json").rename(home / "aside")
    assert refusal(current).hint == "card-missing"
    (home / "aside").rename(folder / "card.json")
    assert current().checkpoint.id == "mine"
