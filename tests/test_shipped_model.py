"""The model in weights/ on held-out photos: what its card claims, measured again."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from herbdemo.evaluate import evaluate
from herbdemo.herbs import find
from herbdemo.likeness import Likeness
from herbdemo.registry import SHIPPED, Registry

ROOT = Path(__file__).resolve().parent.parent


LARGE, LIGHT = "herbs-31-v2", "herbs-31-v2-light"


@pytest.fixture(scope="module")
def card() -> dict:
    return json.loads((SHIPPED / LARGE / "card.json").read_text())


@pytest.fixture(scope="module")
def light() -> dict:
    return json.loads((SHIPPED / LIGHT / "card.json").read_text())


@pytest.fixture(scope="module")
def measured(data):
    """`herbdemo evaluate` in a second process, as CI of another project would call it."""

    def evaluate(folder: str, *options: str) -> dict:
        result = subprocess.run(
            [sys.executable, "-m", "herbdemo", "evaluate", data / folder, *options, "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout.splitlines()[-1])

    return {
        "test": evaluate("herbs/test", "--unknown", str(data / "not_herbs")),
        "other_sources": evaluate("herbs/other_sources"),
    }


@pytest.mark.parametrize("photos", ["test", "other_sources"])
def test_the_card_tells_the_truth(card, measured, photos):
    """Another machine rounds otherwise: one photo in a few hundred may fall to the other side."""
    claimed, report = card["metrics"][photos], measured[photos]
    assert report["photos"] == claimed["photos"]
    for key, slack in (("top1", 0.003), ("top5", 0.003), ("macro_top1", 0.005), ("ece", 0.003)):
        rounding = 1.5 / report["photos"]
        assert report[key] == pytest.approx(claimed[key], abs=max(slack, rounding)), key
    low, high = report["top1_interval"]
    assert low < report["top1"] < high


def test_percentages_are_honest_and_strangers_look_strange(card, measured):
    assert measured["test"]["ece"] <= 0.02
    claimed = card["metrics"]["unknown_far"]
    assert measured["test"]["auroc"] == pytest.approx(claimed["auroc"], abs=0.005)


def test_the_card_says_what_a_user_must_know(card):
    folder = SHIPPED / LARGE
    assert card["id"] == folder.name
    assert sum(file.stat().st_size for file in folder.iterdir()) < 60e6
    assert card["licence"]
    for language in ("en", "zh"):
        assert len(card["limits"][language]) >= 4
    assert "Not medical advice" in card["limits"]["en"][0]
    assert {"val", "test", "other_sources", "unknown_far", "unknown_near"} <= set(card["metrics"])
    assert all(find(herb) for herb in card["herbs"])
    assert (folder / "curves.png").stat().st_size > 10_000


def test_every_engine_that_the_card_names_passed_the_gate(card):
    assert card["int8"]["passes"]
    found = [card["int8"]["val"], *(v for v in card["engines"].values() if isinstance(v, dict))]
    assert len(found) > 2
    assert all(Likeness(**figures).passes for figures in found)


def test_the_large_model_answers_unless_one_chooses(home):
    assert {p.name for p in SHIPPED.iterdir() if p.is_dir()} == {LARGE, LIGHT}
    registry = Registry()
    assert registry.active_id() == LARGE
    registry.activate(LIGHT)
    assert registry.load().network.architecture == "efficientnet-lite0"
    assert registry.rollback() == LARGE


def test_the_light_model_is_small_and_nearly_as_good(card, light):
    assert light["herbs"] == card["herbs"]
    assert sum(file.stat().st_size for file in (SHIPPED / LIGHT).iterdir()) < 12e6
    large, small = (c["metrics"]["test"] for c in (card, light))
    assert small["photos"] == large["photos"]
    assert large["top1"] - small["top1"] <= 0.02
    assert "Not medical advice" in light["limits"]["en"][0]


def test_the_light_card_tells_the_truth(light, data):
    report = evaluate(Registry().load(LIGHT), data / "herbs" / "test").to_dict()
    for key in ("photos", "top1", "top5", "ece"):
        assert report[key] == pytest.approx(light["metrics"]["test"][key], abs=0.003), key


@pytest.mark.parametrize("model", [LARGE, LIGHT])
def test_the_weights_are_sound(model):
    checkpoint = Registry().load(model)
    for name, value in checkpoint.network.state_dict().items():
        assert np.isfinite(value.numpy()).all(), name
    assert checkpoint.statistics["count"].sum() == checkpoint.card["data"]["train"]


@pytest.mark.parametrize(
    ("readme", "refused", "certain"),
    [
        ("README.md", "({share} of {photos} refused)", "calls {share} *certain*"),
        ("README.zh-CN.md", "{photos} 张中拒认 {share}）", "有 {share} 甚至答“可信”"),
    ],
)
def test_the_readmes_repeat_the_card(card, readme, refused, certain):
    text = (ROOT / readme).read_text()
    assert card["id"] in text
    for photos in ("test", "other_sources"):
        metrics = card["metrics"][photos]
        low, high = metrics["top1_interval"]
        row = (
            f"| {metrics['photos']} | {metrics['top1']:.1%} ({100 * low:.1f}–{100 * high:.1f}) "
            f"| {metrics['top5']:.1%} | {metrics['ece']:.1%} "
            f"| {metrics['certain']:.0%}, {metrics['certain_top1']:.1%} |"
        )
        assert row.replace("%", " %") in text
    for unknown in ("unknown_far", "unknown_near"):
        metrics = card["metrics"][unknown]
        assert f"{metrics['auroc']:.3f}" in text
        share = percent(metrics["unknown_refused"])
        assert refused.format(share=share, photos=metrics["unknown_photos"]) in text
    share = percent(card["metrics"]["unknown_near"]["unknown_certain"])
    assert certain.format(share=share) in text


def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
