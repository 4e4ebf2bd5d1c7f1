"""Whether what a model keeps of its photos fits its network and its card.

An answer needs little of it, but extending a model, training it on and judging several photos of
one herb do, and a model may come from anywhere.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

# The size of each statistic, by letters that stand for the same number everywhere: D features,
# R their roots, B herbs of the base model, A photos added to it, P products of two features, and
# others.
_SHAPES = {
    "count": "B", "sum": "BD", "moment": "P", "covariance": "P",
    "basis": "Rd", "bank": "nd", "bank_labels": "n",
    "val": "vD", "val_labels": "v", "held_out": "h",
    "added": "AD", "added_prints": "A", "weight": "BD", "bias": "B",
}  # fmt: skip
_WHOLE = ("bank_labels", "val_labels", "held_out", "added_prints")  # int64; all others are floats
_FLOATS = (torch.float16, torch.float32, torch.float64)
_NEEDS = {"bank": {"basis"}, "basis": {"bank"}, "bank_labels": {"bank"}, "val": {"val_labels"},
          "val_labels": {"val"}, "covariance": {"count", "sum"}}  # fmt: skip
# What logits may be divided by. A head that is worse than chance asks for infinity.
COLDEST, HOTTEST = 1e-6, 1e6
_EXTENDED = ("count", "sum", "added", "added_prints", "weight", "bias")
_MOMENT = ("moment", "covariance")  # either gives the other, see `checkpoint`


def statistics_fit(
    statistics: Mapping[str, Tensor],
    card: Mapping[str, Any],
    *,
    features: int,
    signed: bool = False,
) -> bool:
    """Whether each statistic that is there can be used: its kind, its size, its numbers.

    Args:
        card: sound by `added_fits`. features: D, of the network's head. signed: see `HerbNet`.
    """
    base = card.get("base")
    herbs = len(card["herbs"])
    size = {"D": features, "R": features * (1 + signed), "B": len(base["herbs"]) if base else herbs,
            "A": len(card.get("added", ())), "P": features * (features + 1) // 2}  # fmt: skip
    for name, shape in _SHAPES.items():
        if (value := statistics.get(name)) is None:
            continue
        if not _NEEDS.get(name, set()) <= set(statistics) or value.ndim != len(shape):
            return False
        if any(
            size.setdefault(n, found) != found for n, found in zip(shape, value.shape, strict=True)
        ):
            return False
        if name in _WHOLE:
            if value.dtype != torch.int64:
                return False
        elif value.dtype not in _FLOATS or not bool(value.isfinite().all()):
            return False
    # An older model does not know whose the photos of its bank are: -1.
    labels = (("bank_labels", -1, herbs), ("val_labels", 0, size["B"]))
    return (
        all(_within(statistics[name], *most) for name, *most in labels if name in statistics)
        and bool((statistics.get("count", torch.zeros(1)) >= 0).all())
        and (not base or set(_EXTENDED) <= set(statistics))
        and (not base or any(name in statistics for name in _MOMENT))
        and (not base or size.get("n", size["A"]) >= size["A"])
    )


def added_fits(card: Mapping[str, Any]) -> bool:
    """Whether a card says of the photos added to its model, and of the one before, what it needs.

    Args:
        card: whose herbs are a list of texts.
    """
    base, added, herbs = card.get("base"), card.get("added", []), set(card["herbs"])
    if base is None:
        return added == []
    return (
        isinstance(base, dict)
        and _are_texts(base.get("herbs"))
        and 0 < len(base["herbs"]) == len(set(base["herbs"]))
        and card["herbs"][: len(base["herbs"])] == base["herbs"]
        and limits_fit(base)
        and isinstance(base.get("metrics"), dict)
        and isinstance(added, list)
        and all(_are_texts(pair) and len(pair) == 2 and pair[0] in herbs for pair in added)
    )


def limits_fit(card: Mapping[str, Any]) -> bool:
    """Whether `temperature` and `thresholds` are numbers that can be calculated with."""
    temperature: Any = card.get("temperature")
    thresholds = card.get("thresholds")
    return (
        _is_number(temperature)
        and COLDEST <= temperature <= HOTTEST
        and isinstance(thresholds, dict)
        and all(_is_number(limit) and abs(limit) < 1e9 for limit in thresholds.values())
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _within(labels: Tensor, least: int, beyond: int) -> bool:
    """Whether labels are positions of herbs."""
    return not len(labels) or bool((labels.min() >= least) & (labels.max() < beyond))
