"""Does recognising several views of a photo help? Prints a table in Markdown.

    python -m benchmarks.views ../shared [--model ID]

Each view is one more forward pass. Chosen on herbs/val; herbs/other_sources stands beside it, being
what several views might help with. The probabilities of the views are averaged.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from herbdemo.calibrate import fit_temperature
from herbdemo.checkpoint import Preprocessing
from herbdemo.dataset import Sample, scan
from herbdemo.decoded import DECODED
from herbdemo.engine import TorchEngine
from herbdemo.photo import open_photo
from herbdemo.registry import Registry
from herbdemo.scores import Head

BATCH = 16
View = Callable[[Image.Image], torch.Tensor]


def views(plain: Preprocessing) -> dict[str, View]:
    """Every single view, by name: one tensor of a photo."""

    def crop(left: float, top: float) -> View:
        def cut(image: Image.Image) -> torch.Tensor:
            w, h = image.size
            box = (left * w, top * h, (left + 0.8) * w, (top + 0.8) * h)
            return plain.tensor(image.crop(tuple(map(round, box))))

        return cut

    return {
        "whole": plain.tensor,
        "mirror": lambda image: plain.tensor(ImageOps.mirror(image)),
        **{f"{size} px": replace(plain, size=size).tensor for size in (160, 192, 256, 288)},
        **{f"crop {k}": crop(*corner)
           for k, corner in enumerate([(0, 0), (0.2, 0), (0, 0.2), (0.2, 0.2), (0.1, 0.1)])},
    }  # fmt: skip


def logits(engine: TorchEngine, head: Head, samples: Sequence[Sample], view: View) -> np.ndarray:
    """(photos, herbs)"""
    found = []
    for start in range(0, len(samples), BATCH):
        photos = [open_photo(s.path, longest=DECODED).image for s in samples[start : start + BATCH]]
        features = engine.features(torch.stack([view(photo) for photo in photos]))
        found.append(head.logits(features.mean(axis=(2, 3))))
    return np.concatenate(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    checkpoint = Registry().load(arguments.model)
    head, engine = Head.of(checkpoint), TorchEngine(checkpoint.network)
    single = views(checkpoint.preprocessing)
    parts = {name: scan(arguments.folder / "herbs" / name) for name in ("val", "other_sources")}
    labels = {name: np.array([checkpoint.herbs.index(s.herb) for s in samples])
              for name, samples in parts.items()}  # fmt: skip
    seen = {(part, name): logits(engine, head, samples, view)
            for part, samples in parts.items() for name, view in single.items()}  # fmt: skip
    crops = [name for name in single if name.startswith("crop")]
    combinations = {
        **{name: [name] for name in ("whole", "160 px", "192 px", "256 px", "288 px")},
        "whole and mirror image": ["whole", "mirror"],
        "192, 224 and 256 px": ["192 px", "whole", "256 px"],
        "five crops of 80 %": crops,
        "whole and five crops": ["whole", *crops],
    }
    print("| views | passes | val | log-loss | other sources |\n|---|---|---|---|---|")
    for title, names in combinations.items():
        cells = {}
        for part in parts:
            # Log of the mean probability at the model's own temperature: again like logits.
            z = np.stack([seen[part, name] for name in names]) / head.temperature
            z -= np.logaddexp.reduce(z, axis=2, keepdims=True)
            cells[part] = np.logaddexp.reduce(z, axis=0)
        z, y = cells["val"], labels["val"]
        z = z / fit_temperature(z, y)
        loss = (np.logaddexp.reduce(z, axis=1) - z[np.arange(len(y)), y]).mean()
        accuracy = {part: (cells[part].argmax(axis=1) == labels[part]).mean() for part in parts}
        print(f"| {title} | {len(names)} | {accuracy['val']:.1%} | {loss:.3f} | "
              f"{accuracy['other_sources']:.1%} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
