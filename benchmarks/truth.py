"""What is right in the soak: the models, and what one thread alone answers in each world."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.photos import photo
from benchmarks.questions import World, questions, rows_expected, shared_expected
from benchmarks.sameness import differs
from herbdemo.checkpoint import Checkpoint, save_checkpoint
from herbdemo.dataset import Sample
from herbdemo.engine import TorchEngine, serving
from herbdemo.extend import extend
from herbdemo.registry import Registry
from herbdemo.ui.sandbox import NAME as SANDBOX

LIGHT = "herbs-31-v2-light"
NEW = ("欧芹", "洋葱")  # herbs that no shipped model knows, played by crops of two examples


class Truth:
    """What is right in each world, worked out here by one thread."""

    def __init__(self, folder: Path, registry: Registry, models: dict[str, Checkpoint]) -> None:
        torch.set_num_threads(1)
        self.questions = questions(folder)
        self.right: dict[str, list[list[Any]]] = {}  # sha256 -> for each world what is right
        self.rows: dict[str, list[dict]] = {}
        self.shared: dict[str, list[list]] = {}
        self.box: dict[str, list[dict]] = {}
        lessons = box_lessons(folder)
        for checkpoint in models.values():
            for world in worlds(checkpoint):
                sha256 = checkpoint.sha256
                with world.holds():
                    answers = [question.expect() for question in self.questions]
                    self.right.setdefault(sha256, []).append(answers)
                    self.rows.setdefault(sha256, []).append(rows_expected(folder))
                    self.shared.setdefault(sha256, []).append(shared_expected(folder))
                taught = World(extend(checkpoint, lessons, name=SANDBOX), world.engine)
                with taught.holds():
                    self.box.setdefault(sha256, []).append(
                        [q.expect() for q in self.questions if q.kind == "page: identify"]
                    )

    def check(self, answer: Any, rights: dict[str, list[Any]], named: str, points: float) -> str:
        """Why no world gives this answer; "" where one does.

        Args:
            named: the model that it says it is of; "" where it does not say.
        """
        if named and named not in rights:
            return f"it names a model that is none of these: {named[:80]}"
        candidates = rights[named] if named else [r for some in rights.values() for r in some]
        why = [differs(answer, right, points) for right in candidates]
        return "" if "" in why else " | ".join(why)[:1500]

    def of(self, at: int) -> dict[str, list[Any]]:
        return {sha256: [answers[at] for answers in some] for sha256, some in self.right.items()}


def worlds(checkpoint: Checkpoint) -> list[World]:
    """The engine that answers while another one is being made, and that one."""
    engine = serving(checkpoint)
    engine.wait()
    found = [World(checkpoint, TorchEngine(checkpoint.network))]
    return found if engine.name == found[0].engine.name else [*found, World(checkpoint, engine)]


def models_for(registry: Registry, folder: Path) -> dict[str, Checkpoint]:
    """The shipped models; one that knows more herbs; one with other convolutions."""
    shipped = registry.load()
    lessons = []
    for herb, source in zip(NEW, (1, 2), strict=True):
        for number in range(8):
            path = folder / "lessons" / herb / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo((320, 240), 4 * number + source))
            lessons.append(Sample(path, herb))
    save_checkpoint(extend(shipped, lessons, name="more"), registry.new_folder("more"))
    other = registry.load()
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in other.network.layer4.parameters():
            weight += 0.02 * weight.std(correction=0) * torch.randn_like(weight)
    card = {key: value for key, value in other.card.items() if key != "limits"}
    save_checkpoint(replace(other, card=card), registry.new_folder("other"))
    return {name: registry.load(name) for name in (shipped.id, LIGHT, "more", "other")}


def box_lessons(folder: Path) -> list[Sample]:
    found = []
    for number in range(3):
        path = folder / "box" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo((320, 240), 4 * number + 401))
        found.append(Sample(path, NEW[0]))
    return found
