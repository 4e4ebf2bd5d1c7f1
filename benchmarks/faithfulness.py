"""Which map is the most faithful? Prints a table in Markdown.

    python -m benchmarks.faithfulness ../shared [--photos 40] [--split test] [--seconds 230]

For each photo and its most probable herb: ROAD, deletion and insertion of the quick methods that
differ most (see `herbdemo/faithful.py`), and of a map drawn at random. Ablation- and Score-CAM are
left out: they need a forward pass for every channel. It stops after so many seconds, and says how
many photos it came to.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from herbdemo.dataset import scan
from herbdemo.explain import Explainer
from herbdemo.faithful import Faithfulness, faithfulness
from herbdemo.photo import open_photo
from herbdemo.registry import Registry

MAPS = (
    ("grad-cam", "layer4"),  # also HiResCAM and XGrad-CAM, which equal it there
    ("grad-cam++", "layer4"),
    ("eigen-cam", "layer4"),
    ("layer-cam", "layer3"),
)
RANDOM = ("at random", "7×7")


def interval(values: list[float]) -> str:
    mean, error = np.mean(values), np.std(values) / np.sqrt(len(values))
    return f"{mean:.3f} ± {1.96 * error:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seconds", type=float, default=230)
    parser.add_argument("--model")
    args = parser.parse_args()

    registry = Registry()
    explainer = Explainer(registry.load(args.model or registry.active_id()))
    samples = scan(args.data / "herbs" / args.split)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(samples))[: args.photos]
    found: dict[tuple[str, str], list[Faithfulness]] = {one: [] for one in (*MAPS, RANDOM)}
    began, photos = time.monotonic(), 0
    for n in chosen:
        if time.monotonic() - began > args.seconds:
            break
        seen = explainer.see(open_photo(samples[n].path))
        herb = explainer.herbs[int(np.argmax(seen.probabilities))]
        for method, layer in MAPS:
            values = explainer.explain(seen, herb, method=method, layer=layer).values
            found[method, layer].append(faithfulness(explainer, seen, herb, values))
        noise = rng.random((7, 7), np.float32)
        found[RANDOM].append(faithfulness(explainer, seen, herb, noise))
        photos += 1

    print(f"{photos} photos of `{args.split}`, {time.monotonic() - began:.0f} s\n")
    print("| method | layer | ROAD ↑ | deletion ↓ | insertion ↑ | faithful | open | not |")
    print("|---|---|---|---|---|---|---|---|")
    for (method, layer), all_ in found.items():
        verdicts = [one.verdict for one in all_]
        counts = " | ".join(str(verdicts.count(v)) for v in ("faithful", "open", "unfaithful"))
        print(
            f"| {method} | {layer} | {interval([one.road for one in all_])} "
            f"| {interval([one.deletion_auc for one in all_])} "
            f"| {interval([one.insertion_auc for one in all_])} | {counts} |"
        )


if __name__ == "__main__":
    main()
