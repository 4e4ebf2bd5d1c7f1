"""Does a map follow the herb it is made for? Prints two tables in Markdown.

    python -m benchmarks.sanity ../shared [--composites 240] [--split test] [--model ID]

The pointing game (Zhang et al. 2016) on photos of two herbs: the left half of one test photo beside
the right half of another. The map of each herb has to have its maximum in that herb's own half.
Then the head is randomised (Adebayo et al. 2018): a map that stays the same did not look at it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from herbdemo.dataset import scan
from herbdemo.engine import TorchEngine
from herbdemo.heatmap import class_maps, normalised, resized
from herbdemo.photo import open_photo
from herbdemo.registry import Registry
from herbdemo.scores import Head, wilson

SIDE = 224
BATCH = 16


def half(image: Image.Image) -> Image.Image:
    """The middle of a photo, half as wide as high, without a distortion."""
    width, height = image.size
    wide, high = min(width, height / 2), min(height, 2 * width)
    left, top = (width - wide) / 2, (height - high) / 2
    box = (left, top, left + wide, top + high)
    return image.resize((SIDE // 2, SIDE), Image.Resampling.BILINEAR, box=box, reducing_gap=3.0)


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """One photo of two herbs."""
    both = Image.new("RGB", (SIDE, SIDE))
    both.paste(half(left))
    both.paste(half(right), (SIDE // 2, 0))
    return both


def pairs(labels: np.ndarray, n: int, seed: int = 0) -> list[tuple[int, int]]:
    """`n` pairs of photos of different herbs; no photo is taken twice while there are others."""
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(labels)) for _ in range(2 + 2 * n // len(labels))])
    found, left = [], list(order)
    while len(found) < n:
        a = left.pop()
        at = next(at for at in range(len(left) - 1, -1, -1) if labels[left[at]] != labels[a])
        found.append((int(a), int(left.pop(at))))
    return found


def share_on_the_left(values: np.ndarray) -> tuple[bool, float]:
    """Whether the maximum of a map (h, w) in 0..1 lies on the left, and how much of its mass."""
    fine = np.maximum(resized(values, (SIDE, SIDE), smooth=True), 0)
    at = int(fine.argmax()) % SIDE
    return at < SIDE // 2, float(fine[:, : SIDE // 2].sum() / max(fine.sum(), 1e-9))


def features(engine: TorchEngine, tensors: list[Tensor]) -> np.ndarray:
    batches = (tensors[at : at + BATCH] for at in range(0, len(tensors), BATCH))
    return np.concatenate([engine.features(torch.stack(batch)) for batch in batches])


def pointing(A: np.ndarray, head: Head, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Hits of each map: bool (photos, 2), and the mass in the herb's own half, float (photos, 2).

    Args:
        A: features of the composites. truth: the herb on the left and on the right, (photos, 2).
    """
    hits = {name: np.zeros((len(A), 2)) for name in ("grad-cam", "mass", "contrast")}
    for n, (a, (left, right)) in enumerate(zip(A, truth, strict=True)):
        W = head.weight
        for side, (herb, other) in enumerate(((left, right), (right, left))):
            maps = normalised(class_maps(a, np.stack([W[herb], W[herb] - W[other]])))
            for name, values in zip(("grad-cam", "contrast"), maps, strict=True):
                found, mass = share_on_the_left(values)
                hits[name][n, side] = values.any() and found == (side == 0)
                if name == "grad-cam":
                    hits["mass"][n, side] = mass if side == 0 else 1 - mass
    return hits


def randomised(A: np.ndarray, head: Head, herbs: np.ndarray, seed: int = 0) -> np.ndarray:
    """Correlation of each photo's map before and after its row of the head is shuffled: (photos,)."""
    rng = np.random.default_rng(seed)
    found = []
    for a, herb in zip(A, herbs, strict=True):
        row = head.weight[herb]
        maps = normalised(class_maps(a, np.stack([row, rng.permutation(row)])))
        fine = [resized(values, (56, 56), smooth=True).ravel() for values in maps]
        found.append(np.corrcoef(fine)[0, 1] if all(f.std() > 1e-6 for f in fine) else 0.0)
    return np.array(found)


def line(name: str, hits: np.ndarray) -> str:
    n, total = int(hits.sum()), hits.size
    low, high = wilson(n, total)
    return f"| {name} | {n} of {total} | {n / total:.1%} | {low:.1%} – {high:.1%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--composites", type=int, default=240)
    parser.add_argument("--split", default="test")
    parser.add_argument("--model")
    args = parser.parse_args()

    registry = Registry()
    checkpoint = registry.load(args.model or registry.active_id())
    head, engine = Head.of(checkpoint), TorchEngine(checkpoint.network)
    samples = scan(args.data / "herbs" / args.split)
    labels = np.array([checkpoint.herbs.index(sample.herb) for sample in samples])
    chosen = pairs(labels, args.composites)
    photos = {n: open_photo(samples[n].path).image for pair in chosen for n in pair}
    prepare = checkpoint.preprocessing.tensor
    A = features(engine, [prepare(side_by_side(photos[a], photos[b])) for a, b in chosen])
    truth = labels[np.array(chosen)]
    hits = pointing(A, head, truth)
    probability = head.probabilities(A.mean(axis=(2, 3)))
    named = probability.argsort(axis=1)[:, -5:]
    known = (truth[:, :, None] == named[:, None, :]).any(axis=2)

    print(f"{len(chosen)} composites of `{args.split}`, model {checkpoint.id}\n")
    print("| the herb's own half holds | maps | share | 95 % |\n|---|---|---|---|")
    print(line("the maximum of its Grad-CAM", hits["grad-cam"]))
    print(line("… where the herb is among the five answers", hits["grad-cam"][known]))
    print(line("the maximum of its contrast with the other", hits["contrast"]))
    print(line("more than half of its Grad-CAM's mass", hits["mass"] > 0.5))
    print(f"\nmean mass in its own half: {hits['mass'].mean():.1%}")

    some = list(photos)[:80]  # in the random order of the pairs
    alone = features(engine, [prepare(photos[n]) for n in some])
    r = randomised(alone, head, labels[some])
    print(f"\nrow of the head shuffled, {len(some)} photos: correlation of the maps "
          f"mean {r.mean():.2f}, {np.mean(r > 0.8):.0%} above 0.8")  # fmt: skip


if __name__ == "__main__":
    main()
