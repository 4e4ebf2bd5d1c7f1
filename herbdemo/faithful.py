"""Whether a map shows what the model really looks at: what happens without its bright parts?

from herbdemo.faithful import faithfulness
faithfulness(explainer(), seen, "金银花", explanation.values).verdict

Parts of the photo are taken away in the order of the map, and the model is asked again. Two ways
from the literature: ROAD (Rong et al. 2022) fills the hole from its surroundings, so that the hole
itself tells nothing; deletion and insertion (Petsiuk et al. 2018) blur a growing part of the photo,
and bring a growing part of a blurred photo back. Three dozen forward passes in all.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from herbdemo.explain import Explainer, Seen
from herbdemo.heatmap import resized

SHARES = (0.1, 0.3, 0.5, 0.7)  # of the photo's area; larger holes take seconds each to fill
STEPS = tuple(step / 10 for step in range(11))  # of deletion and insertion
BLUR = 16  # px of a photo of 224: colours stay, and no herb is left to recognise
NOISE = 0.01  # added to what ROAD fills in, as its authors do
BATCH = 8  # photos per forward pass
# How far the map is moved for a comparison with other places, in shares of its height and width:
# to the middle of two opposite quarters, if it shines in the middle.
ELSEWHERE = ((0.25, 0.25), (0.75, 0.75))
CLEAR = 0.1  # a smaller difference between probabilities proves nothing


@dataclass(frozen=True)
class Faithfulness:
    """What the model makes of the photo when parts of it are gone. All are probabilities, 0..1.

    Attributes:
        whole: of the herb, for the whole photo.
        most, least: without the brightest, or the dullest, of each of `SHARES`, as ROAD fills them.
        elsewhere: without as much in other places, as if by chance.
        deletion: with more and more of the brightest blurred, at `STEPS`.
        insertion: with more and more of the brightest brought back into a blurred photo.
    """

    whole: float
    most: tuple[float, ...]
    least: tuple[float, ...]
    elsewhere: tuple[float, ...]
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]

    @property
    def road(self) -> float:
        """Mean of `least` less that of `most`: 0 for a map that knows nothing, at best near 1."""
        return float(np.mean(self.least) - np.mean(self.most))

    @property
    def deletion_auc(self) -> float:
        """Area below `deletion`: the smaller, the better."""
        return float(np.trapezoid(self.deletion, STEPS))

    @property
    def insertion_auc(self) -> float:
        """Area below `insertion`: the larger, the better."""
        return float(np.trapezoid(self.insertion, STEPS))

    @property
    def said(self) -> int:
        """Of which of `SHARES` to speak: the smallest that clearly matters, or the last."""
        gaps = np.abs(np.subtract(self.least, self.most))
        return int(np.argmax(gaps > CLEAR)) if (gaps > CLEAR).any() else len(SHARES) - 1

    @property
    def verdict(self) -> str:
        """What may be said of the map.

        "faithful": without its bright parts the probability falls clearly further than without its
        dull parts, and than by chance; "unfaithful": it falls without the dull parts; "open": too
        little changes to tell, as with a herb that fills the photo, or that the model does not see.
        """
        most, least, elsewhere = (p[self.said] for p in (self.most, self.least, self.elsewhere))
        gap = least - most
        if gap > CLEAR and elsewhere - most > CLEAR and self.road > 0:
            return "faithful"
        return "unfaithful" if gap < -CLEAR and self.road < 0 else "open"


def faithfulness(explainer: Explainer, seen: Seen, herb: str, values: np.ndarray) -> Faithfulness:
    """Measure the map `values` (h, w) of `herb` on the photo `seen`.

    Raises:
        HerbError: the model does not know the herb.
    """
    x = seen.x[0].cpu()
    photos = _photos(x, _rank(values, x.shape[-1]), values)
    found: list[float] = []
    while batch := list(itertools.islice(photos, BATCH)):
        found += explainer.probabilities(torch.stack(batch), herb).tolist()
    whole = float(seen.probabilities[explainer.herbs.index(herb)])
    parts = np.split(
        np.array(found), np.cumsum([n := len(SHARES), n, n * len(ELSEWHERE), len(STEPS) - 1])
    )
    most, least, elsewhere, deletion, insertion = (tuple(map(float, part)) for part in parts)
    return Faithfulness(
        whole=whole,
        most=most,
        least=least,
        elsewhere=tuple(np.reshape(elsewhere, (len(ELSEWHERE), -1)).mean(axis=0).tolist()),
        deletion=(whole, *deletion),
        insertion=(deletion[-1], *insertion, whole),
    )


def _photos(x: Tensor, rank: np.ndarray, values: np.ndarray) -> Iterator[Tensor]:
    """All that the model is asked about, in the order of the parts above."""
    for share in SHARES:
        yield _filled(x, rank < share)
    for share in SHARES:
        yield _filled(x, rank >= 1 - share)
    height, width = values.shape
    for down, right in ELSEWHERE:
        moved = np.roll(values, (round(down * height), round(right * width)), axis=(0, 1))
        elsewhere = _rank(moved, x.shape[-1])
        for share in SHARES:
            yield _filled(x, elsewhere < share)
    sigma = BLUR * x.shape[-1] / 224
    blurred = gaussian_blur(x, [2 * int(2 * sigma) + 1] * 2, [sigma] * 2)
    ranks = torch.from_numpy(rank)
    for step in STEPS[1:]:
        yield torch.where(ranks < step, blurred, x)
    for step in STEPS[1:-1]:
        yield torch.where(ranks < step, x, blurred)


def _rank(values: np.ndarray, side: int) -> np.ndarray:
    """Where each pixel of the photo stands: (side, side), from 0 for the brightest up to 1.

    Much of a map is exactly zero; there the order is random, but neighbours stay together.
    """
    noise = np.random.default_rng(0).random((7, 7), np.float32)
    fine = resized(values, (side, side), smooth=True)
    fine = np.maximum(fine, 0) + 1e-6 * resized(noise, (side, side), smooth=True)
    rank = np.empty(side * side, np.float32)
    rank[np.argsort(-fine, axis=None, kind="stable")] = np.arange(side * side) / (side * side)
    return rank.reshape(side, side)


def _filled(x: Tensor, hole: np.ndarray) -> Tensor:
    """The photo (3, H, W) with its hole filled from its surroundings."""
    from herbdemo import cam  # with pytorch-grad-cam, which takes seconds to import

    filled = cam.filled(x, torch.from_numpy(hole))
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return filled + NOISE * noise * torch.from_numpy(hole)
