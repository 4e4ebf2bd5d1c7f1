"""How alike two ways to run one network answer: the gate that a faster engine must pass."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample
from herbdemo.decoded import reduced
from herbdemo.engine import Engine, TorchEngine
from herbdemo.errors import HerbError
from herbdemo.heatmap import class_maps, normalised
from herbdemo.scores import Head, expected_calibration_error

POINTS = 0.003  # top-1 and calibration error may differ by so much
SAME = 0.99  # share of the photos that must be given the same herb
ALIKE = 0.99  # mean correlation of the heatmaps of the best herb
BATCH = 16


@dataclass(frozen=True)
class Likeness:
    """What was found on photos with known herbs.

    Attributes:
        photos: how many. same: share of them with the same best herb.
        top1, ece: by how much they are higher than those of the reference, in 0..1.
        maps, maps_p1: correlation of the best herb's heatmaps, the mean and the first percentile.
    """

    photos: int
    same: float
    top1: float
    ece: float
    maps: float
    maps_p1: float

    @property
    def passes(self) -> bool:
        """Whether the other one may answer in place of the reference."""
        return (
            self.same >= SAME
            and abs(self.top1) <= POINTS
            and abs(self.ece) <= POINTS
            and self.maps >= ALIKE
        )


class Comparison:
    """Of the feature maps of two engines, batch by batch."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._odds: tuple[list, list] = [], []
        self._truth: list[int] = []
        self._maps: list[float] = []

    def add(self, reference: np.ndarray, other: np.ndarray, labels: Sequence[int]) -> None:
        """Maps (n, C, h, w) of both for the same photos, which show these herbs of the head."""
        odds = [
            self._head.probabilities(self._head.embed(A.mean(axis=(2, 3))))
            for A in (reference, other)
        ]
        for rows, batch in zip(self._odds, odds, strict=True):
            rows.append(batch)
        self._truth += labels
        for k, one, two in zip(odds[0].argmax(axis=1), reference, other, strict=True):
            self._maps.append(_correlation(self._head, k, one, two))

    def result(self) -> Likeness:
        """What was found; at least one batch is needed."""
        odds = [np.concatenate(rows) for rows in self._odds]
        best = [rows.argmax(axis=1) for rows in odds]
        right = [herb == np.array(self._truth) for herb in best]
        errors = [
            expected_calibration_error(rows.max(axis=1), hits)
            for rows, hits in zip(odds, right, strict=True)
        ]
        return Likeness(
            photos=len(self._truth),
            same=float((best[0] == best[1]).mean()),
            top1=float(right[1].mean() - right[0].mean()),
            ece=errors[1] - errors[0],
            maps=float(np.mean(self._maps)),
            maps_p1=float(np.quantile(self._maps, 0.01)),
        )


def likeness(
    checkpoint: Checkpoint,
    engines: Mapping[str, Engine],
    samples: Sequence[Sample],
    *,
    opened: Callable[[Path], Image.Image] = reduced,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Likeness]:
    """How each of these engines answers for a model, beside torch, on photos of known herbs.

    One pass of each over the photos that open, of which there must be some.

    Args:
        opened: gives the picture of a file, see `decoded`.
    """
    reference, head = TorchEngine(checkpoint.network), Head.of(checkpoint)
    found = {name: Comparison(head) for name in engines}
    for batch, labels in prepared(samples, checkpoint, opened=opened, progress=progress):
        maps = reference.features(batch)
        for name, engine in engines.items():
            found[name].add(maps, engine.features(batch), labels)
    return {name: comparison.result() for name, comparison in found.items()}


def prepared(
    samples: Sequence[Sample],
    checkpoint: Checkpoint,
    *,
    opened: Callable[[Path], Image.Image] = reduced,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[tuple[Tensor, list[int]]]:
    """Photos as the network takes them, (n, 3, size, size), and their herbs' places in its head.

    Photos that do not open are passed over.

    Args:
        opened: gives the picture of a file, see `decoded`.
        progress: told how many photos are done; what it raises ends the work.
    """
    index = {herb: position for position, herb in enumerate(checkpoint.herbs)}
    for start in range(0, len(samples), BATCH):
        tensors, labels = [], []
        for sample in samples[start : start + BATCH]:
            with contextlib.suppress(HerbError):
                tensors.append(checkpoint.preprocessing.tensor(opened(sample.path)))
                labels.append(index.get(sample.herb, -1))
        if tensors:
            yield torch.stack(tensors), labels
        progress(min(start + BATCH, len(samples)))


def _correlation(head: Head, k: int, one: np.ndarray, other: np.ndarray) -> float:
    """Of the heatmaps of one herb; 1 for two that are flat, 0 where only one of them is."""
    a, b = (
        normalised(class_maps(A, head.map_weights(A.mean(axis=(1, 2)), [k]))).ravel()
        for A in (one, other)
    )
    if a.std() == 0 or b.std() == 0:
        return float(a.std() == b.std())
    return float(np.corrcoef(a, b)[0, 1])
