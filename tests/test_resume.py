"""The state of a training on disk: whole or not at all, and only for the training it is of."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from toys import TinyNet, refusal

from herbdemo import resume
from herbdemo.dataset import Sample
from herbdemo.optimise import careful_adamw
from herbdemo.recipe import Recipe
from herbdemo.resume import load_state, save_state, training

HISTORY = [{"epoch": 0, "val_macro_top1": 0.5}, {"epoch": 1, "val_macro_top1": 0.75}]
RECIPE = Recipe(depth=2)
PARTS = {
    "herbs": ("a", "b"),
    "recipe": RECIPE,
    "train": [Sample(Path("1.jpg"), "a"), Sample(Path("2.jpg"), "b")],
    "val": [Sample(Path("3.jpg"), "a")],
    "parent": "model 0123",
}
OF = {"of": training(**PARTS)}


class Training:
    """A network that has made one step, its average and its optimizer."""

    def __init__(self, *, step: bool = True) -> None:
        self.network, self.average = TinyNet(2), TinyNet(2)
        self.optimizer = careful_adamw(self.network, RECIPE)
        if step:
            self.network(torch.rand(2, 3, 32, 32)).sum().backward()
            self.optimizer.step()

    def parts(self) -> tuple:
        return self.network, self.average, self.optimizer

    def save(self, file: Path) -> None:
        kept = {name: value.clone() for name, value in self.average.state_dict().items()}
        save_state(file, *self.parts(), kept, HISTORY, 0.75, **OF)


def test_all_comes_back(tmp_path):
    file, before, after = tmp_path / "run" / "state", Training(), Training(step=False)
    before.save(file)
    kept, history, best = load_state(file, *after.parts(), **OF)
    assert (history, best) == (HISTORY, 0.75)
    for a, b in ((before.network.state_dict(), after.network.state_dict()),
                 (before.average.state_dict(), kept)):  # fmt: skip
        assert all(torch.equal(value, b[name]) for name, value in a.items())
    for group_a, group_b in zip(before.optimizer.param_groups, after.optimizer.param_groups,
                                strict=True):  # fmt: skip
        for a, b in zip(group_a["params"], group_b["params"], strict=True):
            for name, value in before.optimizer.state[a].items():
                assert torch.equal(value, after.optimizer.state[b][name])
    assert [path.name for path in file.parent.iterdir()] == ["state"]


@pytest.mark.parametrize(
    "other",
    [
        {"herbs": ("a", "c")},
        {"recipe": replace(RECIPE, epochs=99)},
        {"train": PARTS["train"][:1]},
        {"val": [Sample(Path("3.jpg"), "b")]},
        {"val": [Sample(Path("4.jpg"), "a")]},
        {"parent": "model 4567"},
    ],
)
def test_another_training_is_refused(tmp_path, other):
    Training().save(tmp_path / "state")
    error = refusal(
        load_state, tmp_path / "state", *Training().parts(), of=training(**{**PARTS, **other})
    )
    assert error.hint == "resume-other-training"


def test_a_damaged_state_is_refused(tmp_path):
    file = tmp_path / "state"
    Training().save(file)
    os.truncate(file, file.stat().st_size // 2)
    assert refusal(load_state, file, *Training().parts(), **OF).hint == "resume-damaged"


@pytest.mark.parametrize(
    "failure",
    [
        OSError(28, "No space left on device"),
        # What safetensors 0.8 raises on a file system that is full.
        SafetensorError("Error while serializing: I/O error: No space left (os error 28)"),
    ],
)
def test_a_full_disk_is_a_sentence_and_the_state_before_stays(tmp_path, monkeypatch, failure):
    file = tmp_path / "state"
    Training().save(file)
    before = file.read_bytes()

    def full(tensors: dict, target: Path, **options: object) -> None:
        target.write_bytes(b"half")
        raise failure

    monkeypatch.setattr(resume, "save_file", full)
    assert refusal(Training().save, file).hint == "disk-full"
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
