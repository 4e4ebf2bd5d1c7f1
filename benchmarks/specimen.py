"""Do several photos of one herb tell more than one? Prints tables in Markdown.

    python -m benchmarks.specimen ../shared [--model ID]

Photos of the same herb are dealt into groups, as `specimen.dealt` does it. How they are fused is
chosen on herbs/val; herbs/test confirms. new_herbs/ and not_herbs/ are the strangers.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample, photos_below, scan
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import extract
from herbdemo.registry import Registry
from herbdemo.scores import Head, expected_calibration_error, softmax, wilson
from herbdemo.specimen import dealt, fuse, least_familiarity

ROUNDS = 20
Set = tuple[np.ndarray, np.ndarray]  # pooled features (N, 2048), labels (N,)


def fusions(temperature: float) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Logits (..., photos, herbs) of groups -> probabilities (..., herbs), by several rules."""
    return {
        "mean of logits (in use)": lambda z: fuse(z, temperature),
        "sum of log-probabilities": lambda z: softmax(z.sum(axis=-2) / temperature),
        "mean of probabilities": lambda z: softmax(z / temperature).mean(axis=-2),
    }


def figures(p: np.ndarray, labels: np.ndarray, certain: float) -> str:
    """top-1, ECE, log-loss, share answered "certain", accuracy of those: cells of a table."""
    right, best = p.argmax(axis=1) == labels, p.max(axis=1)
    loss = -np.log(np.maximum(p[np.arange(len(p)), labels], 1e-12)).mean()
    sure = best >= certain
    return (
        f"{right.mean():.2%} | {expected_calibration_error(best, right):.4f} | {loss:.4f} | "
        f"{sure.mean():.1%} | {right[sure].mean():.2%}"
    )


def fusion_table(head: Head, sets: dict[str, Set]) -> None:
    print("| set | rule | top-1 | ECE | log-loss | certain | right of those | the same photo three "
          "times: ECE | certain | right |\n|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name in ("val", "test"):
        pooled, labels = sets[name]
        logits = head.logits(pooled)
        alone = figures(softmax(logits / head.temperature), labels, head.certain)
        print(f"| {name} | single photos | {alone} | | | |")
        groups = dealt(labels, 3, rounds=ROUNDS)
        for rule, fused in fusions(head.temperature).items():
            together = figures(fused(logits[groups]), labels[groups[:, 0]], head.certain)
            same = fused(np.repeat(logits[:, None], 3, axis=1))
            copies = figures(same, labels, head.certain).split(" | ")
            print(f"| {name} | {rule} | {together} | {copies[1]} | {copies[3]} | {copies[4]} |")


def single_table(head: Head, sets: dict[str, Set]) -> None:
    """Each photo in one group only, so that the intervals are honest."""
    print("\n| set | groups of 3 | fused top-1 | interval | the same photos singly | interval | "
          "gain | interval |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name in ("val", "test"):
        pooled, labels = sets[name]
        logits = head.logits(pooled)
        groups = dealt(labels, 3, rounds=1)
        truth = labels[groups[:, 0]]
        fused = fuse(logits[groups], head.temperature).argmax(axis=1) == truth
        singly = logits[groups].argmax(axis=2) == truth[:, None]
        gain = fused - singly.mean(axis=1)
        draws = np.random.default_rng(0).integers(len(gain), size=(10_000, len(gain)))
        low, high = np.quantile(gain[draws].mean(axis=1), [0.025, 0.975])
        print(f"| {name} | {len(groups)} | {fused.mean():.2%} | {_interval(fused)} | "
              f"{singly.mean():.2%} | {_interval(singly)} | {gain.mean():+.2%} | "
              f"{low:+.2%} … {high:+.2%} |")  # fmt: skip


def size_table(checkpoint: Checkpoint, head: Head, sets: dict[str, Set]) -> None:
    print("\n| photos | test top-1 | ECE | log-loss | certain | right of those | least familiarity "
          "| herbs called unknown, val | test | near strangers called unknown | far |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    for size in range(1, 6):
        limit = least_familiarity(checkpoint, head, size)
        pooled, labels = sets["test"]
        groups = dealt(labels, size, rounds=ROUNDS)
        fused = fuse(head.logits(pooled)[groups], head.temperature)
        refused = [f"{(_familiarity(head, sets[name], size) < limit).mean():.1%}"
                   for name in ("val", "test", "new_herbs", "not_herbs")]  # fmt: skip
        print(f"| {size} | {figures(fused, labels[groups[:, 0]], head.certain)} | {limit:.4f} | "
              f"{' | '.join(refused)} |")  # fmt: skip


def familiarity_table(head: Head, sets: dict[str, Set]) -> None:
    print("\n| familiarity of three photos | near, val | near, test | far, val | far, test |\n"
          "|---|---|---|---|---|")  # fmt: skip
    rules = {
        "mean (in use)": lambda f, x: f.mean(axis=1),
        "highest": lambda f, x: f.max(axis=1),
        "lowest": lambda f, x: f.min(axis=1),
        "of the mean features": lambda f, x: head.familiarity(x.mean(axis=1)),
    }
    for rule, of in rules.items():
        found = {}
        for name, (pooled, labels) in sets.items():
            groups = dealt(labels, 3, rounds=ROUNDS)
            found[name] = of(head.familiarity(pooled)[groups], pooled[groups])
        cells = [f"{_auroc(found[known], found[strange]):.3f}"
                 for strange in ("new_herbs", "not_herbs") for known in ("val", "test")]  # fmt: skip
        print(f"| {rule} | {' | '.join(cells)} |")


def mixed_table(head: Head, sets: dict[str, Set]) -> None:
    """What if they are not of one specimen after all? The last photo is of another herb."""
    print("\n| photos | set | two are certain of different herbs | certain | right of those | "
          "certain, where none disagree | right of those |\n|---|---|---|---|---|---|---|"
          )  # fmt: skip
    rng = np.random.default_rng(0)
    for title, size, mixed in (("3 of one herb", 3, False), ("2, and 1 of another", 2, True),
                               ("1, and 1 of another", 1, True)):  # fmt: skip
        for name in ("val", "test"):
            pooled, labels = sets[name]
            groups = dealt(labels, size, rounds=ROUNDS if size > 1 else 1)
            if mixed:
                groups = np.column_stack([groups, _others(labels[groups[:, 0]], labels, rng)])
            logits = head.logits(pooled)[groups]
            single = softmax(logits / head.temperature)
            familiar = head.familiarity(pooled)[groups] >= head.unknown
            sure = (single.max(axis=2) >= head.certain) & familiar
            best = np.where(sure, single.argmax(axis=2), -1)
            top = best.max(axis=1, keepdims=True)
            clash = ((best >= 0) & (best != top)).any(axis=1)
            fused = fuse(logits, head.temperature)
            certain = fused.max(axis=1) >= head.certain
            right = fused.argmax(axis=1) == labels[groups[:, 0]]
            agreed = certain & ~clash
            shown = [f"{c.mean():.1%} | {right[c].mean():.1%}" for c in (certain, agreed)]
            print(f"| {title} | {name} | {clash.mean():.1%} | {' | '.join(shown)} |")


def _familiarity(head: Head, of: Set, size: int) -> np.ndarray:
    pooled, labels = of
    return head.familiarity(pooled)[dealt(labels, size, rounds=ROUNDS)].mean(axis=1)


def _others(labels: np.ndarray, pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each label the position of a photo of another herb."""
    return np.array([rng.choice(np.flatnonzero(pool != label)) for label in labels])


def _auroc(known: np.ndarray, strange: np.ndarray) -> float:
    truth = np.r_[np.ones(len(known)), np.zeros(len(strange))]
    return roc_auc_score(truth, np.r_[known, strange])


def _interval(hits: np.ndarray) -> str:
    low, high = wilson(int(hits.sum()), hits.size)
    return f"{low:.1%} … {high:.1%}"


def tables(checkpoint: Checkpoint, sets: dict[str, Set]) -> None:
    head = Head.of(checkpoint)
    fusion_table(head, sets)
    single_table(head, sets)
    size_table(checkpoint, head, sets)
    familiarity_table(head, sets)
    mixed_table(head, sets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    checkpoint = Registry().load(arguments.model)
    engine, folder = TorchEngine(checkpoint.network), arguments.folder

    def pooled(samples: list[Sample]) -> np.ndarray:
        return extract(engine, samples, checkpoint.herbs, checkpoint.preprocessing).pooled

    sets = {}
    for name in ("val", "test", "new_herbs"):
        samples = scan(folder / "herbs" / name if name != "new_herbs" else folder / name)
        herbs = checkpoint.herbs if name != "new_herbs" else sorted({s.herb for s in samples})
        sets[name] = pooled(samples), np.array([herbs.index(sample.herb) for sample in samples])
    scenes = [Sample(path, "") for path in photos_below(folder / "not_herbs")]
    sets["not_herbs"] = pooled(scenes), np.zeros(len(scenes), int)
    tables(checkpoint, sets)


if __name__ == "__main__":
    main()
