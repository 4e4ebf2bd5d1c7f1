"""How fast a pile of photos is recognised, and in how much memory.

    python -m benchmarks.piles ../shared/herbs --photos 2000

Links the photos of a folder again and again until there are as many as wanted, recognises them to
a CSV, and prints after each tenth how fast it was and the most memory that the process has held.
"""

import argparse
import os
import resource
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import torch

from herbdemo.dataset import photos_below
from herbdemo.piles_out import recognised_into
from herbdemo.recognise import Recogniser
from herbdemo.registry import Registry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--model", help="id of a model; the active one")
    arguments = parser.parse_args()
    recogniser = Recogniser(Registry().load(arguments.model))
    recogniser.warm_up()
    print(f"{recogniser.device}, {torch.get_num_threads()} threads\n")
    with tempfile.TemporaryDirectory() as place:
        pile = Path(place) / "pile"
        link(arguments.folder, pile, arguments.photos)
        print("| photos | photos/s since the last line | peak memory, MB |\n|---|---|---|")
        print(f"| 0 | | {peak()} |", flush=True)
        out = Path(place) / "rows.csv"
        done, told, since = 0, 0, time.perf_counter()
        for rows in recognised_into(out, recogniser, [pile]):
            done += len(rows)
            if done - told >= arguments.photos / 10 or done == arguments.photos:
                now = time.perf_counter()
                print(f"| {done} | {(done - told) / (now - since):.1f} | {peak()} |", flush=True)
                told, since = done, now
        print(f"\nrows.csv: {out.stat().st_size / 1e6:.1f} MB")


def link(folder: Path, pile: Path, wanted: int) -> None:
    """`wanted` links to the photos below `folder`, a hundred in each sub-folder."""
    photos = photos_below(folder)
    for number, photo in enumerate(islice(cycle(photos), wanted)):
        target = pile / f"{number // 100:04d}" / f"{number:06d}{photo.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(photo.resolve(), target)


def peak() -> int:
    """The most memory that this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
