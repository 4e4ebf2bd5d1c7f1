"""How much would more photos help? Accuracy over the number of training photos, as a table.

    python -m benchmarks.learning_curve ../shared --init ../shared/weights/resnet50-imagenet.safetensors

The network stays frozen and a linear head is fitted on a share of the training photos, five random
shares each: minutes instead of days, and the slope at the right end is what counts.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from herbdemo.checkpoint import Preprocessing
from herbdemo.dataset import scan
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import Features, extract
from herbdemo.optimise import fit_head
from herbdemo.registry import Registry
from herbdemo.start import start_from

SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--init", required=True)
    arguments = parser.parse_args()
    engine = TorchEngine(start_from(arguments.init, Registry()).network)
    parts = {name: scan(arguments.folder / "herbs" / name)
             for name in ("train", "val", "test", "other_sources")}  # fmt: skip
    herbs = sorted({sample.herb for sample in parts["train"]})
    features = {name: extract(engine, part, herbs, Preprocessing()) for name, part in parts.items()}

    print("| training photos | per herb | val | test | other sources |")
    print("|---|---|---|---|---|")
    for share in SHARES:
        accuracy = [
            head_accuracy(features, herbs, share, seed) for seed in range(5 if share < 1 else 1)
        ]
        mean, spread = np.mean(accuracy, axis=0), np.std(accuracy, axis=0)
        photos = round(share * len(parts["train"]))
        cells = [f"{m:.1%} ± {s:.1%}" if share < 1 else f"{m:.1%}"
                 for m, s in zip(mean, spread, strict=True)]  # fmt: skip
        print(f"| {photos} | {photos / len(herbs):.0f} | " + " | ".join(cells) + " |", flush=True)


def head_accuracy(
    features: dict[str, Features], herbs: list[str], share: float, seed: int
) -> list[float]:
    """Top-1 on val, test and other_sources of a head fitted on a share of each herb's photos."""
    rng = np.random.default_rng(seed)
    train = features["train"]
    chosen = np.concatenate(
        [
            rng.permutation(np.flatnonzero(train.labels == k))[
                : max(1, round(share * (train.labels == k).sum()))
            ]
            for k in range(len(herbs))
        ]
    )
    head = nn.Linear(train.pooled.shape[1], len(herbs))
    fit_head(head, Features(train.pooled[chosen], train.labels[chosen]), smoothing=0.1)
    with torch.inference_mode():
        answers = {
            name: head(torch.from_numpy(features[name].pooled)).argmax(1).numpy()
            for name in ("val", "test", "other_sources")
        }
    return [float((answers[name] == features[name].labels).mean()) for name in answers]


if __name__ == "__main__":
    main()
