"""What a second process brings, and that it changes nothing: one epoch, alternately in one and two.

    python -m benchmarks.processes ../shared --init ../shared/weights/resnet50-imagenet.safetensors

One process has all cores for its threads, each of two has half of them; the loading of photos comes
on top in both cases. Photos per second are those of the training steps, without start, validation
and statistics.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from herbdemo.dataset import scan

PART = {"train": 1.0, "val": 0.25}  # val gets a quarter as many


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--init", required=True)
    parser.add_argument("--photos", type=int, default=160, help="seen in ten steps")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        few_photos(arguments.folder / "herbs", Path(place) / "photos", arguments.photos)
        print(
            "| round | processes x threads | photos/s | train loss | val loss |\n|---|---|---|---|---|"
        )
        for turn in range(arguments.rounds):
            for processes in (1, 2):
                threads = max(1, (os.cpu_count() or 2) // processes)
                epoch = one_epoch(
                    Path(place), arguments.init, processes, threads, arguments.photos // 10
                )
                speed = epoch["photos_per_second"]
                print(f"| {turn + 1} | {processes} x {threads} | {speed:.2f} | "
                      f"{epoch['train_loss']:.5f} | {epoch['val_loss']:.5f} |", flush=True)  # fmt: skip


def few_photos(source: Path, target: Path, photos: int) -> None:
    """Links to the first photos of eight herbs."""
    for part, share in PART.items():
        samples = scan(source / part)
        for herb in sorted({sample.herb for sample in samples})[:8]:
            (target / part / herb).mkdir(parents=True)
            mine = [sample.path for sample in samples if sample.herb == herb]
            for path in mine[: round(photos / 8 * share)]:
                (target / part / herb / path.name).symlink_to(path.resolve())


def one_epoch(place: Path, init: str, processes: int, threads: int, batch: int) -> dict[str, float]:
    """What a training of one epoch says of it."""
    home = tempfile.mkdtemp(dir=place)
    start = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run(
        [sys.executable, *(start if processes > 1 else []), "-m", "herbdemo", "train",
         str(place / "photos"), "--name", "x", "--init", init, "--epochs", "1", "--batch", str(batch), "--json"],
        env={**os.environ, "HERBDEMO_HOME": home, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    epoch = next(event for event in events if event["kind"] == "epoch")
    step = [event for event in events if event["kind"] == "step"][-1]
    return {**epoch, "photos_per_second": step["photos_per_second"]}


if __name__ == "__main__":
    main()
