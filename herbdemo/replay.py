"""Not forgetting: what a model remembers of herbs whose photos are not at hand.

A checkpoint keeps of each herb the number and the mean of its photos' features, and of all herbs
together their covariance. That is a Gaussian per herb, and features drawn from it teach the new
head what the old one knew (Zhu et al. 2021, "Prototype augmentation and self-supervision for
incremental learning"). It stays true as long as the network gives old herbs the features it used
to; so the new network is held near the old one on the photos at hand (Li & Hoiem 2016, "Learning
without forgetting").
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from herbdemo.checkpoint import Checkpoint
from herbdemo.discriminant import covariance, moments, shrunk
from herbdemo.errors import HerbError
from herbdemo.evaluate import Features, joined
from herbdemo.network import HerbNet
from herbdemo.solve import Added

REHEARSED = 100  # features per herb that the head is fitted on
MOST_REHEARSED = 20_000  # of all herbs together: 164 MB
DRAWN_HELD_OUT = 5  # features of each herb of which the model kept no validation photo


@dataclass(frozen=True)
class Memory:
    """What is known of `replayed`, the herbs of a model that have no photos at hand.

    Attributes:
        herbs: of the model, in the order of its head.
        replayed: positions in `herbs` (R,), at least one.
        mean (R, D), factor (D, D): x = mean + factor · z, z standard normal, are features of each.
        scatter: mean squared distance of a photo's features from their herb's mean.
        statistics: the part of the model's statistics that is theirs, see `calibrate.finish`.
        held_out: features of the model's own validation photos of them; drawn where it kept none.
        signed: see `HerbNet`.
    """

    herbs: tuple[str, ...]
    replayed: np.ndarray
    mean: np.ndarray
    factor: np.ndarray
    scatter: float
    statistics: dict[str, Tensor]
    held_out: Features
    signed: bool = False

    def draw(self, positions: np.ndarray, rng: np.random.Generator) -> Features:
        """One feature vector (D,) for each of `positions` (n,) in `replayed`, with its label."""
        noise = rng.standard_normal((len(positions), len(self.factor)), np.float32)
        drawn = self.mean[positions] + noise @ self.factor.T
        seen = drawn if self.signed else np.maximum(drawn, 0)  # features come after ReLU
        return Features(seen, self.replayed[positions])

    def batch(self, size: int, rng: np.random.Generator) -> Features:
        """`size` feature vectors of herbs drawn at random."""
        return self.draw(rng.integers(len(self.replayed), size=size), rng)

    def rehearsal(self, rng: np.random.Generator) -> Features:
        """Equally many feature vectors of each herb, for the head that is fitted at once."""
        each = max(1, min(REHEARSED, MOST_REHEARSED // len(self.replayed)))
        return self.draw(np.repeat(np.arange(len(self.replayed)), each), rng)


def remember(model: Checkpoint, present: set[str]) -> Memory | None:
    """What `model` remembers of its herbs that are not in `present`; None where all are.

    Raises:
        HerbError: it kept too little of them.
    """
    replayed = np.array([k for k, herb in enumerate(model.herbs) if herb not in present])
    if not len(replayed):
        return None
    known = model.statistics
    sums = _sums(model)
    if sums is None or (sums[0][replayed] == 0).any():
        raise HerbError(
            "这个模型没有保存各种药材的特征统计，没有照片的药材会被忘记。请把它们的照片也放进文件夹，"
            "或用 --init imagenet 重新训练。",
            "This model kept no statistics of its herbs, so those without photos would be "
            "forgotten. Put their photos into the folder too, or train anew with --init imagenet.",
            hint="no-statistics",
        )
    count, total, moment = sums
    spread = covariance(count, total, moment)
    mine = np.isin(np.arange(len(count)), replayed)
    # Their photos' scatter around their means, with the covariance that all herbs share.
    scatter = spread * max(0.0, count[mine].sum() - mine.sum())
    mean = total[mine] / count[mine, None]
    statistics = {
        "count": torch.from_numpy(count * mine).float(),
        "sum": torch.from_numpy(total * mine[:, None]).float(),
        "moment": torch.from_numpy(
            (scatter + total[mine].T @ mean)[np.triu_indices(len(spread))]
        ).float(),
        **_familiar(known, replayed),
    }
    nothing = Features(np.zeros((0, len(spread)), np.float32), np.zeros(0, np.int64))
    memory = Memory(
        herbs=model.herbs,
        replayed=replayed,
        mean=mean.astype(np.float32),
        factor=_factor(spread),
        scatter=float(np.trace(spread)),
        statistics=statistics,
        held_out=nothing,
        signed=model.network.signed,
    )
    return replace(memory, held_out=_held_out(memory, known))


def _factor(spread: np.ndarray) -> np.ndarray:
    """L with L Lᵀ the shrunk covariance (D, D)."""
    try:
        return np.linalg.cholesky(shrunk(spread)).astype(np.float32)
    except np.linalg.LinAlgError as error:  # sums that belong to no photos
        raise HerbError(
            "这个模型的特征统计已损坏。请重新下载它，或用 --init imagenet 重新训练。",
            "This model's statistics of its herbs are damaged. Download it again, or train anew "
            "with --init imagenet.",
            hint="statistics-damaged",
        ) from error


def _sums(model: Checkpoint) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """count, sum and second moment over all photos of the model, also those added later."""
    known, added = model.statistics, Added.of(model)
    if not {"count", "sum", "moment"} <= set(known):
        return None
    count, total, moment = moments(known)
    count = np.pad(count, (0, len(model.herbs) - len(count)))
    total = np.pad(total, ((0, len(count) - len(total)), (0, 0)))
    labels = np.array([model.herbs.index(herb) for herb in added.herbs], dtype=int)
    x = added.pooled.astype(np.float64)
    np.add.at(count, labels, 1)
    np.add.at(total, labels, x)
    return count, total, (moment + x.T @ x if len(x) else moment)


def _familiar(known: Mapping[str, Tensor], replayed: np.ndarray) -> dict[str, Tensor]:
    """The photos of `replayed` that tell what is familiar, as far as the model kept them."""
    if not {"basis", "bank"} <= set(known):
        return {}
    if "bank_labels" not in known:  # an older model: nobody knows whose they are
        labels = torch.full((len(known["bank"]),), -1)
        return {"basis": known["basis"], "bank": known["bank"], "bank_labels": labels}
    rows = torch.from_numpy(np.isin(known["bank_labels"].numpy(), replayed))
    return {"basis": known["basis"], **{k: known[k][rows] for k in ("bank", "bank_labels")}}


def _held_out(memory: Memory, known: Mapping[str, Tensor]) -> Features:
    """The kept validation photos of replayed herbs; drawn ones for herbs that have none.

    Without any, the new herbs' photos alone would say how sure the model may be.
    """
    pooled = known.get("val", torch.zeros(0, len(memory.factor))).float().numpy()
    labels = known.get("val_labels", torch.zeros(0, dtype=torch.long)).numpy()
    kept = np.isin(labels, memory.replayed)
    lacking = np.flatnonzero(~np.isin(memory.replayed, labels))
    drawn = memory.draw(np.repeat(lacking, DRAWN_HELD_OUT), np.random.default_rng(0))
    return joined(Features(pooled[kept], labels[kept]), drawn)


class Anchor(nn.Module):
    """The old network, frozen: how far has the new one moved from it?

    Args:
        autocast: the precision that the new network works in. In the same one both round alike, so
            what has not moved is not pulled at, and the old one takes no longer than it needs to.
    """

    def __init__(
        self,
        network: HerbNet,
        memory: Memory,
        autocast: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        super().__init__()
        self.autocast = autocast
        self.network = network.eval().requires_grad_(False)
        self.scatter = memory.scatter

    def forward(self, x: Tensor, pooled: Tensor, logits: Tensor) -> Tensor:
        """Of each photo of `x` (N, 3, H, W), given the new features and logits: (N,).

        The squared distance from the old features, in units of the scatter within a herb, and the
        divergence from the old answer, among the old herbs.
        """
        with torch.no_grad(), self.autocast():
            old = self.network.embed(self.network.features(x).mean((2, 3)))
            answer = self.network.fc(old).float().softmax(1)
            old = old.float()
        moved = (pooled - old).square().sum(1) / self.scatter
        among_old = logits[:, : answer.shape[1]].log_softmax(1)
        return moved + functional.kl_div(among_old, answer, reduction="none").sum(1)


def sources(model: Checkpoint | None, present: Sequence[str]) -> dict[str, str]:
    """For each herb of `model`, what its place in the new model rests on: photos, or replay."""
    at_hand = set(present)
    return {h: "photos" if h in at_hand else "replay" for h in (model.herbs if model else ())}
