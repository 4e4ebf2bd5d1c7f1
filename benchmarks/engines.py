"""How fast each engine runs the network, beside the machine's own limit for such sums.

    python -m benchmarks.engines [--turns 30]

All take turns in one process, so that whatever else the machine does meets all of them alike. The
limit is a matrix product of 4096 x 4096, measured in the same turns, for as many operations as one
photo of 224 px takes.
"""

import os

import numpy as np
import torch

from benchmarks import bench
from herbdemo.engine import CHOICES, Engine, best_device, serving
from herbdemo.registry import Registry

BATCH = 16
MOST = {"f32": 1.2, "bf16": 1.8}  # times the limit


def measure(model: str | None, turns: int) -> bench.Result:
    """All engines that work here, one photo and batches."""
    checkpoint = Registry().load(model)
    size = checkpoint.preprocessing.size
    one, many = torch.randn(1, 3, size, size), torch.randn(BATCH, 3, size, size)
    engines, notes = {}, []
    for choice in ("torch", *(c for c in CHOICES if c.startswith("openvino-"))):
        if choice.endswith("bf16") and not bench.half_precision():
            continue
        os.environ["HERBDEMO_ENGINE"] = choice
        engine = serving(checkpoint)
        engine.wait()
        if engine.name.endswith(choice.rpartition("-")[2]):
            engines[engine.name] = engine
        else:
            notes.append(f"{choice} was not measured: {engine.name} answers instead of it here.")

    def batch(name: str) -> str:
        return f"{name}, batches"

    def calls(engine: Engine) -> dict:
        return {
            engine.name: lambda: engine.features(one),
            batch(engine.name): lambda: engine.features(many),
        }

    contenders = {name: call for engine in engines.values() for name, call in calls(engine).items()}
    limits = bench.limits(best_device())
    seldom = [*map(batch, engines), *limits]
    seconds = bench.interleaved(contenders | limits, turns=turns, seldom=seldom)
    limit = {name.rpartition(" ")[2]: bench.per_photo(seconds[name]) for name in limits}
    base, rows, times = next(iter(engines)), [], {}
    for name in engines:
        precision = "bf16" if name.endswith(("bf16", "int8")) and "bf16" in limit else "f32"
        of_limit = np.median(seconds[name]) / np.median(limit[precision]) / (size / 224) ** 2
        times.setdefault(precision, []).append(float(of_limit))
        rows.append([name, bench.shown(seconds[name], scale=1000),
                     f"{np.median(bench.ratio(seconds[base], seconds[name])):.2f}",
                     f"{of_limit:.2f} ({precision})",
                     f"{BATCH / np.median(seconds[batch(name)]):.1f}"])  # fmt: skip
    rows += [[f"limit {p}", bench.shown(s, scale=1000), "", "1", f"{1 / np.median(s):.1f}"]
             for p, s in limit.items()]  # fmt: skip
    return bench.Result(
        name="engines",
        title=f"The network alone, {size} px",
        columns=["engine", "ms, one photo", "x torch", "x limit", f"photos/s in batches of {BATCH}"],
        rows=rows,
        notes=notes,
        bars=[bench.Bar(f"the quickest forward pass, of the {precision} limit", min(found), MOST[precision])
              for precision, found in times.items()],
        values={**{name: bench.spread(s) for name, s in seconds.items() if name not in limits},
                "limit": {p: bench.spread(s) for p, s in limit.items()}},
    )  # fmt: skip


def main() -> None:
    arguments = bench.parser("engines", __doc__, turns=30).parse_args()
    bench.tell(measure(arguments.model, arguments.turns), arguments.json)


if __name__ == "__main__":
    main()
