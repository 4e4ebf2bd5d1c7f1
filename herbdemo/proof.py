"""Proof that a new model forgot nothing: what the old and the new one say of held-out photos."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from herbdemo.scores import expected_calibration_error, wilson

MISTAKES = 10  # shown of all mistakes, the most confident ones


@dataclass(frozen=True)
class Judged:
    """What a model says of photos whose herb is known.

    Attributes:
        herbs: of the model, in the order of its head.
        probabilities: (N, herbs).
        truth: the herb that each photo shows (N,).
        files: where each photo lies below its folder (N,); "" where only its features were kept.
    """

    herbs: Sequence[str]
    probabilities: np.ndarray
    truth: Sequence[str]
    files: Sequence[str]

    @property
    def answers(self) -> np.ndarray:
        """The most probable herb of each photo (N,)."""
        return np.array(self.herbs, dtype=object)[self.probabilities.argmax(axis=1)]

    @property
    def right(self) -> np.ndarray:
        """Whether that is the true one (N,)."""
        return self.answers == np.array(self.truth, dtype=object)

    @property
    def ece(self) -> float:
        """Expected calibration error, 0..1."""
        return expected_calibration_error(self.probabilities.max(axis=1), self.right)


def proof(
    before: Judged, after: Judged, *, model: str, temperature: float, old: str, new: str
) -> dict[str, Any]:
    """The before/after report that a new model's card carries.

    Args:
        before: what the old model says of photos of its own herbs.
        after: what the new one says of the same photos, in the same order, and then of new herbs.
        model: id of the old model. temperature: of the new one.
        old, new: where these photos come from: "kept" (features of the old model's validation
            photos), "replay" (the same, though the network has changed since), "photos" (the same
            photos through both networks), "leave-one-out", "test" or "val"; "" for none.
    """
    known, right = len(before.truth), after.right
    truth = np.array(after.truth, dtype=object)
    answers, best = after.answers, after.probabilities.max(axis=1)
    wrong = [i for i in np.argsort(-best, kind="stable") if not right[i] and after.files[i]]
    return {
        "before": {"model": model, **_share("", before.right), "ece": _ece(before)},
        "after": {
            **_share("old_", right[:known]),
            **_share("new_", right[known:]),
            "ece": _ece(after),
            "temperature": temperature,
        },
        "held_out": {"old": old, "new": new},
        "per_herb": _per_herb(before, after),
        "confusion": [
            [herb, answer, int(n)]
            for (herb, answer), n in sorted(Counter(zip(truth, answers, strict=True)).items())
        ],
        "mistakes": [
            {
                "file": after.files[i],
                "herb": truth[i],
                "answer": answers[i],
                "probability": round(float(best[i]), 4),
            }
            for i in wrong[:MISTAKES]
        ],
    }


def _share(prefix: str, right: np.ndarray) -> dict[str, Any]:
    """top1, its 95 % interval and n, each under its prefix; None where there was no photo."""
    n = len(right)
    count = f"n_{prefix.rstrip('_')}" if prefix else "n"
    return {
        count: n,
        f"{prefix}top1": float(right.mean()) if n else None,
        f"{prefix}interval": wilson(int(right.sum()), n) if n else None,
    }


def _ece(judged: Judged) -> float | None:
    return judged.ece if len(judged.truth) else None


def _per_herb(before: Judged, after: Judged) -> dict[str, dict[str, float | int | None]]:
    truths = [np.array(judged.truth, dtype=object) for judged in (before, after)]
    rights = (before.right, after.right)
    return {
        herb: {
            "n": int((truths[1] == herb).sum()),
            **{
                when: float(right[truth == herb].mean()) if (truth == herb).any() else None
                for when, truth, right in zip(("before", "after"), truths, rights, strict=True)
            },
        }
        for herb in after.herbs
        if (truths[1] == herb).any()
    }
