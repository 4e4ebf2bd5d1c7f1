"""How well a model does: accuracy, calibration and unknowns on folders of photos."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import Tensor

from herbdemo import distributed, zero
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.dataset import Sample, photos_below, scan
from herbdemo.decoded import reduced
from herbdemo.engine import Engine, TorchEngine, wanted_engine
from herbdemo.errors import HerbError
from herbdemo.network import HerbNet
from herbdemo.scores import CERTAIN, UNKNOWN, Head, Tail, expected_calibration_error, wilson

Item = TypeVar("Item")
Known = dict[Path, np.ndarray | HerbError]  # by photo: its features, or why there are none

BATCH = 32
MANY = 200  # photos from which on it pays to convert the network: 3 s, against 20 ms of each
LOADERS = min(16, os.cpu_count() or 2)  # threads


@dataclass(frozen=True)
class Features:
    """What the head sees of photos, (N, D), their labels (N,), and the files that did not open.

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


def engine_for(network: HerbNet, photos: int, *, sha256: str = "") -> Engine:
    """What to look at so many photos with.

    OpenVINO in float32, where torch would run on the CPU: it finds the same to five digits, in two
    thirds of the time. Several processes on one machine would each take all of its cores.

    Args:
        sha256: of the file with these weights, by which the converted network is kept.
    """
    torch_engine = TorchEngine(network)
    if (
        photos < MANY
        or torch_engine.device.type != "cpu"
        or distributed.world() > 1
        or not isinstance(network, HerbNet)
        or wanted_engine() == "torch"
    ):
        return zero.BorrowingEngine(network, torch_engine) if zero.on() else torch_engine
    from herbdemo.openvino_engine import fastest

    model = Checkpoint("", network, (), Preprocessing(), sha256=sha256)
    return fastest(model, torch_engine, wanted="openvino-f32")[0]


def extract(
    engine: Engine,
    samples: Sequence[Sample],
    herbs: Sequence[str],
    preprocessing: Preprocessing,
    *,
    tail: Tail | None = None,
    opened: Callable[[Path], Image.Image] = reduced,
    known: Known | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Features:
    """Features of `samples`, one forward pass each; unreadable photos are set aside.

    The next photos are loaded while the engine works. Of several processes each does its share, and
    all get what all of them found.

    Args:
        tail: of the network, if it has one, see `Tail.of`.
        opened: gives the picture of a file, see `decoded`.
        known: what the same network found in photos before; what it finds now is added.
    """
    index = {herb: position for position, herb in enumerate(herbs)}
    share, processes = distributed.shard(samples), distributed.world()
    known = {} if known is None else known
    pooled, labels, failures, done = [], [], [], 0

    def look(batch: Tensor) -> np.ndarray:
        found = engine.features(batch).mean(axis=(2, 3))
        return tail.embed(found) if tail else found

    def load(sample: Sample) -> Tensor | None:
        if sample.path in known:
            return None
        try:
            return preprocessing.tensor(opened(sample.path))
        except HerbError as error:
            known[sample.path] = error
            return None

    for batch in _batched(_loaded(load, share), BATCH):
        paths = [sample.path for sample, loaded in batch if loaded is not None]
        if paths:
            stack = torch.stack([loaded for _, loaded in batch if loaded is not None])
            known.update(zip(paths, look(stack), strict=True))
        for sample, _ in batch:
            found = known[sample.path]
            if isinstance(found, HerbError):
                failures.append((sample.path, found))
            else:
                pooled.append(found)
                labels.append(index.get(sample.herb, -1))
        done += len(batch)
        progress(min(done * processes, len(samples)), len(samples))
    # Of no photo: only the network knows how wide its features are.
    rows = np.stack(pooled) if pooled else look(torch.zeros(1, 3, 64, 64))[:0]
    return Features(
        pooled=distributed.gather(torch.from_numpy(rows)).numpy(),
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
    total = len(known) + len(strangers)
    engine = engine_for(checkpoint.network, total, sha256=checkpoint.sha256)
    head = Head.of(checkpoint)
    features = extract(engine, known, checkpoint.herbs, checkpoint.preprocessing, tail=head.tail,
                       progress=lambda done, _: progress(done, total))  # fmt: skip
    if not len(features.labels):
        raise HerbError(
            "文件夹里的照片都打不开。请检查文件。",
            "None of the photos in the folder can be opened. Check the files.",
            hint="no-readable-photo",
        )
    outside = extract(engine, strangers, (), checkpoint.preprocessing, tail=head.tail,
                      progress=lambda done, _: progress(len(known) + done, total))  # fmt: skip
    unreadable = {path for path, _ in features.failures}
    paths = [sample.path for sample in known if sample.path not in unreadable]
    return Report(
        model=checkpoint.id,
        sha256=checkpoint.sha256,
        failures=[
            {"file": str(path.relative_to(root)), "error": error.en}
            for root, part in ((folder, features), (unknown or "", outside))
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
                "file": files[int(i)],
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

    Raises:
        HerbError: none of the strangers' photos can be opened.
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


def _loaded(
    load: Callable[[Sample], Tensor | None], samples: Sequence[Sample]
) -> Iterator[tuple[Sample, Tensor | None]]:
    """The samples, each with what `load` gives, which has begun with the next batch already."""
    waiting: deque[tuple[Sample, Future]] = deque()
    pool = ThreadPoolExecutor(LOADERS)
    try:
        for sample in samples:
            waiting.append((sample, pool.submit(load, sample)))
            if len(waiting) > BATCH:
                first, future = waiting.popleft()
                yield first, future.result()
        for sample, future in waiting:
            yield sample, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
