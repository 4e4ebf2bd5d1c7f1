"""What is known of a herb: figures as the card has them, and nothing invented where it has none."""

import json
from pathlib import Path

import pytest

from herbdemo.checkpoint import CARD
from herbdemo.dossier import dossier
from herbdemo.registry import SHIPPED
from herbdemo.scores import wilson

PROVED = {  # as `proof.proof` makes it for a model that was taught 菊花
    "herbs": ["党参", "金银花", "菊花"],
    "added": [["菊花", "a" * 64], ["菊花", "b" * 64]],
    "metrics": {"val": {"photos": 30, "top1": 0.9}},
    "proof": {
        "before": {"model": "old"},
        "after": {"n_old": 22, "n_new": 8},
        "held_out": {"old": "photos + replay", "new": "leave-one-out"},
        "per_herb": {
            "党参": {"n": 12, "before": 1.0, "after": 0.75},
            "菊花": {"n": 8, "before": None, "after": 0.5},
        },
        "confusion": [["党参", "党参", 9], ["党参", "菊花", 1], ["党参", "金银花", 2],
                      ["菊花", "菊花", 4], ["菊花", "金银花", 4]],
        "mistakes": [],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def card() -> dict:
    folder = SHIPPED / "herbs-31-v2"
    return json.loads((Path(folder) / CARD).read_text("utf-8"))


def short(pairs) -> list[tuple[str, int]]:
    return [(herb.zh, n) for herb, n in pairs]


def test_the_figures_of_the_shipped_model_are_those_of_its_card(card):
    test = card["metrics"]["test"]
    found = {zh: dossier(zh, card) for zh in card["herbs"]}
    for zh, known in found.items():
        assert known.known
        assert not known.added
        assert known.accuracy.photos == test["per_herb"][zh]["n"]
        assert known.accuracy.top1 == test["per_herb"][zh]["top1"]
        low, high = known.accuracy.interval
        assert 0 <= low < high <= 1
        assert low < known.accuracy.top1 <= high + 1e-9
        assert known.accuracy.held_out == ("test",)
        wrong = sum(n for _, n in known.mistaken_for)
        assert wrong == round(known.accuracy.photos * (1 - known.accuracy.top1))
    mistakes = len(card["metrics"]["mistakes"])
    assert sum(n for d in found.values() for _, n in d.mistaken_for) == mistakes
    assert sum(n for d in found.values() for _, n in d.takes) == mistakes
    assert ("蒲公英", 5) in short(found["向日葵"].takes)


def test_a_model_that_was_taught_here_shows_its_proof():
    new, old = dossier("菊花", PROVED, library=7), dossier("党参", PROVED)
    assert (new.known, new.added, new.library) == (True, True, 7)
    assert (old.known, old.added, old.library) == (True, False, 0)
    assert (new.accuracy.photos, new.accuracy.top1) == (8, 0.5)
    assert new.accuracy.interval == wilson(4, 8)
    assert new.accuracy.held_out == ("leave-one-out",)
    assert old.accuracy.held_out == ("photos", "replay")
    assert old.accuracy.top1 == 0.75
    assert short(new.mistaken_for) == [("金银花", 4)]
    assert short(new.takes) == [("党参", 1)]
    assert short(old.mistaken_for) == [("金银花", 2), ("菊花", 1)]
    assert dossier("金银花", PROVED).accuracy is None  # no photo of it was set aside


def test_a_herb_that_the_model_does_not_know(card):
    stranger = dossier("钩吻", card, library=2)
    assert stranger.herb.toxic == "highly toxic"
    assert (stranger.known, stranger.accuracy, stranger.mistaken_for) == (False, None, ())
    assert stranger.library == 2


def test_a_name_of_the_users_own():
    known = dossier("我的草", {"herbs": ["我的草"], "added": [["我的草", "c" * 64]]})
    assert known.herb.pinyin == "wǒ de cǎo"
    assert known.added
    assert known.accuracy is None


HOSTILE = [
    {},
    {"metrics": None},
    {"metrics": {"test": None, "mistakes": None}},
    {"metrics": {"test": {"per_herb": [1]}, "mistakes": {"herb": "党参"}}},
    {"metrics": {"test": {"per_herb": {"党参": 3}}, "mistakes": [None, 1, "x", {}, {"herb": []}]}},
    {"metrics": {"test": {"per_herb": {"党参": {"n": 0, "top1": None}}}}},
    {"metrics": {"test": {"per_herb": {"党参": {"n": -3, "top1": 0.5}}}}},
    {"metrics": {"test": {"per_herb": {"党参": {"n": 4.5, "top1": 0.5}}}}},
    {"metrics": {"test": {"per_herb": {"党参": {"n": True, "top1": 0.5}}}}},
    {"metrics": {"test": {"per_herb": {"党参": {"n": 4, "top1": 1.5}}}}},
    {"metrics": {"test": {"per_herb": {"党参": {"n": 4, "top1": float("nan")}}}}},
    {"metrics": {"test": {"per_herb": {"党参": {"n": 4, "top1": "all"}}}}},
    {"metrics": {"test": {"per_herb": {"党参": {"n": 10**400, "top1": 1}}}}},
    {"proof": 3},
    {"proof": {"per_herb": {"党参": {}}, "confusion": [[], ["党参", 2], ["党参", None, 1], 7]}},
    {"proof": {"confusion": [["党参", "桃", -1], ["党参", "桃", "1"], ["党参", "桃", 1.0]]}},
    {"proof": {"per_herb": {"党参": {"n": "many", "after": []}}, "held_out": "kept"}},
    {"added": 5},
    {"added": [3, [], None, "党参"]},
]


@pytest.mark.parametrize("more", HOSTILE, ids=lambda card: str(card)[:40])
def test_a_card_from_anywhere_costs_only_its_figures(more):
    known = dossier("党参", {"herbs": ["党参", "桃"], **more})
    assert known.known
    assert (known.added, known.accuracy) == (False, None)
    assert (known.mistaken_for, known.takes) == ((), ())


def test_no_model_at_all():
    assert not dossier("党参", {}).known
