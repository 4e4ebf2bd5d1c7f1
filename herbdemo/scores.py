"""From pooled features to probabilities, familiarity and a verdict. Numpy only, a millisecond."""

from dataclasses import dataclass

import numpy as np

from herbdemo.checkpoint import Checkpoint

CERTAIN, UNSURE, UNKNOWN = "certain", "unsure", "unknown"


@dataclass(frozen=True)
class Head:
    """The linear algebra after the network, in numpy.

    Attributes:
        weight: W (herbs, 2048); bias: b (herbs,).
        temperature: divides the logits before the softmax (Guo et al. 2017).
        certain: least probability of a "certain" answer.
        unknown: least familiarity of a photo that shows a herb of the model.
        means: mean pooled feature of each herb's training photos (herbs, 2048).
    """

    weight: np.ndarray
    bias: np.ndarray
    temperature: float
    certain: float
    unknown: float
    means: np.ndarray

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Head":
        """The head of a checkpoint, with what its statistics say of the herbs."""
        fc, statistics = checkpoint.network.fc, checkpoint.statistics
        means = np.zeros_like(fc.weight.detach().cpu().numpy())  # nothing known of the photos
        if statistics:
            means = (statistics["sum"] / statistics["count"].clamp(min=1)[:, None]).numpy()
        return cls(
            weight=fc.weight.detach().cpu().numpy().copy(),
            bias=fc.bias.detach().cpu().numpy().copy(),
            temperature=checkpoint.temperature,
            certain=checkpoint.thresholds.get("certain", 0.9),
            unknown=checkpoint.thresholds.get("unknown", -np.inf),
            means=means,
        )

    def logits(self, pooled: np.ndarray) -> np.ndarray:
        """Logits (N, herbs) of pooled features (N, 2048), before the temperature."""
        return pooled @ self.weight.T + self.bias

    def probabilities(self, pooled: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, herbs) of pooled features (N, 2048)."""
        return softmax(self.logits(pooled) / self.temperature)

    def familiarity(self, pooled: np.ndarray) -> np.ndarray:
        """How much photos (N, 2048) look like the training photos of some herb: (N,), at most 1.

        The cosine to the nearest herb's mean, seen from the mean of all herbs.
        """
        centre = self.means.mean(axis=0)
        directions = unit(self.means - centre)
        return (unit(pooled - centre) @ directions.T).max(axis=1)

    def verdict(self, probability: float, familiarity: float) -> str:
        """The verdict on a photo by its best probability and its familiarity."""
        if familiarity < self.unknown:
            return UNKNOWN
        return CERTAIN if probability >= self.certain else UNSURE


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, safe for large logits."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def expected_calibration_error(
    probability: np.ndarray, right: np.ndarray, *, bins: int = 15
) -> float:
    """ECE (Naeini et al. 2015): mean gap between confidence and accuracy, over equal-width bins.

    Args:
        probability: of the best herb, per photo, in 0..1. right: whether that herb is the true one.
    """
    bin_of = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(probability[bin_of == b].mean() - right[bin_of == b].mean()) * (bin_of == b).mean()
        for b in np.unique(bin_of)
    ]
    return float(sum(gaps))


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), honest also near 0 and 1."""
    z, share = 1.96, hits / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
