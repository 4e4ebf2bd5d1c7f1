"""Linear discriminant analysis on pooled features, from sums alone.

If the features of each herb were a Gaussian and all herbs shared one covariance, no head would be
better than this one (Fisher 1936; Hastie et al. 2009, §4.3). They nearly do, and nothing is
trained: the sums of `calibrate.feature_statistics` are enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from torch import Tensor

Head = tuple[np.ndarray, np.ndarray]  # W (herbs, D), b (herbs,)
SHRINK = 0.03  # share of the covariance replaced by equal noise; chosen on val
SHARE = 0.75  # of the discriminant in `blended`; chosen on val, see benchmarks/RECIPE.md


def moments(statistics: Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """count (herbs,), sum (herbs, D) and the sum of x xᵀ (D, D) of all photos, in float64."""
    count, total = (statistics[key].double().numpy() for key in ("count", "sum"))
    size = total.shape[1]
    moment = np.zeros((size, size))
    moment[np.triu_indices(size)] = statistics["moment"].double().numpy()
    return count, total, moment + np.triu(moment, 1).T


@dataclass(frozen=True)
class Discriminant:
    """One Gaussian per herb, all with the same covariance S.

    Attributes:
        count: photos of each herb (herbs,), at least 1.
        means: (herbs, D). precision: P, the inverse of the shrunk S (D, D). missed: trace(P S).
    """

    count: np.ndarray
    means: np.ndarray
    precision: np.ndarray
    missed: float

    @classmethod
    def of(
        cls, count: np.ndarray, total: np.ndarray, moment: np.ndarray, *, shrink: float = SHRINK
    ) -> "Discriminant":
        """From the sums that `moments` gives: (herbs,), (herbs, D) and (D, D)."""
        count = np.maximum(count, 1)  # a herb whose photos do not open has no mean, not a wrong one
        within = covariance(count, total, moment)
        precision = shrunk_inverse(within, shrink)
        return cls(count, total / count[:, None], precision, float((precision * within).sum()))

    def head(self) -> Head:
        """W (herbs, D), b (herbs,) whose logits are log-likelihoods of equally likely herbs.

        A mean of n photos misses the true one, which makes its herb look further away than it is,
        by trace(P S) / n squared distances on average; few photos must not be a disadvantage.
        """
        weight = self.means @ self.precision
        return weight, -0.5 * ((weight * self.means).sum(axis=1) - self.missed / self.count)

    def left_out(self, x: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """What photos would score for their own herb, had its mean been taken without them: (N,).

        Without all of their group, since copies know the answer. Only the mean: the covariance
        stays. NaN where the herb has no photo of another group.
        """
        _, together = np.unique(np.stack([labels, groups]), axis=1, return_inverse=True)
        sums = np.zeros((together.max(initial=-1) + 1, x.shape[1]))
        np.add.at(sums, together, x)
        n = self.count[labels]
        others = n - np.bincount(together)[together]
        with np.errstate(divide="ignore", invalid="ignore"):
            means = (n[:, None] * self.means[labels] - sums[together]) / others[:, None]
            means[others < 1] = np.nan
            weight = means @ self.precision
            return (weight * (x - means / 2)).sum(axis=1) + self.missed / others / 2


def covariance(count: np.ndarray, total: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """The covariance (D, D) of photos around the mean of their herb, shared by all herbs."""
    count = np.maximum(count, 1)
    means = total / count[:, None]
    return (moment - total.T @ means) / max(1.0, count.sum() - len(count))


def shrunk(spread: np.ndarray, share: float = SHRINK) -> np.ndarray:
    """The covariance `spread` (D, D) with `share` of it replaced by equal noise in all directions.

    Friedman 1989, "Regularized discriminant analysis": few photos leave some directions out.
    """
    noise = np.trace(spread) / len(spread)
    return (1 - share) * spread + share * noise * np.eye(len(spread))


def shrunk_inverse(spread: np.ndarray, share: float) -> np.ndarray:
    """The inverse (D, D) of `shrunk`, which always exists."""
    factor, _ = lapack.dpotrf(shrunk(spread, share), lower=True)
    lower, _ = lapack.dpotri(factor, lower=True)  # a third of the time of numpy's general inverse
    return np.tril(lower) + np.tril(lower, -1).T


def blended(
    weight: np.ndarray,
    bias: np.ndarray,
    statistics: Mapping[str, Tensor],
    *,
    share: float = SHARE,
) -> Head:
    """The weighted mean of a trained head and the discriminant, which err on different photos.

    The discriminant is scaled so that its logits are as large as the trained head's: the factor is
    the least-squares fit over the training photos, which the sums give without them.

    Args:
        weight, bias: the trained head, (herbs, D) and (herbs,).
        statistics: of the model, see `moments`.
        share: how much of the discriminant, 0..1.
    """
    sums = moments(statistics)
    found, trained = centred(*Discriminant.of(*sums).head()), centred(weight, bias)
    scale = loudness(trained, found, *sums)
    weight, bias = (
        ((1 - share) * t + share * scale * f).astype(np.float32)
        for t, f in zip(trained, found, strict=True)
    )
    return weight, bias


def loudness(
    head: Head, other: Head, count: np.ndarray, total: np.ndarray, moment: np.ndarray
) -> float:
    """The factor that makes the logits of `other` most like those of `head`, in squares.

    Over the photos behind the sums (herbs,), (herbs, D) and (D, D) that `moments` gives.
    0 where `other` says nothing at all.
    """
    photos, everything = count.sum(), total.sum(axis=0)

    def product(one: Head, two: Head) -> float:
        """Sum over all photos and herbs of the products of two heads' logits."""
        (w1, b1), (w2, b2) = one, two
        across = (b1 @ w2 + b2 @ w1) @ everything
        return float(((w1 @ moment) * w2).sum() + across + photos * (b1 @ b2))

    size = product(other, other)
    return product(head, other) / size if size else 0.0


def centred(weight: np.ndarray, bias: np.ndarray) -> Head:
    """W (herbs, D), b (herbs,) without what all herbs have in common, which no softmax can see."""
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    return weight - weight.mean(axis=0), bias - bias.mean()
