"""How many photos does a new herb need, and what does it cost the old ones? Prints Markdown.

    python -m benchmarks.extend ../shared [--model ID] [--draws 5]

The herbs of ../shared/new_herbs are added to the model, 1, 3, 5, 10 and 50 photos of each drawn at
random; the rest of their photos and herbs/test are what is reported. Means over the draws.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample, fingerprints, scan
from herbdemo.discriminant import moments
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import Features, extract
from herbdemo.registry import Registry
from herbdemo.scores import UNKNOWN, Head, expected_calibration_error, unit
from herbdemo.solve import Added, solved

PHOTOS = (1, 3, 5, 10, 50)
APART = ("洋葱", "郁金香")  # of the new herbs, the two that do not look like others
Method = Callable[[np.ndarray], np.ndarray]  # pooled features (N, D) -> scores (N, herbs)


def ridge(base: Checkpoint, x: np.ndarray, labels: np.ndarray, herbs: int) -> Method:
    """Least squares on one-hot targets (RanPAC without its random layer)."""
    count, total, moment = moments(base.statistics)
    sums = np.zeros((herbs, x.shape[1]))
    sums[: len(count)] = total
    np.add.at(sums, labels, x)
    moment = moment + x.T @ x
    moment += 0.01 * np.trace(moment) / len(moment) * np.eye(len(moment))
    weight = np.linalg.solve(moment, sums.T)
    return lambda photos: photos @ weight


def nearest_mean(base: Checkpoint, x: np.ndarray, labels: np.ndarray, herbs: int) -> Method:
    """Cosine to the mean of each herb."""
    count, total, _ = moments(base.statistics)
    means = np.stack([*(total / count[:, None]),
                      *(x[labels == k].mean(axis=0) for k in range(len(count), herbs))])  # fmt: skip
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return lambda photos: photos @ means.T / np.linalg.norm(photos, axis=1, keepdims=True)


def among_themselves(new: Features, n: int, draw: int) -> float:
    """How well the features tell the new herbs apart where no old herb is in the way."""
    rng = np.random.default_rng(draw)
    herbs = np.unique(new.labels)
    rows = np.concatenate([rng.permutation(np.flatnonzero(new.labels == k))[:n] for k in herbs])
    rest = np.setdiff1d(np.arange(len(new.labels)), rows)
    roots = unit(np.sqrt(np.maximum(new.pooled, 0)))
    roots -= roots[rows].mean(axis=0)
    gram = roots[rows] @ roots[rows].T
    gram += 0.5 * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram, (new.labels[rows, None] == herbs) - 1 / len(herbs))
    answer = herbs[(roots[rest] @ roots[rows].T @ weights).argmax(axis=1)]
    return (answer == new.labels[rest]).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    base = Registry().load(arguments.model)
    engine, old = TorchEngine(base.network), len(base.herbs)

    def features(samples: list[Sample], herbs: tuple[str, ...]) -> Features:
        return extract(engine, samples, herbs, base.preprocessing)

    test = features(scan(arguments.folder / "herbs" / "test"), base.herbs)
    samples = scan(arguments.folder / "new_herbs")
    names = tuple(sorted({sample.herb for sample in samples}))
    new, prints = features(samples, names), fingerprints(samples)[0]
    alone = (Head.of(base).logits(test.pooled).argmax(axis=1) == test.labels).mean()
    print(f"{base.id} alone: {alone:.1%} of {len(test.labels)} test photos.\n")

    def table(names: tuple[str, ...], methods: dict[str, dict]) -> None:
        print(f"New: {'、'.join(names)}, among all {old + len(names)}.\n")
        print("| photos per new herb | " + " | ".join(str(n) for n in PHOTOS) + " |")
        print("|---" * (len(PHOTOS) + 1) + "|")
        rows: dict[str, list[str]] = {}
        for n in PHOTOS:
            for method, options in methods.items():
                found = np.mean(
                    [once(n, draw, names, options) for draw in range(arguments.draws)], axis=0
                )
                share = f"{found[0]:.0%} / {found[1]:.1%}"
                rows.setdefault(f"{method}: new / old", []).append(share)
                if method == "this":
                    rows.setdefault("this: ECE of old / of all", []).append(
                        f"{found[2]:.1%} / {found[3]:.1%}"
                    )
                    rows.setdefault("this: wrong new ones called unknown", []).append(
                        f"{found[4]:.0%}"
                    )
        for name, values in rows.items():
            print(f"| {name} | " + " | ".join(values) + " |", flush=True)
        print()

    def once(n: int, draw: int, names_used: tuple[str, ...], options: dict) -> list[float]:
        rng = np.random.default_rng(draw)
        chosen = [
            rng.permutation(np.flatnonzero(new.labels == names.index(h)))[:n] for h in names_used
        ]
        rows = np.concatenate(chosen)
        mine = [names.index(h) for h in names_used]
        rest = np.setdiff1d(np.flatnonzero(np.isin(new.labels, mine)), rows)
        herbs = [names[k] for k in new.labels[rows]]
        x = new.pooled[rows].astype(np.float16).astype(np.float64)
        truth = np.array([old + names_used.index(names[k]) for k in new.labels[rest]])
        if "method" in options:
            labels = np.array([old + names_used.index(h) for h in herbs])
            score = options["method"](base, x, labels, old + len(names_used))
            return [(score(new.pooled[rest]).argmax(axis=1) == truth).mean(),
                    (score(test.pooled).argmax(axis=1) == test.labels).mean(), 0, 0, 0]  # fmt: skip
        added = Added(
            x.astype(np.float32), tuple(herbs), tuple(str(row) for row in rows), prints[rows]
        )
        head = Head.of(solved(base, added, name="new", **options)[0])
        p_old, p_new = head.probabilities(test.pooled), head.probabilities(new.pooled[rest])
        right_old, right_new = p_old.argmax(axis=1) == test.labels, p_new.argmax(axis=1) == truth
        verdicts = [
            head.verdict(p.max(), f)
            for p, f in zip(p_new, head.familiarity(new.pooled[rest]), strict=True)
        ]
        refused = np.array([v == UNKNOWN for v in verdicts])[~right_new]
        return [
            right_new.mean(),
            right_old.mean(),
            expected_calibration_error(p_old.max(axis=1), right_old),
            expected_calibration_error(
                np.r_[p_old.max(axis=1), p_new.max(axis=1)], np.r_[right_old, right_new]
            ),
            refused.mean() if len(refused) else 0.0,
        ]

    table(names, {
        "nearest mean (cosine)": {"method": nearest_mean},
        "ridge": {"method": ridge},
        "discriminant": {"share": 0.0, "leads": (0.0,)},
        "and all of the trained head": {"share": 1.0, "leads": (0.0,)},
        "and a tenth of the trained head": {"leads": (0.0,)},
        "this": {},
    })  # fmt: skip
    print("The six among themselves only, ridge on the square roots of the features:\n")
    print("| photos per new herb | " + " | ".join(str(n) for n in PHOTOS) + " |")
    print("|---" * (len(PHOTOS) + 1) + "|")
    found = [
        np.mean([among_themselves(new, n, draw) for draw in range(arguments.draws)]) for n in PHOTOS
    ]
    print("| right | " + " | ".join(f"{share:.0%}" for share in found) + " |\n")
    table(APART, {"discriminant": {"share": 0.0, "leads": (0.0,)}, "this": {}})


if __name__ == "__main__":
    main()
