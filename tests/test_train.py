"""Training: the loop learns, resumes after a kill with the same numbers, and refuses nonsense."""

import copy
import json
import random
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toys
from PIL import Image
from toys import HERBS, SIZE, STRANGE, TinyNet, encoded, fill, herb_photo, picture, refusal

from herbdemo.checkpoint import Checkpoint, Preprocessing, load_checkpoint, save_checkpoint
from herbdemo.dataset import train_and_val
from herbdemo.decoded import Decoded, reduced
from herbdemo.engine import TorchEngine
from herbdemo.errors import HerbError
from herbdemo.evaluate import extract
from herbdemo.events import Event
from herbdemo.network import HerbNet, ResNet50
from herbdemo.photo import open_photo
from herbdemo.recipe import Recipe
from herbdemo.recognise import Recogniser
from herbdemo.start import Start
from herbdemo.train import epochs_in_vain, fit, herbs_of, train, work_after

TINY = Preprocessing(size=32)
RECIPE = Recipe(epochs=2, batch=8, sizes=((0.0, 32),))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two herbs that differ in colour, twelve noisy photos each."""
    folder = tmp_path_factory.mktemp("photos")
    rng = random.Random(0)
    for herb, colour in (("金银花", (220, 210, 60)), ("枸杞子", (200, 30, 30))):
        (folder / herb).mkdir()
        for n in range(12):
            image = Image.effect_noise((48, 48), rng.uniform(20, 80)).convert("RGB")
            tint = Image.new("RGB", (48, 48), tuple(c + rng.randint(-25, 25) for c in colour))
            Image.blend(image, tint, 0.6).save(folder / herb / f"{n}.png")
    return folder


def start() -> HerbNet:
    torch.manual_seed(0)
    return ResNet50(2).eval()


def run(photos: Path, folder: Path, recipe: Recipe = RECIPE, **options):
    events: list[Event] = []
    checkpoint = train(
        photos,
        name="toy",
        run=folder,
        start=Start(start(), TINY),
        recipe=recipe,
        say=events.append,
        **options,
    )
    return checkpoint, events


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory):
    """A training that nothing interrupted: the checkpoint, and what it said."""
    return run(photos, tmp_path_factory.mktemp("whole"))


def losses(events: list[Event]) -> list[float]:
    return [event.values["train_loss"] for event in events if event.kind == "epoch"]


class KilledError(Exception):
    pass


def test_a_killed_training_goes_on_and_ends_with_the_same_numbers(whole, photos, tmp_path):
    uncut, events = whole

    def die_after_one_epoch(event: Event) -> None:
        if event.kind == "step" or (event.kind == "epoch" and event.values["epoch"] == 2):
            raise KilledError

    with pytest.raises(KilledError):
        train(photos, name="toy", run=tmp_path / "cut", start=Start(start(), TINY),
              recipe=RECIPE, say=die_after_one_epoch)  # fmt: skip
    resumed, later = run(photos, tmp_path / "cut", resume=True)

    assert losses(later) == losses(events)[1:]
    for name, value in uncut.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    assert resumed.temperature == uncut.temperature
    assert resumed.thresholds == uncut.thresholds
    history = [h["val_loss"] for h in uncut.card["training"]["history"]]
    assert [h["val_loss"] for h in resumed.card["training"]["history"]] == history


def test_a_trained_model_is_complete_and_survives_the_disk(whole, tmp_path):
    checkpoint, events = whole
    assert checkpoint.herbs == ("枸杞子", "金银花")
    assert checkpoint.temperature > 0
    assert set(checkpoint.thresholds) == {"certain", "unknown"}
    assert checkpoint.statistics["count"].sum() == checkpoint.card["data"]["train"]
    kinds = ["start", "features", "head", "epoch", "features", "finish"]
    assert [kind for kind, _ in groupby(event.kind for event in events)] == kinds
    assert all(json.loads(event.line())["kind"] == event.kind for event in events)

    save_checkpoint(checkpoint, tmp_path / "toy")
    loaded = load_checkpoint(tmp_path / "toy")
    # Calibrated on the rounded weights, so nothing may change on the way through the disk.
    for name, value in checkpoint.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value), name


def test_other_herbs_cannot_resume_a_run(photos, tmp_path):
    samples, val = train_and_val(photos, seed=0)
    fit(tiny(), samples, val, run=tmp_path / "run", preprocessing=TINY, recipe=RECIPE)
    other = tmp_path / "other"
    for herb in ("甘草", "大枣"):
        (other / herb).mkdir(parents=True)
        for source in (photos / "金银花").iterdir():
            (other / herb / source.name).write_bytes(source.read_bytes())
    with pytest.raises(HerbError) as caught:
        run(other, tmp_path / "run", resume=True)
    assert caught.value.hint == "resume-other-training"


@pytest.mark.parametrize(("herbs", "hint"), [(["金银花"], "too-few-herbs"), ([], "folder-empty")])
def test_too_little_to_train_on_is_refused(photos, tmp_path, herbs, hint):
    for herb in herbs:
        (tmp_path / "photos" / herb).mkdir(parents=True)
        for source in (photos / herb).iterdir():
            (tmp_path / "photos" / herb / source.name).write_bytes(source.read_bytes())
    (tmp_path / "photos").mkdir(exist_ok=True)
    with pytest.raises(HerbError) as caught:
        run(tmp_path / "photos", tmp_path / "run")
    assert caught.value.hint == hint


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photos each forward pass of any engine was given."""
    sizes = []
    whole = TorchEngine.features

    def counted(engine: TorchEngine, batch: torch.Tensor) -> np.ndarray:
        sizes.append(len(batch))
        return whole(engine, batch)

    monkeypatch.setattr(TorchEngine, "features", counted)
    return sizes


def test_quick_training_looks_once_at_each_photo_and_opens_it_once(
    toy, photos, looked, monkeypatch, tmp_path
):
    """From a model, so that even the proof of the old and the new one is about the same photos."""
    opened: Counter = Counter()

    def counted(path: Path) -> Image.Image:
        opened[path] += 1
        return reduced(path)

    monkeypatch.setattr("herbdemo.decoded.reduced", counted)
    model = toys.knowing(toy, tmp_path / "known", photos=4)
    looked.clear()
    checkpoint = train(
        photos,
        name="quick",
        run=tmp_path / "run",
        start=Start(model.network, model.preprocessing, model, model.id),
        recipe=replace(RECIPE, epochs=0),
    )
    assert sum(looked) == sum(checkpoint.card["data"].values()) == 24
    assert set(opened.values()) == {1}
    assert checkpoint.card["proof"]["held_out"]["old"] == "photos + replay"


def test_photos_are_opened_in_the_first_epoch_only(photos, tmp_path, monkeypatch):
    samples, val = train_and_val(photos, seed=0)
    opened: list[list[Path]] = [[]]

    def counted(path: Path) -> Image.Image:
        opened[-1].append(path)
        return reduced(path)

    def say(event: Event) -> None:
        if event.kind in ("head", "epoch"):
            opened.append([])

    monkeypatch.setattr("herbdemo.decoded.reduced", counted)
    monkeypatch.setattr("herbdemo.batches.workers", lambda: 0)  # they open where this can count
    with Decoded(tmp_path / "copies", [sample.path for sample in (*samples, *val)]) as pictures:
        fit(tiny(), samples, val, run=tmp_path, preprocessing=TINY, recipe=RECIPE, say=say,
            opened=pictures)  # fmt: skip
    assert [len(paths) for paths in opened] == [len(samples) + len(val), 0, 0, 0]


@pytest.mark.parametrize("depth", [1, 2])
def test_what_is_frozen_keeps_nothing_for_a_backward_pass(photos, tmp_path, monkeypatch, depth):
    """Of layers below the first that learns, autograd would keep all activations in vain."""
    samples, val = train_and_val(photos, seed=0)
    network, graphs = tiny(), Counter()

    def watch(name: str):
        def after(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
            if module.training:
                graphs[name, output.grad_fn is not None] += 1

        return after

    for name in ("stem", "last", "fc"):
        getattr(network, name).register_forward_hook(watch(name))
    fit(network, samples, val, run=tmp_path, preprocessing=TINY, keep_head=True,
        recipe=replace(RECIPE, epochs=1, depth=depth))  # fmt: skip
    assert graphs == {("stem", False): 2, ("last", depth == 2): 2, ("fc", True): 2}


def tiny() -> TinyNet:
    torch.manual_seed(0)
    return TinyNet(2)


def test_a_head_that_knows_the_herbs_is_kept(photos, tmp_path):
    samples, val = train_and_val(photos, seed=0)
    state, history = fit(tiny(), samples, val, run=tmp_path, preprocessing=TINY,
                         recipe=replace(RECIPE, epochs=0), keep_head=True)  # fmt: skip
    assert torch.equal(state["fc.weight"], tiny().fc.weight)
    assert [h["epoch"] for h in history] == [0]


def test_only_the_trainable_parts_change(photos, tmp_path):
    samples, val = train_and_val(photos, seed=0)
    state, _ = fit(tiny(), samples, val, run=tmp_path, preprocessing=TINY, recipe=RECIPE)
    assert torch.equal(state["stem.weight"], tiny().stem.weight)
    assert not torch.equal(state["last.weight"], tiny().last.weight)


def test_a_teacher_outvotes_the_labels_by_its_share(photos, tmp_path):
    samples, val = train_and_val(photos, seed=0)
    seen = []

    def never_the_second(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape)
        return torch.tensor([[1.0, 0.0]]).repeat(len(x), 1)

    # Kept is what is best on val: here, always to answer the first.
    first = [sample for sample in val if sample.herb == herbs_of(samples)[0]]

    def answers(share: float) -> torch.Tensor:
        recipe = replace(RECIPE, epochs=4, rate=0.05, distil=share, average=0.5)
        state, _ = fit(tiny(), samples, first, run=tmp_path / str(share), preprocessing=TINY,
                       recipe=recipe, teacher=never_the_second)  # fmt: skip
        network = tiny()
        network.load_state_dict(state)
        pooled = extract(TorchEngine(network), val, herbs_of(samples), TINY).pooled
        return network.fc(torch.from_numpy(pooled)).softmax(1)[:, 0]

    assert answers(0.9).mean() > 0.7 > answers(0.0).mean()
    assert set(seen) == {(8, 3, 32, 32)}  # the very batch that the network gets


@pytest.mark.parametrize(
    ("accuracy", "vain"),
    [([0.9], 0), ([0.9, 0.5], 0), ([0.9, 0.5, 0.6], 0), ([0.9, 0.6, 0.6, 0.5], 2)],
)
def test_epochs_in_vain_are_counted_from_the_best_one_on_without_the_head(accuracy, vain):
    assert epochs_in_vain([{"val_macro_top1": value} for value in accuracy]) == vain


def test_a_training_without_progress_ends_early_and_keeps_the_head(photos, tmp_path):
    samples, val = train_and_val(photos, seed=0)
    stuck = replace(RECIPE, epochs=20, rate=0.0, patience=2)
    state, history = fit(tiny(), samples, val, run=tmp_path, preprocessing=TINY, recipe=stuck)
    assert [figures["epoch"] for figures in history] == [0, 1, 2, 3]
    assert torch.equal(state["last.weight"], tiny().last.weight)


def test_a_stopped_training_keeps_the_best_so_far_and_can_go_on(photos, tmp_path):
    samples, val = train_and_val(photos, seed=0)
    recipe, asked = replace(RECIPE, epochs=3), []

    def go(run: Path, *, resume: bool = False, stop=lambda: False):
        return fit(tiny(), samples, val, run=run, preprocessing=TINY, recipe=recipe, resume=resume,
                   stop=stop)  # fmt: skip

    def at_the_second_step_of_epoch_2() -> bool:
        asked.append(1)
        return len(asked) == 6  # features, two steps, val, two steps

    _, history = go(tmp_path / "a", stop=at_the_second_step_of_epoch_2)
    assert [figures["epoch"] for figures in history] == [0, 1]
    resumed, uncut = go(tmp_path / "a", resume=True), go(tmp_path / "b")
    assert [h["val_loss"] for h in resumed[1]] == [h["val_loss"] for h in uncut[1]]
    assert all(torch.equal(value, uncut[0][name]) for name, value in resumed[0].items())


def test_a_training_stopped_before_it_has_a_head_says_so(photos, tmp_path):
    error = refusal(run, photos, tmp_path, stop=lambda: True)
    assert error.hint == "stopped-early"


@dataclass(frozen=True)
class Unfinished:
    """What `train` would finish a model with."""

    options: dict[str, Any]
    card: dict[str, Any]
    network: TinyNet


@pytest.fixture
def unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    """`train` returns an `Unfinished`: only a ResNet-50 can be finished and proven."""
    monkeypatch.setattr("herbdemo.train.finish", lambda _, **o: Unfinished(o, o["card"], tiny()))
    monkeypatch.setattr("herbdemo.train.trained", lambda *_, **__: {})


def test_a_stopped_training_is_finished_with_few_photos(unfinished, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("herbdemo.train.HURRIED", 3)
    told: list[Event] = []
    made = train(photos, name="toy", run=tmp_path, start=Start(tiny(), TINY), recipe=RECIPE,
                 say=told.append, stop=lambda: bool(told) and told[-1].kind == "head")  # fmt: skip
    assert made.card["stopped"] is True
    for part, each in (("train", 3), ("val", 2)):
        shown = Counter(sample.herb for sample in made.options[part])
        assert shown == {"金银花": each, "枸杞子": each}


def test_a_training_stopped_while_it_is_finished_keeps_what_it_learned(whole, photos, tmp_path):
    uncut, told = whole[0], []

    def while_finishing() -> bool:
        return any(e.kind == "epoch" and e.values["epoch"] == 2 for e in told)

    made = train(photos, name="toy", run=tmp_path, start=Start(start(), TINY), recipe=RECIPE,
                 say=told.append, stop=while_finishing)  # fmt: skip
    assert made.card["stopped"] is True
    assert "proof" not in made.card
    assert len(made.card["training"]["history"]) == 3
    assert torch.equal(made.network.conv1.weight, uncut.network.conv1.weight)


@pytest.mark.parametrize("kind", ["features", "finish"])
def test_a_stop_during_features_or_proof_ends_with_a_model(whole, photos, tmp_path, kind):
    """In `finish` (the second time that features are looked at), and in the proof after it."""
    told: list[Event] = []

    def stop() -> bool:
        # Not what is told once a second in between: how often that is depends on the computer.
        ends = [e.kind for e in told if e.values.get("done") == e.values.get("total")]
        return ends.count(kind) == (2 if kind == "features" else 1)

    made = train(photos, name="toy", run=tmp_path, start=Start(start(), TINY), recipe=RECIPE,
                 say=told.append, stop=stop)  # fmt: skip
    assert made.card["stopped"] is True
    assert "proof" not in made.card
    assert made.card["data"] == whole[0].card["data"]


def test_a_training_told_when_it_will_be_done_is_told_every_ten_steps(photos, tmp_path):
    samples, val = train_and_val(photos, seed=0)
    events: list[Event] = []
    fit(tiny(), samples, val, run=tmp_path, preprocessing=TINY, say=events.append,
        recipe=replace(RECIPE, epochs=13, batch=12))  # fmt: skip
    steps = [event.values for event in events if event.kind == "step"]
    assert [values["step"] for values in steps] == [10]
    assert steps[0]["steps"] == 13
    assert 0 < steps[0]["seconds_left"] < 60
    assert work_after(replace(RECIPE, epochs=3), 2, 2) == 3 * 32**2  # of six steps


def test_a_zip_is_trained_on_as_its_folder_is(unfinished, photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in photos.rglob("*.png"):
            archive.write(path, path.relative_to(photos))
    made = train(tmp_path / "photos.zip", name="toy", run=tmp_path, start=Start(tiny(), TINY),
                 recipe=replace(RECIPE, epochs=0))  # fmt: skip
    assert made.options["herbs"] == ("枸杞子", "金银花")
    assert len(made.options["train"]) + len(made.options["val"]) == 24
    assert "stopped" not in made.card


@pytest.fixture(scope="module")
def knowing(toy, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The toy model with all that a trained one keeps of its herbs."""
    return toys.knowing(toy, tmp_path_factory.mktemp("known"), photos=12)


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_model_learns_a_herb_and_forgets_none(knowing, tmp_path, epochs):
    fill(tmp_path / "photos", HERBS[0], range(40, 52))
    (tmp_path / "photos" / "黑白").mkdir()
    for seed in range(14):
        picture(STRANGE, seed).save(tmp_path / "photos" / "黑白" / f"{seed}.png")
    model = replace(knowing, network=copy.deepcopy(knowing.network))
    recipe = Recipe(epochs=epochs, batch=8, depth=2, sizes=((0.0, SIZE),))
    checkpoint = train(
        tmp_path / "photos",
        name="more",
        run=tmp_path / "run",
        start=Start(model.network, model.preprocessing, model, model.id),
        recipe=recipe,
    )
    assert checkpoint.herbs == (*HERBS, "黑白")
    assert model.network.fc.out_features == len(HERBS)  # the one that it started from is as it was
    assert checkpoint.card["parent"] == "toy"
    assert checkpoint.card["old_herbs"] == {
        herb: "photos" if herb == HERBS[0] else "replay" for herb in HERBS
    }
    count = checkpoint.statistics["count"].tolist()
    assert count[1:7] == [12] * 6  # as the model knew them
    assert count[0] == 10  # measured again: of twelve photos two are for val
    assert checkpoint.card["metrics"]["val"]["photos"] == 2 + 2 + 6 * 4

    proof = checkpoint.card["proof"]
    assert (proof["before"]["n"], proof["after"]["n_old"]) == (2 + 6 * 4, 2 + 6 * 4)
    assert proof["after"]["n_new"] == 2
    assert proof["held_out"] == {"old": "photos + replay", "new": "val"}

    recogniser = Recogniser(checkpoint)
    photos = [(herb, herb_photo(herb, seed)) for herb in HERBS for seed in range(60, 64)]
    photos += [("黑白", open_photo(encoded(picture(STRANGE, seed)))) for seed in range(60, 64)]
    answers = recogniser.recognise([photo for _, photo in photos])
    right = [a.candidates[0].herb.zh == herb for a, (herb, _) in zip(answers, photos, strict=True)]
    assert all(right[-4:])
    assert np.mean(right) > 0.8  # a head of the folder's herbs alone gets a quarter


def test_herbs_are_not_forgotten_silently(toy_model, photos, tmp_path):
    start = Start(toy_model.network, toy_model.preprocessing, toy_model)  # kept no second moment
    error = refusal(train, photos, name="x", run=tmp_path, start=start, recipe=RECIPE)
    assert error.hint == "no-statistics"
