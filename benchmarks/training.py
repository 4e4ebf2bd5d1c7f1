"""How much of a training's time goes into the network, and how much into everything around it.

    python -m benchmarks.training ../shared [--json FILE] [--large]

The real loop, `train.fit` on real photos, takes turns in one process with the bare forward and
backward passes of the same network on random tensors: same depth, precision, batch and side. An
epoch of the loop, then as many bare steps, and so on; medians. AdamW's step on the same network is
stated apart. Time is what the clock says and, less disturbed by whatever else the computer does, what
the processors spent, the workers' included. "quick" is one pass over the photos, beside the engine's passes over random tensors.
`--large` makes 12-megapixel photos and trains on these.
"""

import argparse
import copy
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch.nn import functional

from benchmarks import bench
from herbdemo import distributed
from herbdemo.checkpoint import Preprocessing
from herbdemo.dataset import Sample, scan
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import BATCH, extract
from herbdemo.events import Event
from herbdemo.network import HerbNet, replace_head
from herbdemo.optimise import careful_adamw, freeze_batchnorm
from herbdemo.recipe import PRESETS, Recipe
from herbdemo.registry import Registry
from herbdemo.start import start_from
from herbdemo.train import fit, herbs_of

LEAST = 0.85  # of the bare forward and backward passes
CASES = (("full", 128), ("full", 160), ("standard", 128), ("standard", 160))


class Bare:
    """The same network on random tensors, and nothing else."""

    def __init__(self, network: HerbNet, recipe: Recipe, side: int) -> None:
        accelerator = distributed.join()
        device = accelerator.device
        self.autocast = accelerator.autocast
        self.network = network.to(device, memory_format=torch.channels_last)
        self.optimizer = careful_adamw(network, recipe)
        freeze_batchnorm(network.train())
        x = torch.randn(recipe.batch, 3, side, side, device=device)
        self.x = x.to(memory_format=torch.channels_last)
        self.y = torch.randint(network.fc.out_features, (recipe.batch,), device=device)

    def step(self) -> tuple[np.ndarray, np.ndarray]:
        """Seconds, as `spent`, of forward and backward, and of the optimizer."""
        self.optimizer.zero_grad()
        started = spent(self.x.device)
        with self.autocast():
            logits = self.network(self.x)
        functional.cross_entropy(logits.float(), self.y).backward()
        passed = spent(self.x.device)
        self.optimizer.step()
        return passed - started, spent(self.x.device) - passed


def spent(device: torch.device | None = None) -> np.ndarray:
    """Seconds by the clock, and of processors by this process and its workers."""
    if device and device.type == "cuda":
        torch.cuda.synchronize()
    workers = [child.cpu_times() for child in psutil.Process().children()]
    return np.array([
        time.perf_counter(),
        time.process_time() + sum(times.user + times.system for times in workers),
    ])  # fmt: skip


def loop(
    network: HerbNet, photos: Sequence[Sample], recipe: Recipe, turns: int, steps: int
) -> dict[str, list[np.ndarray]]:
    """Seconds per photo, as `spent`, of each tenth step on, of the bare passes, and of the optimizer."""
    seconds, last = defaultdict(list), [spent()]
    herbs = herbs_of(photos)
    replace_head(network, len(herbs))
    bare = Bare(copy.deepcopy(network), recipe, recipe.size_at(0))
    bare.step()

    def say(event: Event) -> None:
        if event.kind == "step":
            # Ten steps to the next one. The first ten of an epoch hold the workers' start.
            number = (event.values["step"] - 1) % steps
            at = spent()
            if number >= 10:
                seconds["loop"].append((at - last[0]) / 10 / recipe.batch)
            last[0] = at
        elif event.kind == "epoch":
            for _ in range(5):
                forward_backward, optimizer = bare.step()
                seconds["bare"].append(forward_backward / recipe.batch)
                seconds["optimizer"].append(optimizer / recipe.batch)

    with tempfile.TemporaryDirectory() as folder:
        fit(copy.deepcopy(network), photos, photos[:8], run=Path(folder), say=say,
            preprocessing=Preprocessing(), recipe=replace(recipe, epochs=turns, patience=0),
            keep_head=True)  # fmt: skip
    return seconds


def once(network: HerbNet, photos: Sequence[Sample], turns: int) -> dict[str, list[np.ndarray]]:
    """Seconds per photo, as `spent`, of a pass over the photos, and of the engine's bare passes."""
    seconds = defaultdict(list)
    engine = TorchEngine(network)
    x = torch.randn(BATCH, 3, 224, 224)
    for _ in range(turns):
        started = spent()
        extract(engine, photos, (), Preprocessing())
        seconds["loop"].append((spent() - started) / len(photos))
        for _ in range(3):
            started = spent()
            engine.features(x)
            seconds["bare"].append((spent() - started) / BATCH)
    return seconds


def large(folder: Path, count: int) -> list[Sample]:
    """Photos of 4000 x 3000 pixels with the grain of a camera, of two herbs."""
    rng = np.random.default_rng(0)
    samples = []
    for number in range(count):
        soft = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        pixels = np.asarray(soft.resize((4000, 3000), Image.Resampling.BICUBIC), np.int16)
        grain = rng.integers(-8, 9, (3000, 4000, 1), dtype=np.int16)
        path = folder / f"{number}.jpg"
        Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        samples.append(Sample(path, ("党参", "当归")[number % 2]))
    return samples


def row(name: str, side: int, seconds: dict[str, list[np.ndarray]]) -> dict[str, object]:
    loop, bare = (np.median(seconds[key], axis=0) for key in ("loop", "bare"))
    with_optimizer = bare + np.median(seconds["optimizer"] or [[0.0, 0.0]], axis=0)
    return {
        "preset": name,
        "side": side,
        "photos_per_second": 1 / loop[0],
        "bare": 1 / bare[0],
        "share": bare[0] / loop[0],
        "share_with_optimizer": with_optimizer[0] / loop[0],
        "share_of_cpu": bare[1] / loop[1],
        "share_of_cpu_with_optimizer": with_optimizer[1] / loop[1],
    }


def result(rows: Sequence[dict[str, object]]) -> bench.Result:
    """The table; the bar is held to the clock."""
    keys = ("share", "share_with_optimizer", "share_of_cpu", "share_of_cpu_with_optimizer")
    return bench.Result(
        name="training",
        title="Training: photos per second, and the share of the bare passes on random tensors",
        columns=["preset", "px", "photos/s", "bare forward + backward", "share of the time",
                 "AdamW counted", "share of processor time", "AdamW counted"],
        rows=[
            [str(each["preset"]), str(each["side"]), f"{each['photos_per_second']:.1f}",
             f"{each['bare']:.1f}", *(f"{each[key]:.0%}" for key in keys)]
            for each in rows
        ],
        bars=[
            bench.Bar(f"{each['preset']}, {each['side']} px: of the bare passes",
                      float(each["share"]), LEAST, least=True)
            for each in rows
        ],
        values={"rows": list(rows)},
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20, help="of an epoch; a multiple of ten")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--only", help="a preset: quick, standard or full")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", type=Path, default=bench.RESULTS / "training.json")
    arguments = parser.parse_args()
    count = arguments.steps * arguments.batch
    with tempfile.TemporaryDirectory() as folder:
        if arguments.large:
            made = large(Path(folder), 24)
            photos = [made[n % len(made)] for n in range(count)]
        else:
            everything = scan(arguments.folder / "herbs" / "train")
            chosen = np.random.default_rng(0).permutation(len(everything))[:count]
            photos = [everything[n] for n in chosen]
        weights = str(arguments.folder / "weights" / "resnet50-imagenet.safetensors")
        network, rows = start_from(weights, Registry()).network, []
        for name, side in CASES:
            if arguments.only in (None, name):
                recipe = replace(PRESETS[name], batch=arguments.batch, sizes=((0.0, side),))
                seconds = loop(network, photos, recipe, arguments.turns, arguments.steps)
                rows.append(row(name, side, seconds))
        if arguments.only in (None, "quick"):
            rows.append(row("quick", 224, once(network, photos[:160], arguments.turns)))
    bench.tell(result(rows), arguments.json)


if __name__ == "__main__":
    main()
