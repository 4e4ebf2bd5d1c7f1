"""What `extend` costs beside the forward passes, and on 908 herbs. Prints Markdown.

    python -m benchmarks.extend_speed ../shared [--model ID] [--rounds 5]

First, 60 new photos onto the model: `extend` and the bare forward passes over the same photos,
opened beforehand, in turn. Then 100 herbs of 20 photos onto a model of 908 herbs whose sums are drawn
at random around those of the real model; the photos are real ones of herbs/train.
"""

import argparse
import resource
import statistics
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from herbdemo.calibrate import feature_statistics
from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample, scan
from herbdemo.decoded import DECODED
from herbdemo.discriminant import covariance, moments
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import BATCH, Features
from herbdemo.extend import extend
from herbdemo.network import with_head
from herbdemo.photo import open_photo
from herbdemo.registry import Registry

HERBS, NEW, EACH = 908, 100, 20


def first_of_each(samples: list[Sample], count: int) -> list[Sample]:
    """The first `count` photos of each herb."""
    by_herb: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_herb[sample.herb].append(sample)
    return [sample for mine in by_herb.values() for sample in mine[:count]]


def large(base: Checkpoint) -> Checkpoint:
    """A model of 908 herbs: means drawn around the real ones, features around the means."""
    rng = np.random.default_rng(0)
    count, total, moment = moments(base.statistics)
    factor = np.linalg.cholesky(covariance(count, total, moment) + 1e-6 * np.eye(total.shape[1]))
    means = np.maximum((total / count[:, None])[rng.integers(len(count), size=HERBS)]
                       + 2 * rng.normal(size=(HERBS, total.shape[1])) @ factor.T, 0)  # fmt: skip
    labels = np.repeat(np.arange(HERBS), 20)
    drawn = means[labels] + rng.normal(size=(len(labels), len(factor))) @ factor.T
    features = Features(np.maximum(drawn, 0).astype(np.float32), labels)
    weight = torch.from_numpy((means - means.mean(axis=0)).astype(np.float32))
    held = features.pooled[::5]
    return replace(
        base,
        id="large",
        network=with_head(base.network, weight, -0.5 * weight.square().sum(dim=1)),
        herbs=tuple(f"herb {k}" for k in range(HERBS)),
        statistics={
            **base.statistics,
            **feature_statistics(features, HERBS),
            "val": torch.from_numpy(held).half(),
            "val_labels": torch.from_numpy(labels[::5]),
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    base = Registry().load(arguments.model)
    samples = first_of_each(scan(arguments.folder / "new_herbs"), 10)
    engine = TorchEngine(base.network)
    tensor = base.preprocessing.tensor
    photos = torch.stack([tensor(open_photo(s.path, longest=DECODED).image) for s in samples])
    engine.features(photos[:BATCH])  # warm-up
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(arguments.rounds):
        started = time.perf_counter()
        for k in range(0, len(photos), BATCH):
            engine.features(photos[k : k + BATCH])
        seconds["forward"].append(time.perf_counter() - started)
        started = time.perf_counter()
        extend(base, samples, name="new")
        seconds["extend"].append(time.perf_counter() - started)
    ratios = [a / b for a, b in zip(seconds["extend"], seconds["forward"], strict=True)]
    print("| 60 photos of 6 herbs onto 31 | median s | lowest | highest |")
    print("|---|---|---|---|")
    for name, values in seconds.items():
        print(
            f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |"
        )
    print(
        f"| ratio, round by round | {statistics.median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} |"
    )

    pool = scan(arguments.folder / "herbs" / "train")[: NEW * EACH]
    many = [Sample(sample.path, f"new {k // EACH}") for k, sample in enumerate(pool)]
    started = time.perf_counter()
    after = extend(large(base), many, name="new")
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # kB on Linux
    print(f"\n{NEW} herbs of {EACH} photos onto {HERBS}: {took:.0f} s, {len(after.herbs)} herbs, "
          f"peak memory {peak:.1f} GB.")  # fmt: skip


if __name__ == "__main__":
    main()
