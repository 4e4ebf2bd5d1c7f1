"""foreign.py: weights that the original's code trained become a model like any other."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from toys import HERBS, SIZE, STRANGE, fill, herb_photo, picture

from herbdemo import foreign
from herbdemo.calibrate import familiar_directions, feature_statistics
from herbdemo.checkpoint import load_checkpoint, save_checkpoint
from herbdemo.dataset import scan
from herbdemo.evaluate import Features
from herbdemo.extend import extend
from herbdemo.foreign import _without_gaps, imported, read_foreign, summary
from herbdemo.recipe import PRESETS
from herbdemo.recognise import Recogniser
from herbdemo.registry import Registry
from herbdemo.replay import remember
from herbdemo.scores import Head, directions, roots
from herbdemo.start import start_from
from herbdemo.train import train

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def state(toy) -> dict[str, torch.Tensor]:
    return {"module." + k: v for k, v in toy.network.state_dict().items()}


@pytest.fixture(scope="module")
def file(state, tmp_path_factory) -> Path:
    """The toy's network as the original's code saves one."""
    path = tmp_path_factory.mktemp("pth") / "herbs.pth.tar"
    torch.save({"state_dict": state, "epoch": 60}, path)
    return path


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("names") / "herbs.txt"
    path.write_text("\n".join(f"{k} {herb}" for k, herb in enumerate(HERBS)), "utf-8")
    return path


@pytest.fixture
def small(monkeypatch):
    """The toy sees photos of 64 pixels; a real one of 224."""
    sized = {k: replace(v, size=SIZE) for k, v in foreign.PREPROCESSINGS.items()}
    monkeypatch.setattr(foreign, "PREPROCESSINGS", sized)


def test_the_weights_alone_make_a_model(small, toy, file, names, tmp_path):
    saved = save_checkpoint(imported(file, name="mine", herbs=names), tmp_path / "mine")
    model = load_checkpoint(tmp_path / "mine")
    assert model.herbs == HERBS
    assert summary(saved)["preprocessing"] == "imagenet"
    assert summary(saved)["not_fitted"] == ["temperature", "certain", "unknown", "statistics"]
    photos = [herb_photo(HERBS[0], 1), herb_photo(HERBS[1], 2)]
    for mine, theirs in zip(
        Recogniser(model).recognise(photos), Recogniser(toy).recognise(photos), strict=True
    ):
        herb = theirs.candidates[0].herb.zh
        assert mine.candidates[0].herb.zh == herb
        assert mine.verdict == "unsure"  # nobody has measured how sure it may be
        np.testing.assert_allclose(mine.heatmap(herb), theirs.heatmap(herb), atol=0.01)
    assert toys.refusal(extend, model, [], name="more").hint == "no-statistics"


def test_with_photos_it_is_calibrated_and_can_be_extended_and_trained(
    small, toy, file, names, tmp_path, home
):
    for herb in HERBS:
        fill(tmp_path / "photos", herb, range(10))
    fill(tmp_path / "photos", HERBS[0], range(20, 22), name="not a herb")
    model = imported(file, name="mine", herbs=names, photos=tmp_path / "photos")
    said = summary(model)
    assert said["preprocessing"] == "imagenet"  # the one it was made with, found out
    assert said["not_fitted"] == said["without_photos"] == []
    assert said["photos"] == 7 * 2
    assert said["top1"] > 0.7
    assert torch.equal(model.network.fc.weight, toy.network.fc.weight)
    assert model.temperature != 1
    assert Head.of(model).unknown > 0

    registry = Registry()
    save_checkpoint(model, registry.new_folder("mine"))
    (tmp_path / "new" / "罗勒").mkdir(parents=True)
    for seed in range(6):
        picture(STRANGE, seed).save(tmp_path / "new/罗勒" / f"{seed}.png")
    more = extend(registry.load("mine"), scan(tmp_path / "new"), name="more")
    assert more.herbs == (*HERBS, "罗勒")
    assert more.card["proof"]["after"]["old_top1"] > 0.7

    fill(tmp_path / "train", HERBS[0], range(30, 40))
    (tmp_path / "new/罗勒").rename(tmp_path / "train/罗勒")
    for seed in range(6, 10):
        picture(STRANGE, seed).save(tmp_path / "train/罗勒" / f"{seed}.png")
    trained = train(tmp_path / "train", name="trained", run=tmp_path / "run",
                    start=start_from("mine", registry), recipe=PRESETS["quick"])  # fmt: skip
    assert trained.herbs == (*HERBS, "罗勒")
    assert trained.card["old_herbs"][HERBS[1]] == "replay"


def test_a_model_with_gaps_keeps_no_sums_that_would_forget(toy):
    card = {"imported": {"preprocessing": "imagenet", "not_fitted": []}}
    whole = replace(toy, card=card, statistics={"count": torch.ones(7), "val": torch.ones(2)})
    assert _without_gaps(whole) is whole
    lacking = {**whole.statistics, "count": torch.tensor([3.0, 0, 1, 1, 1, 1, 1])}
    gaps = _without_gaps(replace(whole, statistics=lacking))
    assert set(gaps.statistics) == {"val"}
    assert summary(gaps)["without_photos"] == [HERBS[1]]
    assert summary(gaps)["not_fitted"] == ["statistics"]


def test_folders_named_by_the_list_come_before_the_catalogue(tmp_path):
    fill(tmp_path, "党参", range(1), name="dangshen")
    fill(tmp_path, "党参", range(1, 2), name="党参")
    samples = foreign._samples(tmp_path, {"dangshen": "dangshen", "党参": "党参"})
    assert sorted(sample.herb for sample in samples) == ["dangshen", "党参"]


def test_what_the_file_says_of_its_herbs_is_enough(state, tmp_path):
    value = {"state_dict": state, "class_to_idx": {herb: k for k, herb in enumerate(HERBS)}}
    torch.save(value, tmp_path / "herbs.pth")
    assert imported(tmp_path / "herbs.pth", name="mine").herbs == HERBS


def test_a_good_list_stands_in_for_a_bad_one_in_the_file(state, names, tmp_path):
    torch.save({"state_dict": state, "classes": []}, tmp_path / "herbs.pth")
    assert imported(tmp_path / "herbs.pth", name="mine", herbs=names).herbs == HERBS
    assert toys.refusal(imported, tmp_path / "herbs.pth", name="mine").hint == "labels-needed"


def test_names_that_do_not_fit(file, tmp_path):
    assert toys.refusal(imported, file, name="mine").hint == "labels-needed"
    (tmp_path / "herbs.json").write_text(json.dumps(["党参", "当归"]))
    error = toys.refusal(imported, file, name="mine", herbs=tmp_path / "herbs.json")
    assert error.hint == "labels-count"
    assert "2 herbs" in error.en
    assert "7 apart" in error.en


def test_photos_that_do_not_fit(small, file, names, tmp_path):
    fill(tmp_path / "other", HERBS[0], range(2), name="no herb of it")
    options = {"name": "mine", "herbs": names, "preprocessing": "unit"}
    error = toys.refusal(imported, file, photos=tmp_path / "other", **options)
    assert error.hint == "no-known-herb"
    fill(tmp_path / "few", HERBS[0], range(2))
    error = toys.refusal(imported, file, photos=tmp_path / "few", **options)
    assert error.hint == "too-few-photos"


SPOILT = {
    "a layer less": ("layer4.2.conv3.weight", None, "weights-other-network"),
    "a layer more": ("layer3.6.conv1.weight", torch.ones(2), "weights-other-network"),
    "another shape": ("layer1.0.conv2.weight", torch.ones(64, 64, 5, 5), "weights-other-network"),
    "a shape of any size": (
        "layer1.0.conv2.weight",
        torch.ones(1, 1, 1, 1).expand(1 << 16, 1 << 16, 64, 64),
        "weights-other-network",
    ),
    "a head of any size": ("fc.weight", torch.ones(1, 1).expand(1 << 30, 2048),
                           "weights-no-classes"),
    "no head": ("fc.weight", None, "weights-no-classes"),
    "no herb": ("fc.weight", torch.ones(0, 2048), "weights-no-classes"),
    "one herb": ("fc.weight", torch.ones(1, 2048), "weights-no-classes"),
    "NaN": ("fc.bias", torch.full((7,), torch.nan), "weights-not-finite"),
    "infinite once saved": ("layer1.0.conv1.weight", torch.full((64, 64, 1, 1), 1e5),
                            "weights-not-finite"),
    "a variance below zero": ("bn1.running_var", -torch.ones(64), "weights-not-finite"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
def test_weights_that_cannot_be(toy, kind):
    name, value, hint = SPOILT[kind]
    state = {**toy.network.state_dict(), name: value}
    if value is None:
        del state[name]
    assert toys.refusal(foreign._network, state, "resnet50").hint == hint


def test_a_missing_file(tmp_path):
    assert toys.refusal(read_foreign, tmp_path / "no.pth").hint == "weights-missing"


def test_a_file_that_may_not_be_read(tmp_path, locked):
    (tmp_path / "herbs.pth").touch()
    assert toys.refusal(read_foreign, locked(tmp_path / "herbs.pth")).hint == "unreadable"


# Features of both signs, as the Keras network has them


def signed(n: int, seed: int) -> Features:
    """Two herbs that differ in nothing but the sign of what is negative in both."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    x = -1 - rng.random((n, 6)) * 0.1
    x[labels == 0, :3] *= 9
    x[labels == 1, 3:] *= 9
    return Features(x.astype(np.float32), labels)


def test_familiarity_sees_what_is_negative():
    known, other = signed(40, 0), signed(10, 1)
    one_sign = familiar_directions(known)
    assert not one_sign["bank"].any()  # all that was negative is gone
    found = familiar_directions(known, signed=True)
    basis, bank = (found[k].float().numpy() for k in ("basis", "bank"))
    assert len(basis) == 12
    near = (directions(other.pooled, basis) @ bank.T).max(axis=1)
    far = (directions(-other.pooled, basis) @ bank.T).max(axis=1)
    assert near.min() > 0.99
    assert far.max() < 0.1


def test_features_of_one_sign_are_as_they_were():
    x = np.random.default_rng(0).random((3, 5)).astype(np.float32)
    assert toys.same(roots(x, both=False), np.sqrt(x))
    assert toys.same(roots(x, both=True)[:, :5], np.sqrt(x))


def test_what_is_remembered_of_them_keeps_its_sign(toy):
    seen = signed(40, 0)
    network = replace(toy).network
    model = replace(
        toy,
        herbs=HERBS[:2],
        network=type("Signed", (), {"signed": True, "fc": torch.nn.Linear(6, 2)})(),
        statistics=feature_statistics(seen, 2),
    )
    assert not network.signed
    drawn = remember(model, set()).rehearsal(np.random.default_rng(0))
    assert drawn.pooled.max() < 0
    np.testing.assert_allclose(
        drawn.pooled[drawn.labels == 0].mean(0), seen.pooled[::2].mean(0), atol=0.3
    )


# What docs/import.md promises

PAGES = [ROOT / "docs" / name for name in ("import.md", "import.zh-CN.md")]


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_both_pages_show_the_same_lines():
    assert blocks(PAGES[0]) == blocks(PAGES[1])


@pytest.mark.process
def test_the_first_lines_of_the_page_run(file, names, tmp_path, home):
    (tmp_path / "herbs.pth").symlink_to(file)
    (tmp_path / "herbs.txt").symlink_to(names)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    imports, recognises = blocks(PAGES[0])[0].splitlines()
    said = []
    for line in (f"{imports} --json", f"{recognises} --json"):
        done = subprocess.run(
            [sys.executable, *shlex.split(line)[1:]],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        said.append(json.loads(done.stdout.splitlines()[-1]))
    assert said[0]["model"] == "my-908"
    assert said[0]["herbs"] == len(HERBS)
    assert said[0]["network"] == "resnet50"
    assert said[1]["answers"][0]["model"] == "my-908"
    assert said[1]["answers"][0]["verdict"] == "unsure"
