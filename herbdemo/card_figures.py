"""Whether what a card says of its model's accuracy can be shown.

Loading a model needs none of it, but a card may come from anywhere, and whoever lists models shows
these figures.
"""

from collections.abc import Collection, Mapping
from typing import Any

_SHOWN = ("photos", "top1", "top1_interval")  # of a model's own test, which may say more
_MOST = 1e9  # no figure is larger, and all up to it can be written as a percentage

_NETWORKS = {
    "efficientnet-lite0": "EfficientNet-Lite0",
    "ghostnet": "GhostNet",
    "keras-resnet50": "ResNet-50 (Keras)",
    "mnasnet": "MnasNet",
    "mobilenetv3": "MobileNetV3",
    "resnet50": "ResNet-50",
}


def network_name(card: Mapping[str, Any]) -> str:
    """What people call the network of the model with this card."""
    architecture = str(card.get("architecture", "resnet50"))
    return _NETWORKS.get(architecture, architecture)


def is_light(architecture: object) -> bool:
    """Whether it is one of the networks for phones and small machines."""
    return architecture in _NETWORKS and "resnet50" not in str(architecture)


def are_sound(card: Mapping[str, Any]) -> bool:
    """Whether `metrics`, where the card has them, and `proof` are as `proof.proof` makes them."""
    metrics, proof = card.get("metrics", {}), card.get("proof")
    return (
        isinstance(metrics, dict)
        and all(_figures(metrics.get(part) or {}, _SHOWN) for part in ("val", "test"))
        and (proof is None or _proof(proof))
    )


def _proof(proof: object) -> bool:
    return (
        isinstance(proof, dict)
        and _figures(proof.get("before"))
        and _figures(proof.get("after"))
        and isinstance(per_herb := proof.get("per_herb"), dict)
        and all(map(_figures, per_herb.values()))
        and isinstance(confusion := proof.get("confusion"), list)
        and all(map(_cell, confusion))
        and isinstance(mistakes := proof.get("mistakes"), list)
        and all(map(_mistake, mistakes))
    )


def _figures(values: object, names: Collection[str] | None = None) -> bool:
    """Shares, counts and intervals by their `names`; None where there was nothing to measure."""
    return isinstance(values, dict) and all(
        value is None
        or (
            isinstance(value, list) and len(value) == 2 and all(map(_number, value))
            if name.endswith("interval")
            else name == "model" or _number(value)
        )
        for name, value in values.items()
        if names is None or name in names
    )


def _cell(cell: object) -> bool:
    """[true herb, answer, photos], of the confusion."""
    return (
        isinstance(cell, list)
        and len(cell) == 3
        and all(isinstance(herb, str) for herb in cell[:2])
        and isinstance(cell[2], int)
        and 0 < cell[2] < _MOST
    )


def _mistake(mistake: object) -> bool:
    return (
        isinstance(mistake, dict)
        and all(isinstance(mistake.get(name), str) for name in ("file", "herb", "answer"))
        and "\0" not in mistake["file"]
        and _number(mistake.get("probability"))
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and -_MOST < value < _MOST  # nor NaN
