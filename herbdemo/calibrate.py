"""What turns trained weights into a model: temperature, thresholds and feature statistics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from herbdemo.architectures import network_from_state
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.dataset import Sample, fingerprints
from herbdemo.decoded import reduced
from herbdemo.discriminant import blended
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import Features, Known, engine_for, extract, joined, measure
from herbdemo.fits import COLDEST, HOTTEST
from herbdemo.likeness import likeness, prepared
from herbdemo.quantise import limits_of, simulated
from herbdemo.scores import Head, Tail, directions, roots

if TYPE_CHECKING:  # it rests on this module
    from herbdemo.replay import Memory

CERTAIN_ACCURACY = 0.99  # of the validation photos answered "certain", so many are right
DIRECTIONS = 128  # of a ResNet-50's 2048; all know unknowns no better and take 16 times the space
KEPT_PER_HERB = 200  # photos whose directions are kept, 256 bytes each
KEPT_HELD_OUT = 20  # validation photos of each herb whose features are kept, 4 KB each
LIMITS_FROM = 320  # photos; more change the limits of int8 by a few percent
JUDGED_ON = 600  # photos; two passes over each, whose time should stay small beside the training's
KNOWN_KEPT = 0.96  # share of the herbs' own validation photos that are not called unknown


def finish(
    state: Mapping[str, Tensor],
    *,
    name: str,
    architecture: str = "resnet50",
    herbs: Sequence[str],
    preprocessing: Preprocessing,
    train: Sequence[Sample],
    val: Sequence[Sample],
    card: Mapping[str, Any],
    unseen: Sequence[Sample] = (),
    memory: "Memory | None" = None,
    opened: Callable[[Path], Image.Image] = reduced,
    known: Known | None = None,
    keep_head: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Checkpoint:
    """The finished, unsaved model of the trained weights `state`.

    Statistics come from the training photos as they are, temperature and thresholds from `val`;
    those of herbs without photos are handed on from their model by `memory`.
    The head becomes a weighted mean of the trained one and of what the statistics say.
    The features of `val` are kept, to show later what a change of the head does to these herbs; of
    `val` and `unseen` the fingerprints are, so that nobody trains on them unawares.

    Args:
        keep_head: the head stays as it was trained, for who has not trained it here.
        card: what it says of "int8", if anything, is handed on; otherwise `eight_bits` finds it.
        opened, known: see `evaluate.extract`.
        progress: told how many photos are done, of how many; what it raises ends the work.
    """
    network = network_from_state(as_saved(state), architecture)
    engine = engine_for(network, len(train) + len(val))
    held_out = [*val, *unseen]
    eight = 0 if "int8" in card else min(LIMITS_FROM, len(train)) + min(JUDGED_ON, len(val))
    total = len(train) + len(val) + len(held_out) + eight

    def after(seen: int) -> Callable[[int, int], None]:
        return lambda done, _: progress(seen + done, total)

    look = partial(extract, engine, herbs=herbs, preprocessing=preprocessing, opened=opened,
                   known=known, tail=Tail.of(network))  # fmt: skip
    train_features = look(train, progress=after(0))
    val_features = look(val, progress=after(len(train)))
    prints, _ = fingerprints(held_out, progress=after(len(train) + len(val)))
    statistics = feature_statistics(train_features, len(herbs))
    if memory:
        for key in ("count", "sum"):
            statistics[key][: len(memory.herbs)] += memory.statistics[key]
        statistics["moment"] += memory.statistics["moment"]
        val_features = joined(val_features, memory.held_out)
    if not keep_head:
        fc = network.fc  # on the engine's device by now
        head = blended(fc.weight.cpu().numpy(), fc.bias.cpu().numpy(), statistics)
        for parameter, value in zip((fc.weight, fc.bias), head, strict=True):
            parameter.copy_(torch.from_numpy(value))
    kept = _first_of_each(val_features.labels, KEPT_HELD_OUT)
    finished = calibrated(
        Checkpoint(
            id=name,
            network=network,
            herbs=tuple(herbs),
            preprocessing=preprocessing,
            statistics={
                **statistics,
                **familiar_directions(
                    train_features, memory.statistics if memory else {}, signed=network.signed
                ),
                "val": torch.from_numpy(val_features.pooled[kept]).half(),
                "val_labels": torch.from_numpy(val_features.labels[kept]),
                "held_out": torch.from_numpy(prints),
            },
            card={**card, "data": {"train": len(train), "val": len(val)}},
        ),
        val_features,
    )
    if "int8" in card:
        return finished
    int8 = eight_bits(finished, train, val, opened=opened,
                      progress=after(len(train) + len(val) + len(held_out)))  # fmt: skip
    return replace(finished, card={**finished.card, "int8": int8})


def eight_bits(
    checkpoint: Checkpoint,
    train: Sequence[Sample],
    val: Sequence[Sample],
    *,
    opened: Callable[[Path], Image.Image] = reduced,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """What the card says of eight bits: their limits, and how alike the answers are on `val`.

    Args:
        opened: gives the picture of a file, see `decoded`.
        progress: told how many photos are done, of how many; what it raises ends the work.
    """
    few, judges = _spread(train, LIMITS_FROM), _spread(val, JUDGED_ON)
    total = len(few) + len(judges)
    photos = prepared(few, checkpoint, opened=opened, progress=lambda done: progress(done, total))
    limits = limits_of(TorchEngine(checkpoint.network), (batch for batch, _ in photos))
    if not limits or not judges:
        return {"passes": False}
    found = likeness(
        checkpoint,
        {"int8": TorchEngine(simulated(checkpoint.network, limits))},
        judges,
        opened=opened,
        progress=lambda done: progress(len(few) + done, total),
    )["int8"]
    return {"passes": found.passes, "limits": limits, "photos": len(few), "val": asdict(found)}


def _spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of them, from all over."""
    rows = np.linspace(0, len(samples) - 1, min(most, len(samples)), dtype=int)
    return [samples[i] for i in rows]


def as_saved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rounded as it will be saved, so that what is measured is what will be loaded."""
    return {k: v.half().float() if v.ndim == 4 else v for k, v in state.items()}


def calibrated(checkpoint: Checkpoint, val: Features) -> Checkpoint:
    """The checkpoint with temperature and thresholds fitted on held-out features."""
    head = Head.of(checkpoint)
    temperature = fit_temperature(head.logits(val.pooled), val.labels)
    head = Head.of(replace(checkpoint, temperature=temperature))
    best = head.probabilities(val.pooled)
    thresholds = {
        "certain": certain_threshold(best.max(axis=1), best.argmax(axis=1) == val.labels),
        "unknown": unknown_threshold(head.familiarity(val.pooled)),
    }
    final = replace(checkpoint, temperature=temperature, thresholds=thresholds)
    metrics = measure(Head.of(final), val, final.herbs, [""] * len(val.labels))
    kept = ("photos", "top1", "top1_interval", "top5", "macro_top1", "ece", "certain",
            "certain_top1")  # fmt: skip
    card = {**final.card, "metrics": {"val": {key: metrics[key] for key in kept}}}
    return replace(final, card=card)


def feature_statistics(features: Features, herbs: int) -> dict[str, Tensor]:
    """Sums over features x, all that a new linear head or a Gaussian per herb needs.

    Returns:
        count (herbs,), sum (herbs, D), and moment: the upper triangle, row by row, of the sum
        of x xᵀ over all photos. They add: the sums of two sets of photos are those of their union.
    """
    x = torch.from_numpy(features.pooled).double()
    one_hot = functional.one_hot(torch.from_numpy(features.labels), herbs).double()
    rows, columns = torch.triu_indices(x.shape[1], x.shape[1])
    return {
        "count": one_hot.sum(0).float(),
        "sum": (one_hot.T @ x).float(),
        "moment": (x.T @ x)[rows, columns].float(),
    }


def familiar_directions(
    features: Features, known: Mapping[str, Tensor] | None = None, *, signed: bool = False
) -> dict[str, Tensor]:
    """What `Head.familiarity` compares with: the photos, added to the `known` ones, if any.

    Args:
        signed: see `HerbNet`.

    Returns:
        basis (D, d), or (2 D, d) where features have both signs, the principal directions of the
        square roots of the features, bank (photos, d), the photos in them, at most
        `KEPT_PER_HERB` of each herb, both in fp16, and bank_labels (photos,).
    """
    known = known or {}
    if "basis" in known:
        basis = known["basis"].numpy()
    else:
        x = roots(features.pooled, both=signed).astype(np.float64)
        basis = np.linalg.eigh(x.T @ x)[1][:, -DIRECTIONS:].astype(np.float16)
    rows = _first_of_each(features.labels, KEPT_PER_HERB)
    bank = directions(features.pooled[rows], basis.astype(np.float32)).astype(np.float16)
    found = {"bank": torch.from_numpy(bank), "bank_labels": torch.from_numpy(features.labels[rows])}
    if "bank_labels" in known:
        found = {name: torch.cat([known[name], more]) for name, more in found.items()}
    return {"basis": torch.from_numpy(basis), **found}


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The T that makes softmax(logits / T) most likely (Guo et al. 2017); T > 0 keeps the order.

    Where every photo is right, no T would be too small; then the labels count as a little unsure,
    by Laplace's rule of succession.

    Args:
        logits: (n, herbs), before the softmax. labels: int (n,).
    """
    z, y = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    doubt = 1 / (len(y) + 2) if bool((z.argmax(1) == y).all()) else 0.0
    log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(z / log_t.exp(), y, label_smoothing=doubt)
        value.backward()
        return value

    optimizer.step(loss)
    return float(np.clip(log_t.detach().exp(), COLDEST, HOTTEST))


def unknown_threshold(familiarity: np.ndarray) -> float:
    """The familiarity that `KNOWN_KEPT` of the herbs' own photos (N,) reach."""
    # "lower": of a few photos, interpolation would lose one more than promised.
    return float(np.quantile(familiarity, 1 - KNOWN_KEPT, method="lower"))


def certain_threshold(probability: np.ndarray, right: np.ndarray) -> float:
    """The lowest probability from which on `CERTAIN_ACCURACY` of the answers are right.

    Above 1 where there is none: then no answer is certain.

    Args:
        probability: (n,), 0..1, of the best herb. right: bool (n,), whether it is the true one.
    """
    order = np.argsort(-probability)
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Equal probabilities, such as several 1.0, are in or out together.
    last = np.append(np.diff(probability[order]) != 0, True)
    enough = np.flatnonzero((accuracy >= CERTAIN_ACCURACY) & last)
    return float(probability[order[enough[-1]]]) if len(enough) else float(np.nextafter(1.0, 2.0))


def _first_of_each(labels: np.ndarray, most: int) -> np.ndarray:
    """Positions of at most `most` photos of each herb, herb by herb."""
    herbs = np.unique(labels)
    return np.concatenate([np.flatnonzero(labels == herb)[:most] for herb in herbs])
