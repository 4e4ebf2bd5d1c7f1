"""Which score tells herbs of the model from anything else? Prints a table in Markdown.

    python -m benchmarks.unknown ../shared [--model ID]

Needs herbs/train, herbs/val and herbs/test below the folder, not_herbs/ (everyday scenes: far) and
new_herbs/ (herbs the model has not seen: near). The score is chosen on val; test only confirms.
Everything runs on the pooled features, so no score costs a second forward pass.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from herbdemo.dataset import Sample, photos_below, scan
from herbdemo.discriminant import shrunk_inverse
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import extract
from herbdemo.registry import Registry
from herbdemo.scores import Head, directions, softmax, unit

Score = Callable[[np.ndarray], np.ndarray]


def logsumexp(z: np.ndarray) -> np.ndarray:
    top = z.max(axis=1)
    return top + np.log(np.exp(z - top[:, None]).sum(axis=1))


def scores(head: Head, x: np.ndarray, labels: np.ndarray) -> dict[str, Score]:
    """The candidates; `x` (N, 2048) and `labels` are the training photos."""
    means = np.stack([x[labels == k].mean(axis=0) for k in range(len(head.bias))])
    centre = x.mean(axis=0)
    spread = x - means[labels]
    within = spread.T @ spread / len(x)
    both = (x - centre).T @ (x - centre) / len(x)

    def mahalanobis(inverse: np.ndarray) -> Score:  # Lee et al. 2018
        projected = means @ inverse
        squares = (projected * means).sum(axis=1)
        return lambda f: (
            -(((f @ inverse) * f).sum(axis=1)[:, None] - 2 * f @ projected.T + squares).min(axis=1)
        )

    def scale(share: float) -> Score:  # Xu et al. 2024
        def score(f: np.ndarray) -> np.ndarray:
            kept = f > np.quantile(f, share, axis=1, keepdims=True)
            ratio = f.sum(axis=1) / np.maximum((f * kept).sum(axis=1), 1e-9)
            return logsumexp(head.logits(f * np.exp(ratio)[:, None]) / head.temperature)

        return score

    def vim(dimensions: int) -> Score:  # Wang et al. 2022
        origin = -np.linalg.pinv(head.weight) @ head.bias
        _, vectors = np.linalg.eigh((x - origin).T @ (x - origin) / len(x))
        null = vectors[:, :-dimensions]
        alpha = (
            head.logits(x).max(axis=1).mean() / np.linalg.norm((x - origin) @ null, axis=1).mean()
        )
        return lambda f: (
            logsumexp(head.logits(f)) - alpha * np.linalg.norm((f - origin) @ null, axis=1)
        )

    def nearest(k: int) -> Score:  # Sun et al. 2022
        bank = unit(x)
        return lambda f: np.sort(unit(f) @ bank.T, axis=1)[:, -k]

    root_directions = np.linalg.eigh(np.sqrt(x).T @ np.sqrt(x))[1]

    def nearest_root(dimensions: int) -> Score:
        basis = root_directions[:, -dimensions:]
        bank = directions(x, basis)
        return lambda f: (directions(f, basis) @ bank.T).max(axis=1)

    def cosine(f: np.ndarray) -> np.ndarray:
        return (unit(f - centre) @ unit(means - centre).T).max(axis=1)

    def whitened(share: float) -> Score:
        root = np.linalg.cholesky(shrunk_inverse(within, share))
        herbs = unit((means - centre) @ root)
        return lambda f: (unit((f - centre) @ root) @ herbs.T).max(axis=1)

    inverse, total = shrunk_inverse(within, 0.1), shrunk_inverse(both, 0.1)
    distance, whitened_cosine = mahalanobis(inverse), whitened(0.1)
    found: dict[str, Score] = {
        "MSP": lambda f: head.probabilities(f).max(axis=1),
        "MSP, T = 1": lambda f: softmax(head.logits(f)).max(axis=1),
        "max logit": lambda f: head.logits(f).max(axis=1),
        "energy": lambda f: logsumexp(head.logits(f) / head.temperature),
        "SCALE 0.65": scale(0.65),
        "SCALE 0.85": scale(0.85),
        "Mahalanobis": distance,
        "relative Mahalanobis": lambda f: (
            distance(f) + (((f - centre) @ total) * (f - centre)).sum(axis=1)
        ),
        "ViM 512": vim(512),
        "KNN 1": nearest(1),
        "KNN 10": nearest(10),
        "KNN 1 of square roots, 64 directions": nearest_root(64),
        "KNN 1 of square roots, 128 directions": nearest_root(128),
        "KNN 1 of square roots, 256 directions": nearest_root(256),
        "KNN 1 of square roots": nearest_root(x.shape[1]),
        "cosine to a herb's mean": cosine,
        "whitened cosine 0.02": whitened(0.02),
        "whitened cosine 0.1": whitened_cosine,
        "whitened cosine 0.3": whitened(0.3),
        "cosine × probability": lambda f: cosine(f) * head.probabilities(f).max(axis=1),
        "whitened cosine 0.1 × probability": lambda f: (
            whitened_cosine(f) * head.probabilities(f).max(axis=1)
        ),
        "familiarity (in use)": head.familiarity,
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    checkpoint = Registry().load(arguments.model)
    head, engine = Head.of(checkpoint), TorchEngine(checkpoint.network)

    def features(samples: list[Sample]) -> tuple[np.ndarray, np.ndarray]:
        found = extract(engine, samples, checkpoint.herbs, checkpoint.preprocessing)
        return found.pooled, found.labels

    folder = arguments.folder
    train = features(scan(folder / "herbs" / "train"))
    known = {s: features(scan(folder / "herbs" / s))[0] for s in ("val", "test")}
    strangers = {
        kind: features([Sample(path, "") for path in photos_below(folder / kind)])[0]
        for kind in ("not_herbs", "new_herbs")
    }
    print("| score | far, val | far, test | FPR95 | near, val | near, test | FPR95 |")
    print("|---|---|---|---|---|---|---|")
    for name, score in scores(head, *train).items():
        cells = [name]
        for stranger in strangers.values():
            outside = score(stranger)
            for inside in (score(known["val"]), score(known["test"])):
                truth = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
                cells.append(f"{roc_auc_score(truth, np.r_[inside, outside]):.3f}")
            cells.append(f"{(outside > np.quantile(inside, 0.05)).mean():.2f}")
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
