"""A folder of photos, decoding included, beside the bare network on batches that lie ready.

    python -m benchmarks.batch [--turns 8] [--folder PHOTOS]

`piles.recognised` is what `python -m herbdemo recognise FOLDER` and the Batch tab run. Beside it what
is usual: a loop over the photos with Pillow, torchvision's transforms and its ResNet-50 in float32.
"""

import itertools
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks import bench
from benchmarks.answer import Peers
from benchmarks.photos import pile
from herbdemo.dataset import photos_below
from herbdemo.engine import best_device
from herbdemo.given import given
from herbdemo.photo import open_photo
from herbdemo.piles import recognised
from herbdemo.recognise import BATCH, Recogniser

PHOTOS = 6 * BATCH  # in each turn
SIZE = (500, 375)
LEAST = 0.9  # of the bare network's throughput
FOLDER, BARE, LOOP, OPENING = (
    "a folder",
    "the bare network, batches of 16",
    "plain loop",
    "opening alone",
)


def measure(model: str | None, turns: int, folder: Path | None) -> bench.Result:
    """Photos per second of each."""
    checkpoint, engine = bench.fastest(model)
    recogniser, peers = Recogniser(checkpoint, engine=engine), Peers(checkpoint)
    size = checkpoint.preprocessing.size
    batch = torch.zeros(BATCH, 3, size, size)
    with tempfile.TemporaryDirectory() as place:
        paths = photos_below(folder or pile(Path(place) / "photos", PHOTOS, SIZE))
        paths = list(itertools.islice(itertools.cycle(paths), PHOTOS))

        def whole() -> None:
            with given(paths) as photos:
                rows = list(itertools.chain.from_iterable(recognised(recogniser, photos)))
            assert all("error" not in row for row in rows), "a photo could not be opened"

        def bare() -> None:
            for _ in range(PHOTOS // BATCH):
                engine.features(batch)

        def loop() -> None:
            for path in paths[: PHOTOS // 4]:  # it is slow
                peers.names(path.read_bytes())

        def opening() -> None:
            for path in paths:
                recogniser.prepare(open_photo(path))

        limits = bench.limits(best_device())
        seconds = bench.interleaved(
            {FOLDER: whole, BARE: bare, LOOP: loop, OPENING: opening, **limits},
            turns=turns,
            seldom=list(limits),
        )
    rates = {FOLDER: PHOTOS / seconds[FOLDER], BARE: PHOTOS / seconds[BARE],
             LOOP: PHOTOS // 4 / seconds[LOOP], f"{OPENING}, one core": PHOTOS / seconds[OPENING],
             **{name: 1 / bench.per_photo(seconds[name]) for name in limits}}  # fmt: skip
    share = float(np.median(bench.ratio(seconds[BARE], seconds[FOLDER])))
    cores = bench.usable_cores()
    # Where the network runs on the same cores, opening takes its share of them and no more is left.
    left = 1 / (1 + float(np.median(rates[BARE] / rates[f"{OPENING}, one core"])) / cores)
    remark = "" if best_device().type != "cpu" else (
        f"Opening a photo takes {1000 * np.median(seconds[OPENING]) / PHOTOS:.1f} ms of one of the same {cores} "
        f"cores, which leaves about {left:.2f}")  # fmt: skip
    return bench.Result(
        name="batch",
        title="Photos per second",
        columns=["what", "photos/s", "of the bare network"],
        rows=[[name, bench.shown(rate), f"{np.median(rate) / np.median(rates[BARE]):.2f}"]
              for name, rate in rates.items()],
        notes=[f"Network: {engine.name}. {PHOTOS} photos a turn, "
               + ("of the folder that was given." if folder else f"{SIZE[0]} × {SIZE[1]}.")],
        bars=[bench.Bar("a folder: of the bare network's throughput", share, LEAST, least=True, remark=remark)],
        values={"engine": engine.name, "share": share, "reachable": left,
                "photos/s": {name: bench.spread(rate) for name, rate in rates.items()}},
    )  # fmt: skip


def main() -> None:
    parser = bench.parser("batch", __doc__, turns=8)
    parser.add_argument("--folder", type=Path, help="of photos to use instead of made ones")
    arguments = parser.parse_args()
    bench.tell(measure(arguments.model, arguments.turns, arguments.folder), arguments.json)


if __name__ == "__main__":
    main()
