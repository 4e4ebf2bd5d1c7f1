"""From pooled features to probabilities, familiarity and a verdict. Numpy only, a millisecond."""

from dataclasses import dataclass

import numpy as np

from herbdemo.checkpoint import Checkpoint
from herbdemo.errors import HerbError

CERTAIN, UNSURE, UNKNOWN = "certain", "unsure", "unknown"


@dataclass(frozen=True)
class Head:
    """The linear algebra after the network, in numpy.

    Attributes:
        weight: W (herbs, 2048); bias: b (herbs,).
        temperature: divides the logits before the softmax (Guo et al. 2017).
        certain: least probability of a "certain" answer.
        unknown: least familiarity of a photo that shows a herb of the model.
        basis: main directions of the training photos' features (2048, d).
        bank: the training photos in these directions (photos, d), see `familiar_directions`.
    """

    weight: np.ndarray
    bias: np.ndarray
    temperature: float
    certain: float
    unknown: float
    basis: np.ndarray
    bank: np.ndarray

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Head":
        """The head of a checkpoint, with what its statistics say of the herbs."""
        fc = checkpoint.network.fc
        weight, bias = (p.detach().cpu().numpy().copy() for p in (fc.weight, fc.bias))
        nothing = {"basis": np.zeros((weight.shape[1], 1)), "bank": np.zeros((0, 1))}
        known = {**nothing, **checkpoint.statistics}
        return cls(
            weight=weight,
            bias=bias,
            temperature=checkpoint.temperature,
            certain=checkpoint.thresholds.get("certain", 0.9),
            unknown=checkpoint.thresholds.get("unknown", -np.inf),
            basis=np.asarray(known["basis"], np.float32),
            bank=unit(np.asarray(known["bank"], np.float32)),  # fp16 made them a little longer
        )

    def logits(self, pooled: np.ndarray) -> np.ndarray:
        """Logits (N, herbs) of pooled features (N, 2048), before the temperature."""
        return pooled @ self.weight.T + self.bias

    def probabilities(self, pooled: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, herbs) of pooled features (N, 2048)."""
        return softmax(self.logits(pooled) / self.temperature)

    def familiarity(self, pooled: np.ndarray) -> np.ndarray:
        """How much photos (N, 2048) look like some training photo: (N,), at most 1.

        The cosine to the nearest one (Sun et al. 2022, with square roots of the features so that
        few loud channels do not decide). A model that kept no photos finds everything familiar.
        """
        if not len(self.bank):
            return np.ones(len(pooled), np.float32)
        return (directions(pooled, self.basis) @ self.bank.T).max(axis=1)

    def verdict(self, probability: float, familiarity: float) -> str:
        """The verdict on a photo by its best probability and its familiarity."""
        if familiarity < self.unknown:
            return UNKNOWN
        return CERTAIN if probability >= self.certain else UNSURE


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, safe for large logits.

    Raises:
        HerbError: some are no numbers: the weights that they come from are spoilt, or too large.
    """
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares = e / e.sum(axis=-1, keepdims=True)
    if not np.isfinite(shares).all():
        raise HerbError(
            "这个模型算不出结果：它的权重已损坏。请换一个模型，或重新下载它。",
            "This model cannot answer: its weights are damaged. Use another one, or download it "
            "again.",
            hint="model-no-numbers",
        )
    return shares


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


def directions(pooled: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Unit vectors (N, d): the square roots of pooled features, in the directions of `basis`."""
    return unit(np.sqrt(np.maximum(pooled, 0)) @ basis)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
