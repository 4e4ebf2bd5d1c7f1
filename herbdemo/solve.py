"""The model of a base model and of photos that were added to it: a pure function of the two.

The head is the linear discriminant over all herbs, old and new, with the covariance of the base
model's photos. Two numbers, chosen in benchmarks/EXTEND.md, balance old herbs against new ones:

- `SHARE` of what the trained head knew beyond the discriminant is kept for the old herbs. It knows
  them better, and is too sure of them on photos of herbs it never saw.
- New herbs get a lead, as large as the old herbs' held-out photos allow (`MAX_LOSS`): those herbs
  had thousands of photos to shape the network, the new ones had none (Wu et al. 2019, "Large scale
  incremental learning", correct the same bias).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from herbdemo.calibrate import certain_threshold, fit_temperature, unknown_threshold
from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import copy_groups
from herbdemo.discriminant import Discriminant, centred, loudness, moments
from herbdemo.errors import HerbError
from herbdemo.held_out import held_out
from herbdemo.network import with_head
from herbdemo.proof import Judged
from herbdemo.scores import Head, directions, softmax

SHRINK = 0.1  # of the covariance; more than among the old herbs, since means of few are noisy
SHARE = 0.1
LEADS = tuple(half / 2 for half in range(12, -1, -1))  # 6 … 0, in units of the temperature
MAX_LOSS = 0.005  # of the accuracy on the old herbs' held-out photos


@dataclass(frozen=True)
class Added:
    """Photos that were added to a base model.

    Attributes:
        pooled: features (n, D). herbs: what each shows. photos: sha256 of each.
        prints: fingerprints (n,), int64, see `dataset.fingerprint`.
    """

    pooled: np.ndarray
    herbs: tuple[str, ...]
    photos: tuple[str, ...]
    prints: np.ndarray

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Added":
        """Those of a checkpoint; none for a base model."""
        known, size = checkpoint.statistics, checkpoint.network.fc.in_features
        named = checkpoint.card.get("added", [])
        return cls(
            known.get("added", torch.zeros(0, size)).float().numpy(),
            tuple(herb for herb, _ in named),
            tuple(photo for _, photo in named),
            known.get("added_prints", torch.zeros(0, dtype=torch.long)).numpy(),
        )

    def joined(self, other: "Added") -> "Added":
        """Both, in an order that does not depend on who came first."""
        both = Added(
            np.concatenate([self.pooled, other.pooled]),
            self.herbs + other.herbs,
            self.photos + other.photos,
            np.concatenate([self.prints, other.prints]),
        )
        order = sorted(range(len(both.herbs)), key=lambda i: (both.herbs[i], both.photos[i]))
        return both.at(order)

    def at(self, rows: Sequence[int]) -> "Added":
        """Those at these positions."""
        rows = list(rows)
        return Added(
            self.pooled[rows],
            tuple(self.herbs[i] for i in rows),
            tuple(self.photos[i] for i in rows),
            self.prints[rows],
        )

    def without(self, herb: str) -> "Added":
        """All but those of one herb."""
        return self.at([i for i, other in enumerate(self.herbs) if other != herb])


def base_of(checkpoint: Checkpoint) -> Checkpoint:
    """The model as it was before any photo was added.

    Raises:
        HerbError: it kept no sums of its photos' features.
    """
    known = checkpoint.statistics
    if not {"count", "sum", "moment"} <= set(known):
        raise HerbError(
            "这个模型没有保存特征统计，不能直接增加药材。"
            "请用 python -m herbdemo train 训练一个新模型。",
            "This model kept no statistics of its photos' features, so no herb can be added to it. "
            "Train a new one with python -m herbdemo train.",
            hint="no-statistics",
        )
    if "base" not in checkpoint.card:
        return checkpoint
    kept = checkpoint.card["base"]
    rows = len(known.get("bank", known["added"])) - len(known["added"])
    statistics = {
        k: v for k, v in known.items() if k not in ("added", "added_prints", "weight", "bias")
    }
    statistics |= {k: known[k][:rows] for k in ("bank", "bank_labels") if k in known}
    card = {k: v for k, v in checkpoint.card.items() if k not in ("base", "added", "proof")}
    return replace(
        checkpoint,
        network=with_head(checkpoint.network, known["weight"], known["bias"]),
        herbs=tuple(kept["herbs"]),
        temperature=kept["temperature"],
        thresholds=kept["thresholds"],
        statistics=statistics,
        card={**card, "metrics": kept["metrics"]},
    )


def solved(
    base: Checkpoint,
    added: Added,
    *,
    name: str,
    share: float = SHARE,
    leads: Sequence[float] = LEADS,
) -> tuple[Checkpoint, Judged]:
    """The model of a base and added photos, and what it says of each of these when left out.

    Args:
        share: of what the trained head knew beyond the discriminant, kept for old herbs; 0..1.
        leads: what is tried as the lead of new herbs, in units of the temperature.
    """
    base = replace(base, id=name, sha256="")
    if not len(added.pooled):
        return base, Judged(base.herbs, np.zeros((0, len(base.herbs))), (), ())
    old = len(base.herbs)
    herbs = (*base.herbs, *sorted(set(added.herbs) - set(base.herbs)))
    labels = np.array([herbs.index(herb) for herb in added.herbs])
    x, (held, held_labels) = added.pooled, held_out(base)
    groups = copy_groups(added.prints)
    weight, bias, own = _head(base, x, labels, groups, len(herbs), share)
    logits, held_logits = x @ weight.T + bias, held @ weight.T + bias
    logits[np.arange(len(x)), labels] = own
    lead = _lead(base, held, held_labels, held_logits, leads)
    for scores in (bias[None], logits, held_logits):
        scores[:, old:] += lead

    judged = np.isfinite(own)  # a herb with a single photo, or its copies, cannot be judged by it
    proving = np.concatenate([held_logits, logits[judged]])
    truth = np.r_[held_labels, labels[judged]]
    temperature = fit_temperature(proving, truth) if len(truth) else base.temperature
    statistics, familiarity = _statistics(base, added, labels, groups)
    probability = softmax(proving / temperature)
    right = probability.argmax(axis=1) == truth
    after = replace(
        base,
        network=with_head(base.network, *(torch.from_numpy(p).float() for p in (weight, bias))),
        herbs=herbs,
        temperature=temperature,
        thresholds={
            "certain": certain_threshold(probability.max(axis=1), right),
            "unknown": unknown_threshold(np.r_[familiarity[0], familiarity[1][judged]]),
        }
        if len(truth)
        else base.thresholds,
        statistics=statistics,
        card={
            **base.card,
            "base": {
                "herbs": list(base.herbs),
                "temperature": base.temperature,
                "thresholds": dict(base.thresholds),
                "metrics": base.card.get("metrics", {}),
            },
            "added": [list(pair) for pair in zip(added.herbs, added.photos, strict=True)],
            "metrics": {"val": {"photos": len(truth), "top1": float(right.mean())}}
            if len(truth)
            else {},
        },
    )
    rows = np.flatnonzero(judged)
    return after, Judged(
        herbs,
        softmax(logits[judged] / temperature),
        [added.herbs[i] for i in rows],
        [added.photos[i] for i in rows],
    )


def _head(
    base: Checkpoint,
    x: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    herbs: int,
    share: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (herbs, D) and b (herbs,), and what each photo scores for its own herb when left out (N,).

    On the scale of the trained head, so that its share can be added.
    """
    old = len(base.herbs)
    count, total, moment = moments(base.statistics)
    before = Discriminant.of(count, total, moment, shrink=SHRINK)
    counts = np.bincount(labels, minlength=herbs).astype(float)
    sums = np.zeros((herbs, x.shape[1]))
    np.add.at(sums, labels, x)
    counts[:old] += count
    sums[:old] += total
    counts = np.maximum(counts, 1)
    both = replace(before, count=counts, means=sums / counts[:, None])

    found_weight, found_bias = before.head()
    middle, level = found_weight.mean(axis=0), found_bias.mean()  # all herbs are shifted alike
    found = (found_weight - middle, found_bias - level)
    fc = base.network.fc
    trained = centred(fc.weight.cpu().numpy(), fc.bias.cpu().numpy())
    scale = loudness(trained, found, count, total, moment)
    beyond_weight, beyond_bias = (
        share * (t - scale * f) for t, f in zip(trained, found, strict=True)
    )
    weight, bias = both.head()
    weight, bias = scale * (weight - middle), scale * (bias - level)
    weight[:old] += beyond_weight
    bias[:old] += beyond_bias
    own = scale * (both.left_out(x, labels, groups) - x @ middle - level)
    mine = np.flatnonzero(labels < old)
    k = labels[mine]
    own[mine] += (x[mine] * beyond_weight[k]).sum(axis=1) + beyond_bias[k]
    return weight, bias, own


def _lead(
    base: Checkpoint,
    held: np.ndarray,
    labels: np.ndarray,
    logits: np.ndarray,
    leads: Sequence[float],
) -> float:
    """What is added to the logits of new herbs: as much as the old herbs' photos allow."""
    if not len(labels):
        return 0.0
    old = len(base.herbs)
    before = (Head.of(base).logits(held).argmax(axis=1) == labels).mean()
    unit = fit_temperature(logits, labels)
    for lead in leads:
        moved = np.concatenate([logits[:, :old], logits[:, old:] + lead * unit], axis=1)
        if (moved.argmax(axis=1) == labels).mean() >= before - MAX_LOSS:
            return lead * unit
    return 0.0


def _statistics(
    base: Checkpoint, added: Added, labels: np.ndarray, groups: np.ndarray
) -> tuple[dict[str, torch.Tensor], tuple[np.ndarray, np.ndarray]]:
    """What the new checkpoint keeps; the familiarity of held-out and of added photos, left out."""
    fc = base.network.fc
    kept = {
        **base.statistics,
        "added": torch.from_numpy(added.pooled).half(),
        "added_prints": torch.from_numpy(added.prints),
        "weight": fc.weight.detach().cpu().clone(),
        "bias": fc.bias.detach().cpu().clone(),
    }
    if "bank" not in kept:
        return kept, (np.ones(len(held_out(base)[1])), np.ones(len(labels)))
    basis = kept["basis"].float().numpy()
    rows = directions(added.pooled, basis)
    kept["bank"] = torch.cat([kept["bank"], torch.from_numpy(rows).half()])
    if "bank_labels" in kept:  # models of the first version kept none
        kept["bank_labels"] = torch.cat([kept["bank_labels"], torch.from_numpy(labels)])
    head = Head.of(replace(base, statistics=kept))
    near = rows @ head.bank.T
    near[:, len(head.bank) - len(rows) :][groups[:, None] == groups] = -1  # itself and its copies
    return kept, (head.familiarity(held_out(base)[0]), near.max(axis=1))


def without_herb(base: Checkpoint, k: int) -> Checkpoint:
    """A base model without its herb number k."""
    known, others = base.statistics, [i for i in range(len(base.herbs)) if i != k]
    mean = known["sum"][k] / known["count"][k].clamp(min=1)
    rows, columns = torch.triu_indices(len(mean), len(mean))
    statistics = {
        **known,
        "count": known["count"][others],
        "sum": known["sum"][others],
        # The scatter around the means stays, so that the covariance does.
        "moment": known["moment"] - known["count"][k] * mean[rows] * mean[columns],
    }
    for name, labels in (("val", "val_labels"), ("bank", "bank_labels")):
        if labels in known:
            stay = known[labels] != k
            statistics[name] = known[name][stay]
            statistics[labels] = known[labels][stay] - (known[labels][stay] > k).long()
    fc = base.network.fc
    return replace(
        base,
        network=with_head(base.network, fc.weight[others], fc.bias[others]),
        herbs=tuple(base.herbs[i] for i in others),
        statistics=statistics,
    )
