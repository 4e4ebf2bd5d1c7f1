"""SIGKILL at any moment: the model in use loads and answers as before, nothing is half there."""

import itertools
import os
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from killing import Victims
from toys import HERBS, fill, herb_photo, knowing, model_copy, picture

from herbdemo.atomic import TEMPORARY
from herbdemo.checkpoint import CARD, load_checkpoint, save_checkpoint
from herbdemo.cli import app
from herbdemo.portable import export_zip, import_zip
from herbdemo.recognise import Recogniser
from herbdemo.registry import Registry

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
]
KILLS = 30


@pytest.fixture(scope="module")
def victims() -> Victims:
    return Victims("test_kills")


@pytest.fixture
def registry(toy_folder: Path, tmp_path: Path, monkeypatch) -> Registry:
    """`a` in use, `b` and `c` beside it, and a zip of a model."""
    monkeypatch.setenv("HERBDEMO_HOME", str(tmp_path / "own"))  # elsewhere nothing is swept
    for name in "abc":
        model_copy(toy_folder, tmp_path / "own" / "models" / name)
    registry = Registry(shipped=tmp_path / "none", own=tmp_path / "own")
    registry.activate("a")
    export_zip(registry, "c", tmp_path / "model.zip")
    return registry


# What the victims do


def activate(own: Path, name: str) -> None:
    Registry(shipped=own / "none", own=own).activate(name)


def delete(own: Path, name: str) -> None:
    Registry(shipped=own / "none", own=own).delete(name)


def save(own: Path, name: str) -> None:
    registry = Registry(shipped=own / "none", own=own)
    save_checkpoint(registry.load("a"), registry.new_folder(name))


def fetch(own: Path, name: str) -> None:
    registry = Registry(shipped=own / "none", own=own)
    import_zip(registry, own.parent / "model.zip", name=name)


def learn(own: Path, command: str, *options: str) -> None:
    """`python -m herbdemo extend` or `train` on the photos beside `own`."""
    os.environ["HERBDEMO_HOME"] = str(own)
    app([command, str(own.parent / "photos"), *options], standalone_mode=False)


def everything(own: Path, kill: int) -> None:
    for number in itertools.count():
        name = f"m{kill}-{number}"
        (save if number % 2 else fetch)(own, name)
        activate(own, name)
        activate(own, "b")
        delete(own, name)


# What must hold afterwards


def scores(registry: Registry, model: str | None = None) -> list[tuple[str, float]]:
    answer = Recogniser(registry.load(model)).recognise([herb_photo("党参", 3)])[0]
    return [(c.herb.zh, c.probability) for c in answer.candidates]


def check(registry: Registry, expected: list[tuple[str, float]]) -> None:
    """Every model that is listed is whole, the one in use answers, and no other name is about."""
    models = registry.list()
    assert [model.problem for model in models] == [None] * len(models)
    assert [model.active for model in models].count(True) == 1
    for model in models:
        if model.id not in "abc":  # those are never written to
            assert load_checkpoint(registry.folder(model.id)).herbs == HERBS
    assert scores(registry) == expected
    for path in (registry.own / "models").iterdir():
        assert (path / CARD).exists() or path.name.startswith(TEMPORARY)


def age(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name.startswith(TEMPORARY):
            os.utime(path, (time.time() - 4000,) * 2)


def test_thirty_kills_at_random_moments(registry, victims):
    expected = scores(registry)
    rng = random.Random(0)
    killed = 0
    for kill in range(KILLS):
        killed += victims.kill_after(rng.uniform(0, 1.2), everything, registry.own, kill)
        check(registry, expected)
        for name in {model.id for model in registry.list()} - {"a", "b", "c", registry.active_id()}:
            registry.delete(name)
    assert killed == KILLS
    # An hour later, the next write takes away what the kills have left.
    age(registry.own / "models")
    age(registry.own)
    registry.activate("c")
    registry.delete("a")
    for folder in (registry.own, registry.own / "models"):
        assert not [path for path in folder.iterdir() if path.name.startswith(TEMPORARY)]


@pytest.mark.parametrize(
    ("work", "name", "least"),
    [(activate, "b", 3), (delete, "b", 4), (save, "new", 5), (fetch, "new", 5)],
)
def test_a_kill_before_each_touch_of_the_disk(registry, victims, work, name, least):
    expected = scores(registry)
    before = {model.id for model in registry.list()}
    for touch in itertools.count():
        killed = victims.kill_at(touch, registry.own, work, registry.own, name)
        check(registry, expected)
        now = {model.id for model in registry.list()}
        assert now ^ before <= {name}
        if not killed or now != before or registry.active_id() != "a":
            break  # the deed is done; what comes after is tidying up
    assert touch >= least
    assert (registry.active_id() == "b") == (work is activate)


@pytest.mark.parametrize(
    ("options", "seconds", "kills"),
    [
        (("extend", "--name", "new"), 4.0, 15),
        (("train", "--name", "new", "--init", "active", "--preset", "quick", "--json"), 8.0, 8),
    ],
)
def test_a_killed_learning_leaves_the_model_in_use_alone(
    toy, tmp_path, victims, options, seconds, kills
):
    registry = Registry(shipped=tmp_path / "none", own=tmp_path / "own")
    model = knowing(toy, tmp_path / "known")
    save_checkpoint(replace(model, id="a"), registry.new_folder("a"))
    registry.activate("a")
    for herb in HERBS[:2]:
        fill(tmp_path / "photos", herb, range(200, 212))
    (tmp_path / "photos" / "黑白").mkdir()
    for seed in range(12):
        picture(((20, 20, 20), (240, 240, 240)), seed).save(
            tmp_path / "photos" / "黑白" / f"{seed}.png"
        )
    expected, rng, killed = scores(registry), random.Random(1), 0
    for _ in range(kills):
        killed += victims.kill_after(rng.uniform(0, seconds), learn, registry.own, *options)
        models = {model.id: model.problem for model in registry.list()}
        assert set(models.values()) == {None}
        assert registry.active_id() == "a"
        assert scores(registry) == expected
        if "new" in models:  # it was quicker than the kill
            assert "黑白" in registry.load("new").herbs
            registry.delete("new")
    assert killed > kills / 3
