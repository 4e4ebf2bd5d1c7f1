"""How fast each engine runs the network, beside the machine's own limit for such sums.

    python -m benchmarks.engines

All take turns in one process, so that whatever else the machine does meets all of them alike. The
limit is a matrix product of 4096 x 4096, measured in the same turns, for as many operations as one
photo of 224 px takes. Medians; what is in brackets is the tenth and the ninetieth percentile.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import torch

from herbdemo.engine import TorchEngine
from herbdemo.openvino_engine import OpenVinoEngine, converted
from herbdemo.registry import Registry

OPERATIONS = 8.2e9  # of ResNet-50 without its head, for one photo of 224 px
BATCH = 16
SIDE = 4096


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--turns", type=int, default=30)
    arguments = parser.parse_args()

    import openvino

    checkpoint = Registry().load(arguments.model)
    size = checkpoint.preprocessing.size
    one, many = torch.randn(1, 3, size, size), torch.randn(BATCH, 3, size, size)
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precisions = ["f32", "bf16"] if "BF16" in able else ["f32"]
    model = converted(checkpoint)
    engines = [TorchEngine(checkpoint.network), *(OpenVinoEngine(model, p) for p in precisions)]
    square = {"f32": torch.randn(SIDE, SIDE), "bf16": torch.randn(SIDE, SIDE).bfloat16()}
    seconds = defaultdict(list)
    for turn in range(arguments.turns):
        for engine in engines:
            seconds[engine.name].append(timed(lambda e=engine: e.features(one)))
            if turn % 5 == 0:
                batch = timed(lambda e=engine: e.features(many)) / BATCH
                seconds[engine.name, "batch"].append(batch)
        if turn % 5 == 0:
            for precision in precisions:
                product = timed(lambda m=square[precision]: m @ m)
                seconds["limit", precision].append(product * OPERATIONS / (2 * SIDE**3))

    cpu = openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")
    print(f"{cpu}, {torch.get_num_threads()} threads, {size} px\n")
    print("| engine | ms, one photo | x torch | x limit | photos/s in batches of 16 |")
    print("|---|---|---|---|---|")
    base = np.median(seconds[engines[0].name])
    for engine in engines:
        found = np.array(seconds[engine.name])
        low, middle, high = np.percentile(found, (10, 50, 90)) * 1000
        limit = np.median(seconds["limit", "bf16" if "bf16" in engine.name else "f32"]) * 1000
        print(
            f"| {engine.name} | {middle:.1f} ({low:.1f} to {high:.1f}) | {base * 1000 / middle:.2f} "
            f"| {middle / limit:.2f} | {1 / np.median(seconds[engine.name, 'batch']):.1f} |"
        )
    for precision in precisions:
        print(f"\nlimit, {precision}: {np.median(seconds['limit', precision]) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
