"""From pooled features to probabilities, familiarity and a verdict. Numpy only, a millisecond."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from herbdemo.checkpoint import Checkpoint
from herbdemo.errors import HerbError
from herbdemo.network import HerbNet

CERTAIN, UNSURE, UNKNOWN = "certain", "unsure", "unknown"


# Each with its slope: of the layers between the average and the head.
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "hardswish": (  # Howard et al. 2019
        lambda z: z * np.clip(z + 3, 0, 6) / 6,
        lambda z: np.where(np.abs(z) < 3, (2 * z + 3) / 6, z > 0).astype(z.dtype),
    ),
}


@dataclass(frozen=True)
class Tail:
    """The layer that some light networks have between the average and the head, in numpy.

    Attributes:
        weight: V (D, C); bias: c (D,). activation: of `ACTIVATIONS`.
    """

    weight: np.ndarray
    bias: np.ndarray
    activation: str

    @classmethod
    def of(cls, network: HerbNet) -> "Tail | None":
        """The tail of a network; None where the head follows at once."""
        if not network.tail():
            return None
        convolution, activation = network.tail()
        weight, bias = (p.detach().cpu().numpy() for p in convolution.parameters())
        return cls(weight[:, :, 0, 0].copy(), bias.copy(), type(activation).__name__.lower())

    def embed(self, pooled: np.ndarray) -> np.ndarray:
        """What the head sees, (N, D), of mean(A), (N, C)."""
        return ACTIVATIONS[self.activation][0](pooled @ self.weight.T + self.bias)

    def pulled_back(self, pooled: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The gradients (K, C) with respect to mean(A), here (C,), of `rows`·embed, (K, D)."""
        slope = ACTIVATIONS[self.activation][1](pooled @ self.weight.T + self.bias)
        return (slope * rows) @ self.weight


@dataclass(frozen=True)
class Head:
    """The linear algebra after the network, in numpy.

    Attributes:
        weight: W (herbs, D); bias: b (herbs,).
        temperature: divides the logits before the softmax (Guo et al. 2017).
        certain: least probability of a "certain" answer.
        unknown: least familiarity of a photo that shows a herb of the model.
        basis: main directions of the training photos' features (D, d).
        bank: the training photos in these directions (photos, d), see `familiar_directions`.
        tail: what lies between the average of A and W, if anything.
    """

    weight: np.ndarray
    bias: np.ndarray
    temperature: float
    certain: float
    unknown: float
    basis: np.ndarray
    bank: np.ndarray
    tail: Tail | None = None

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
            tail=Tail.of(checkpoint.network),
        )

    def embed(self, pooled: np.ndarray) -> np.ndarray:
        """What all below is made of, (N, D), of mean(A), (N, C): the same without a tail."""
        return self.tail.embed(pooled) if self.tail else pooled

    def map_weights(self, pooled: np.ndarray, herbs: Sequence[int]) -> np.ndarray:
        """The weights of A's channels in the maps of these herbs: (K, C), for `class_maps`.

        They are the gradients of the herbs' scores with respect to mean(A), here `pooled` (C,):
        rows of W or, with a tail, what it makes of these rows for this one photo.
        """
        rows = self.weight[list(herbs)]
        return self.tail.pulled_back(pooled, rows) if self.tail else rows

    def logits(self, pooled: np.ndarray) -> np.ndarray:
        """Logits (N, herbs) of embedded features (N, D), before the temperature."""
        return pooled @ self.weight.T + self.bias

    def probabilities(self, pooled: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, herbs) of embedded features (N, D)."""
        return softmax(self.logits(pooled) / self.temperature)

    def familiarity(self, pooled: np.ndarray) -> np.ndarray:
        """How much photos (N, D) look like some training photo: (N,), at most 1.

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
    """Softmax over the last axis of (…, herbs), safe for large logits.

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
        probability: (n,), 0..1, of the best herb. right: bool (n,), whether it is the true one.
    """
    bin_of = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(probability[bin_of == b].mean() - right[bin_of == b].mean()) * (bin_of == b).mean()
        for b in np.unique(bin_of)
    ]
    return float(sum(gaps))


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval, in 0..1, of the share hits/total (Wilson 1927), honest also near 0 and 1."""
    z, share = 1.96, hits / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def directions(pooled: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Unit vectors (N, d): the square roots of embedded features, in the directions of `basis`.

    A basis with 2 D rows is one of features with both signs, see `roots`.
    """
    return unit(roots(pooled, both=len(basis) > pooled.shape[1]) @ basis)


def roots(pooled: np.ndarray, *, both: bool) -> np.ndarray:
    """The square roots of embedded features (N, D), what is negative counting as zero.

    Args:
        both: of negative features, too, as channels of their own: (N, 2 D). For networks without
            a ReLU at the end, where half of what they say is negative.
    """
    signs = (pooled, -pooled) if both else (pooled,)
    return np.concatenate([np.sqrt(np.maximum(part, 0)) for part in signs], axis=1)


def unit(rows: np.ndarray) -> np.ndarray:
    """The rows (n, D) at length 1; a row of zeros stays as it is."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
