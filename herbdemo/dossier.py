"""What is known of one herb under one model: names, dangers, accuracy, what it is mistaken for.

All figures come from the model's card, which may come from anywhere: what cannot be a figure is
left out, as if it had not been measured.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from herbdemo.herbs import Herb, herb_named
from herbdemo.scores import wilson

_MOST = 10**9  # photos; no count is larger


@dataclass(frozen=True)
class Accuracy:
    """How often the herb was recognised.

    Attributes:
        photos: of this herb, none of which the model has learned from.
        top1: share of them whose best answer was this herb, 0..1. interval: 95 % (Wilson).
        held_out: which photos these are: "test", or what `proof.proof` says of them, such as
            ("kept",) or ("photos", "replay"); empty where the card does not say.
    """

    photos: int
    top1: float
    interval: tuple[float, float]
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class Dossier:
    """All there is to know of a herb.

    Attributes:
        known: whether the model knows it. added: whether its owner taught it this herb.
        accuracy: None where it was not measured for this herb.
        mistaken_for: what held-out photos of it were taken for, and how many, most often first.
        takes: the other way: which other herbs were taken for it.
        library: how many photos of it the library holds.
    """

    herb: Herb
    known: bool
    added: bool
    accuracy: Accuracy | None
    mistaken_for: tuple[tuple[Herb, int], ...]
    takes: tuple[tuple[Herb, int], ...]
    library: int


def dossier(herb: str, card: Mapping[str, Any], *, library: int = 0) -> Dossier:
    """What is known of the herb with this id.

    Args:
        card: of the model, as `checkpoint.read_card` gives it; `{}` for no model.
        library: how many photos of the herb the library holds.
    """
    known = herb in card.get("herbs", ())
    confused = _confused(card) if known else Counter()
    return Dossier(
        herb=herb_named(herb),
        known=known,
        added=known and any(pair and pair[0] == herb for pair in _lists(card.get("added"))),
        accuracy=_accuracy(herb, card) if known else None,
        mistaken_for=_ranked(
            (answer, n) for (truth, answer), n in confused.items() if truth == herb
        ),
        takes=_ranked((truth, n) for (truth, answer), n in confused.items() if answer == herb),
        library=library,
    )


def _accuracy(herb: str, card: Mapping[str, Any]) -> Accuracy | None:
    """By the proof of a model that was trained here, else by its own test."""
    proof = _dict(card.get("proof"))
    row = _dict(_dict(proof.get("per_herb")).get(herb))
    if row:
        side = "new" if row.get("before") is None else "old"
        ways = _dict(proof.get("held_out")).get(side)
        held_out = tuple(ways.split(" + ")) if isinstance(ways, str) and ways else ()
        return _share(row.get("n"), row.get("after"), held_out)
    test = _dict(_dict(card.get("metrics")).get("test"))
    row = _dict(_dict(test.get("per_herb")).get(herb))
    return _share(row.get("n"), row.get("top1"), ("test",))


def _share(n: object, share: object, held_out: tuple[str, ...]) -> Accuracy | None:
    if not _count(n) or not isinstance(share, int | float) or not 0 <= share <= 1:
        return None
    return Accuracy(n, float(share), wilson(round(share * n), n), held_out)


def _confused(card: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """How many photos of one herb were taken for another."""
    if proof := _dict(card.get("proof")):
        cells = [cell for cell in _lists(proof.get("confusion")) if len(cell) == 3]
    else:
        mistakes = _dict(card.get("metrics")).get("mistakes")
        rows = map(_dict, mistakes) if isinstance(mistakes, list) else ()
        cells = [[row.get("herb"), row.get("answer"), 1] for row in rows]
    confused: Counter[tuple[str, str]] = Counter()
    for truth, answer, n in cells:
        if isinstance(truth, str) and isinstance(answer, str) and truth != answer and _count(n):
            confused[truth, answer] += n
    return confused


def _ranked(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[Herb, int], ...]:
    return tuple((herb_named(zh), n) for zh, n in sorted(pairs, key=lambda pair: -pair[1]))


def _count(n: object) -> TypeGuard[int]:
    return isinstance(n, int) and not isinstance(n, bool) and 0 < n < _MOST


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _lists(value: object) -> list[list]:
    return [item for item in value if isinstance(item, list)] if isinstance(value, list) else []
