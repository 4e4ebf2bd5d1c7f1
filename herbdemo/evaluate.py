"""How well a model does: accuracy, calibration and unknowns on folders of photos."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from herbdemo import distributed
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.dataset import Sample, photos_below, scan
from herbdemo.engine import TorchEngine
from herbdemo.errors import HerbError
from herbdemo.photo import open_photo
from herbdemo.scores import CERTAIN, UNKNOWN, Head, expected_calibration_error, wilson

BATCH = 32
DECODED = 512  # px: twice what the network sees, so that the one resize decides the pixels


@dataclass(frozen=True)
class Features:
    """Pooled features (N, 2048) of photos, their labels (N,), and the files that did not open.

    A label is a position in the list of herbs, or -1 for a herb that is not in it.
    """

    pooled: np.ndarray
    labels: np.ndarray
    failures: tuple[tuple[Path, HerbError], ...] = ()


def joined(some: Features, more: Features) -> Features:
    """The features of both."""
    pooled = [part.pooled for part in (some, more) if len(part.labels)] or [some.pooled]
    return Features(
        np.concatenate(pooled),
        np.concatenate([some.labels, more.labels]),
        some.failures + more.failures,
    )


@dataclass(frozen=True)
class Report:
    """What `evaluate` found. Shares are 0..1; intervals are 95 % (Wilson)."""

    model: str
    sha256: str
    photos: int
    herbs: int
    top1: float
    top1_interval: tuple[float, float]
    top5: float
    macro_top1: float
    ece: float
    certain: float  # share of the photos answered "certain"
    certain_top1: float | None  # accuracy among those
    per_herb: dict[str, dict[str, float]]
    mistakes: list[dict[str, Any]]
    failures: list[dict[str, str]]
    not_in_model: dict[str, int]
    auroc: float | None = None
    fpr95: float | None = None
    unknown_photos: int | None = None
    unknown_refused: float | None = None  # share of unknown photos with the verdict "unknown"
    unknown_certain: float | None = None  # share of unknown photos with the verdict "certain"
    known_refused: float | None = None  # share of herb photos with the verdict "unknown"

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON; what was not measured is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def extract(
    engine: TorchEngine,
    samples: Sequence[Sample],
    herbs: Sequence[str],
    preprocessing: Preprocessing,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Features:
    """Pooled features of `samples`, one forward pass each; unreadable photos are set aside.

    Of several processes each does its share, and all get what all of them found.
    """
    index = {herb: position for position, herb in enumerate(herbs)}
    share, processes = distributed.shard(samples), distributed.world()
    pooled, labels, failures, done = [], [], [], 0

    def load(sample: Sample) -> torch.Tensor | HerbError:
        try:
            return preprocessing.tensor(open_photo(sample.path, longest=DECODED).image)
        except HerbError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        for batch in _batched(share, BATCH):
            tensors = []
            for sample, loaded in zip(batch, pool.map(load, batch), strict=True):
                if isinstance(loaded, HerbError):
                    failures.append((sample.path, loaded))
                else:
                    tensors.append(loaded)
                    labels.append(index.get(sample.herb, -1))
            if tensors:
                pooled.append(engine.features(torch.stack(tensors)).mean(axis=(2, 3)))
            done += len(batch)
            progress(min(done * processes, len(samples)), len(samples))
    nothing = np.zeros((0, engine.network.fc.in_features), np.float32)
    return Features(
        pooled=distributed.gather(torch.from_numpy(np.concatenate([nothing, *pooled]))).numpy(),
        labels=distributed.gather(torch.tensor(labels, dtype=torch.int64)).numpy(),
        failures=tuple(distributed.gather_objects(failures)),
    )


def evaluate(
    checkpoint: Checkpoint,
    folder: str | Path,
    *,
    unknown: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Measure the model on `folder/<any name of a herb>/**`, and on photos of no herb it knows.

    Raises:
        HerbError: a folder is missing or empty, or none of its herbs is in the model.
    """
    samples = scan(folder)
    strangers = [Sample(path, "") for path in photos_below(unknown)] if unknown else []
    if unknown and not strangers:
        raise HerbError(
            "“未知”文件夹里没有照片。请检查路径。",
            "The folder of unknowns holds no photos. Check its path.",
            hint="unknown-empty",
        )
    known = [sample for sample in samples if sample.herb in set(checkpoint.herbs)]
    others = [sample.herb for sample in samples if sample.herb not in set(checkpoint.herbs)]
    if not known:
        raise HerbError(
            "文件夹里的药材这个模型一种也不认识。请检查子文件夹的名字。",
            "The model knows none of the herbs in this folder. Check the sub-folders' names.",
            hint="no-known-herb",
        )
    engine, head = TorchEngine(checkpoint.network), Head.of(checkpoint)
    total = len(known) + len(strangers)
    features = extract(engine, known, checkpoint.herbs, checkpoint.preprocessing,
                       progress=lambda done, _: progress(done, total))  # fmt: skip
    if not len(features.labels):
        raise HerbError(
            "文件夹里的照片都打不开。请检查文件。",
            "None of the photos in the folder can be opened. Check the files.",
            hint="no-readable-photo",
        )
    outside = extract(engine, strangers, (), checkpoint.preprocessing,
                      progress=lambda done, _: progress(len(known) + done, total))  # fmt: skip
    unreadable = {path for path, _ in features.failures}
    paths = [sample.path for sample in known if sample.path not in unreadable]
    return Report(
        model=checkpoint.id,
        sha256=checkpoint.sha256,
        failures=[
            {"file": str(path.relative_to(root)), "error": error.en}
            for root, part in ((folder, features), (unknown, outside))
            for path, error in part.failures
        ],
        not_in_model={herb: others.count(herb) for herb in sorted(set(others))},
        **measure(head, features, checkpoint.herbs, [str(p.relative_to(folder)) for p in paths]),
        **(measure_unknown(head, features, outside) if strangers else {}),
    )


def measure(
    head: Head, features: Features, herbs: Sequence[str], files: Sequence[str]
) -> dict[str, Any]:
    """The fields of a `Report` that need only herbs."""
    probabilities = head.probabilities(features.pooled)
    order = np.argsort(-probabilities, axis=1)
    right = order[:, 0] == features.labels
    top5 = (order[:, :5] == features.labels[:, None]).any(axis=1)
    best = probabilities.max(axis=1)
    certain = _verdicts(head, best, head.familiarity(features.pooled)) == CERTAIN
    present = np.unique(features.labels)
    return {
        "photos": len(right),
        "herbs": len(present),
        "top1": float(right.mean()),
        "top1_interval": wilson(int(right.sum()), len(right)),
        "top5": float(top5.mean()),
        "macro_top1": float(np.mean([right[features.labels == k].mean() for k in present])),
        "ece": expected_calibration_error(best, right),
        "certain": float(certain.mean()),
        "certain_top1": float(right[certain].mean()) if certain.any() else None,
        "per_herb": {
            herbs[k]: {
                "n": int((features.labels == k).sum()),
                "top1": float(right[features.labels == k].mean()),
            }
            for k in present
        },
        "mistakes": [
            {
                "file": files[i],
                "herb": herbs[features.labels[i]],
                "answer": herbs[order[i, 0]],
                "probability": round(float(best[i]), 4),
            }
            for i in np.flatnonzero(~right)
        ],
    }


def measure_unknown(head: Head, known: Features, strangers: Features) -> dict[str, Any]:
    """The fields of a `Report` on telling herbs of the model from anything else.

    `fpr95` is the share of strangers taken for herbs when 95 % of the herbs are let through.
    """
    if not len(strangers.labels):
        raise HerbError(
            "“未知”文件夹里的照片都打不开。请检查文件。",
            "None of the photos in the folder of unknowns can be opened. Check the files.",
            hint="no-readable-photo",
        )
    inside, outside = head.familiarity(known.pooled), head.familiarity(strangers.pooled)
    truth = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    verdicts = _verdicts(head, head.probabilities(strangers.pooled).max(axis=1), outside)
    return {
        "auroc": float(roc_auc_score(truth, np.r_[inside, outside])),
        "fpr95": float((outside > np.quantile(inside, 0.05)).mean()),
        "unknown_photos": len(outside),
        "unknown_refused": float((verdicts == UNKNOWN).mean()),
        "unknown_certain": float((verdicts == CERTAIN).mean()),
        "known_refused": float((inside < head.unknown).mean()),
    }


def _verdicts(head: Head, probability: np.ndarray, familiarity: np.ndarray) -> np.ndarray:
    return np.array([head.verdict(p, f) for p, f in zip(probability, familiarity, strict=True)])


def _batched(items: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
