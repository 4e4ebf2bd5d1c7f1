"""The network in torch and in the engine in use, in batches of many sizes, beside the limit.

    python -m benchmarks.forward [--turns 30] [--batches 1 8 32 128]

For an accelerator, where batches matter; `gpu.py` runs it. What is timed begins and ends in the
computer's own memory.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks import bench
from herbdemo.checkpoint import Checkpoint
from herbdemo.engine import Engine, best_device


def measure(
    checkpoint: Checkpoint, engine: Engine, *, batches: Sequence[int], turns: int
) -> bench.Result:
    """All of them in turns."""
    device, size = best_device(), checkpoint.preprocessing.size
    network = checkpoint.network.to(device)

    def run(x: Tensor, half: bool) -> None:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            network.features(x.to(device)).float().cpu()

    contenders: dict[str, Callable[[], object]] = {}
    for n in batches:
        x = torch.randn(n, 3, size, size).to(memory_format=torch.channels_last)
        contenders[f"torch f32, {n}"] = lambda x=x: run(x, half=False)
        if bench.half_precision():
            contenders[f"torch bf16, {n}"] = lambda x=x: run(x, half=True)
        contenders[f"{engine.name}, {n}"] = lambda x=x: engine.features(x)
    limits = bench.limits(device)
    seconds = bench.interleaved(contenders | limits, turns=turns, seldom=list(limits))
    for name in limits:
        seconds[name] = bench.per_photo(seconds[name])
    last = list(limits)[-1]
    rows = []
    for name in contenders:
        each = seconds[name] / int(name.rpartition(", ")[2])
        rows.append([name, bench.shown(seconds[name], scale=1000, digits=2), f"{1 / np.median(each):.0f}",
                     f"{np.median(seconds[last]) * (size / 224) ** 2 / np.median(each):.0%}"])  # fmt: skip
    rows += [
        [
            name,
            bench.shown(seconds[name], scale=1000, digits=3),
            f"{1 / np.median(seconds[name]):.0f}",
            "",
        ]
        for name in limits
    ]
    return bench.Result(
        name="forward",
        title="The network, with the way to the device and back; the limits are for one photo of 224 px",
        columns=["what, photos in a batch", "ms", "photos/s", f"of the {last}"],
        rows=rows,
        values={name: bench.spread(found) for name, found in seconds.items()},
    )


def main() -> None:
    parser = bench.parser("forward", __doc__, turns=30)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 128])
    arguments = parser.parse_args()
    checkpoint, engine = bench.fastest(arguments.model)
    result = measure(checkpoint, engine, batches=arguments.batches, turns=arguments.turns)
    bench.tell(result, arguments.json)


if __name__ == "__main__":
    main()
