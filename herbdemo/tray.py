"""Several herbs in one photo: which, and where. For a tray, or a prescription laid out.

from herbdemo import current, open_photo
from herbdemo.tray import look
for found in look(current(), open_photo("tray.jpg")).herbs: print(found.herb.zh, found.share)

The network is fully convolutional, so one pass at a larger size gives the head's logits cell by
cell, W·A_ij + b, each an answer to its own piece of the photo. A piece alone is easily mistaken for
another herb, so each cell's logits are averaged with those of the whole photo, seen as the
classifier sees it, just as `specimen.fuse` does with two photos of one herb. Neighbouring cells of
the same herb form a region. Two passes in all, ten times the cost of an ordinary answer.
Measured in benchmarks/MANY.md.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from herbdemo.herbs import Herb
from herbdemo.network import STRIDE
from herbdemo.photo import Photo
from herbdemo.recognise import Recogniser
from herbdemo.scores import Head
from herbdemo.specimen import fuse

# Chosen on composites of val photos, see benchmarks/MANY.md.
TIMES = 3  # the large pass: a herb that fills a third of the photo is as large as in training
WINDOW = 3  # cells on a side that are averaged; at 1 noise, at 7 small herbs get lost
LEAST_PROBABILITY = 0.7  # of a cell; below it the cell is background
LEAST_SHARE = 0.02  # of the photo; smaller regions are mostly mistakes


@dataclass(frozen=True)
class Region:
    """One place where a herb lies.

    Attributes:
        mask: its cells, bool (h, w); the grid covers the whole photo.
        probability: calibrated, in 0..1.
        share: of the photo's area, in 0..1.
        box: left, top, right and bottom, as parts of width and height, in 0..1.
    """

    herb: Herb
    mask: np.ndarray = field(repr=False)
    probability: float
    share: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Found:
    """One herb of a tray with all of its regions, the largest first."""

    herb: Herb
    regions: tuple[Region, ...]

    @property
    def share(self) -> float:
        """Of the photo's area, in 0..1."""
        return sum(region.share for region in self.regions)

    @property
    def probability(self) -> float:
        """That of the surest region: so sure it is that the herb is there at all."""
        return max(region.probability for region in self.regions)


@dataclass(frozen=True)
class Tray:
    """What lies where in one photo; `regions` is empty when nothing known was found."""

    photo: Photo
    regions: tuple[Region, ...]
    model: str
    sha256: str

    @property
    def herbs(self) -> tuple[Found, ...]:
        """The herbs, the one with the largest share first."""
        regions: dict[Herb, list[Region]] = {}
        for region in self.regions:
            regions.setdefault(region.herb, []).append(region)
        found = [Found(herb, tuple(its)) for herb, its in regions.items()]
        return tuple(sorted(found, key=lambda one: -one.share))


def look(recogniser: Recogniser, photo: Photo) -> Tray:
    """Find the herbs of the model in `photo`."""
    checkpoint = recogniser.checkpoint
    prepare, image = checkpoint.preprocessing.tensor, photo.image
    large = pass_size(image.size, TIMES * checkpoint.preprocessing.size)
    features = recogniser.passes()
    whole = features(prepare(image)[None])[0].mean(axis=(1, 2))
    cells = features(prepare(image, size=large)[None])[0]
    regions = regions_of(recogniser.head, whole, cells)
    return Tray(
        photo=photo,
        regions=tuple(
            Region(recogniser.herbs[k], mask, probability, float(mask.mean()), _box(mask))
            for k, mask, probability in regions
        ),
        model=checkpoint.id,
        sha256=checkpoint.sha256,
    )


def pass_size(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """`size` (width, height) with that longest side, in whole cells, the proportions kept."""
    scale = longest / max(size) / STRIDE
    width, height = (max(1, round(side * scale)) * STRIDE for side in size)
    return width, height


def regions_of(
    head: Head, whole: np.ndarray, cells: np.ndarray
) -> list[tuple[int, np.ndarray, float]]:
    """Regions as (position of the herb, mask (h, w), probability), the largest first.

    Args:
        whole: mean(A), (C,), of the whole photo at the classifier's own size.
        cells: the feature map (C, h, w) of the large pass.
    """
    windows = _box_mean(cells, WINDOW)
    flat, one = head.embed(windows.reshape(len(windows), -1).T), head.embed(whole[None])
    logits, photo = head.logits(flat), head.logits(one)[0]
    probabilities = fuse(_with(photo, logits), head.temperature)
    shape = windows.shape[1:]
    best = probabilities.argmax(axis=1).reshape(shape)
    sure = probabilities.max(axis=1).reshape(shape) >= LEAST_PROBABILITY
    familiarity = head.familiarity(flat).reshape(shape)
    found = []
    for k in np.unique(best[sure]):
        numbered, count = ndimage.label(sure & (best == k))
        for number in range(1, count + 1):
            mask = numbered == number
            if mask.mean() < LEAST_SHARE:
                continue
            # Somewhere it must look as much like a herb as a photo of one has to. If the photo as
            # a whole shows this herb, then that is its largest window.
            most = familiarity[mask].max()
            if k == photo.argmax():
                most = max(most, head.familiarity(one)[0])
            if most < head.unknown:
                continue
            pooled = head.embed(cells[:, mask].mean(axis=1)[None])
            region = fuse(_with(photo, head.logits(pooled)), head.temperature)[0]
            found.append((int(k), mask, float(region[k])))
    return sorted(found, key=lambda region: -region[1].sum())


def _with(photo: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Each of the logits (N, herbs) paired with the photo's own: (N, 2, herbs)."""
    return np.stack([logits, np.broadcast_to(photo, logits.shape)], axis=1)


def _box_mean(cells: np.ndarray, side: int) -> np.ndarray:
    """Means over windows of `side` x `side` cells (C, h, w), cut off at the border."""
    rows, columns = (_band(length, side) for length in cells.shape[1:])
    return rows @ cells @ columns.T


def _band(length: int, side: int) -> np.ndarray:
    at = np.arange(length)
    near = np.abs(at[:, None] - at) <= side // 2
    return (near / near.sum(axis=1, keepdims=True)).astype(np.float32)


def _box(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    return (
        float(columns.min() / width),
        float(rows.min() / height),
        float((columns.max() + 1) / width),
        float((rows.max() + 1) / height),
    )
