"""Training: the loop learns, resumes after a kill with the same numbers, and refuses nonsense."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from toys import TinyNet

from herbdemo.checkpoint import Preprocessing, load_checkpoint, save_checkpoint
from herbdemo.dataset import train_and_val
from herbdemo.engine import TorchEngine
from herbdemo.errors import HerbError
from herbdemo.evaluate import Features, extract
from herbdemo.events import Event
from herbdemo.network import HerbNet
from herbdemo.recipe import Recipe
from herbdemo.start import Start
from herbdemo.train import epochs_in_vain, fit, herbs_of, train

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
    return HerbNet(2).eval()


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
    kinds = ["start", "features", "head", "epoch", "epoch", "finish"]
    assert [event.kind for event in events] == kinds
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
