"""What more herbs cost: the same photo, recognised by models of 20 to 10,000 herbs.

    python -m benchmarks.herbs [--turns 40]

They are made of the model: all its herbs, and as many more as are wanted, whose rows of the head are
drawn at random and who each add 20 photos to those that tell the unknown, as `extend` does. The
network is one and the same, on the fastest engine. The curve is drawn into results/herbs.svg.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import bench
from benchmarks.photos import SCREEN, photo
from herbdemo.checkpoint import Checkpoint
from herbdemo.network import with_head
from herbdemo.photo import open_photo
from herbdemo.recognise import Recogniser
from herbdemo.scores import Head

COUNTS = (20, 100, 908, 3000, 10_000)
EACH = 20  # photos that an added herb comes with
MOST = 1.1  # times the latency of the fewest herbs


def of(base: Checkpoint, herbs: int) -> Checkpoint:
    """A model of so many herbs."""
    rng = torch.Generator().manual_seed(0)
    fc, bank = base.network.fc, base.statistics["bank"]
    old, new = min(len(base.herbs), herbs), max(0, herbs - len(base.herbs))
    weight, bias = fc.weight.detach().cpu()[:old], fc.bias.detach().cpu()[:old]
    # Rows as long as those of real herbs, and far less likely than these.
    drawn = torch.randn(new, weight.shape[1], generator=rng) * weight.std()
    rows = torch.randn(new * EACH, bank.shape[1], generator=rng).half()
    kept = base.statistics["bank_labels"] < old
    return replace(
        base,
        network=with_head(base.network, torch.cat([weight, drawn]),
                          torch.cat([bias, torch.full((new,), float(bias.min()) - 5)])),
        herbs=(*base.herbs[:old], *(f"herb {k}" for k in range(new))),
        statistics={"basis": base.statistics["basis"], "bank": torch.cat([bank[kept], rows])},
    )  # fmt: skip


def megabytes(checkpoint: Checkpoint, head: Head) -> float:
    """What a loaded model holds beyond its convolutions: head and photos that tell the unknown."""
    fc = checkpoint.network.fc
    tensors = [fc.weight, fc.bias, *checkpoint.statistics.values()]
    arrays = [value for value in vars(head).values() if isinstance(value, np.ndarray)]
    return sum(value.nbytes for value in (*tensors, *arrays)) / 2**20


def measure(model: str | None, turns: int, picture: Path) -> bench.Result:
    """All models in turns, and the curve."""
    base, engine = bench.fastest(model)
    models = {herbs: Recogniser(of(base, herbs), engine=engine) for herbs in COUNTS}
    opened = open_photo(photo(SCREEN))
    stages: dict[int, list[dict[str, float]]] = {herbs: [] for herbs in COUNTS}

    def once(herbs: int) -> None:
        stages[herbs].append(models[herbs].recognise([opened])[0].stages)

    found = bench.interleaved({str(n): lambda n=n: once(n) for n in COUNTS}, turns=turns)
    seconds = {n: found[str(n)] for n in COUNTS}
    after = {n: np.array([lap.get("scores", 0) + lap.get("maps", 0) for lap in stages[n][-turns:]])
             for n in COUNTS}  # fmt: skip
    heads = {n: Head.of(recogniser.checkpoint) for n, recogniser in models.items()}
    memory = {n: megabytes(models[n].checkpoint, head) for n, head in heads.items()}
    fewest, most = COUNTS[0], COUNTS[-1]
    more = {n: float(np.median(bench.ratio(seconds[n], seconds[fewest]))) for n in COUNTS}
    _draw(seconds, memory, picture, engine.name)
    return bench.Result(
        name="herbs",
        title="More herbs: an opened photo → five names and maps",
        columns=["herbs", "ms", f"times that of {fewest}", "of it scores and maps, ms", "head and photos, MB"],
        rows=[[f"{n:,}", bench.shown(seconds[n], scale=1000), f"{more[n]:.3f}", bench.shown(after[n], digits=2),
               f"{memory[n]:.1f}"] for n in COUNTS],
        notes=[f"Network: {engine.name}.", f"![The curve](results/{picture.name})"],
        bars=[bench.Bar(f"{most:,} herbs: times the latency of {fewest}", more[most], MOST,
                        remark=f"Scores and maps take {np.median(after[most]):.1f} ms of it; each photo is compared "
                               f"with {heads[most].weight.nbytes / 2**20:.0f} MB of weights and "
                               f"{heads[most].bank.nbytes / 2**20:.0f} MB of known photos")],
        values={"engine": engine.name, "MB": memory, "ratio": more,
                **{str(n): bench.spread(seconds[n]) for n in COUNTS},
                "scores and maps, ms": {n: bench.spread(after[n]) for n in COUNTS}},
    )  # fmt: skip


def _draw(
    seconds: dict[int, np.ndarray], memory: dict[int, float], file: Path, engine: str
) -> None:
    import matplotlib

    matplotlib.use("svg")
    # Letters as letters, and equal bytes for equal figures: the file is kept with the code.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "herbs", "font.size": 9})
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(7.2, 2.6), layout="constrained")
    low, middle, high = (
        np.array([np.percentile(s, q) for s in seconds.values()]) * 1000 for q in (10, 50, 90)
    )
    left.fill_between(list(seconds), low, high, color="#c0dcc6", linewidth=0)
    left.plot(list(seconds), middle, "o-", color="#2e6b43", markersize=4)
    left.set(
        ylabel="ms per photo",
        ylim=(0, None),
        title=f"{engine}; 10th to 90th percentile",
        xlabel="herbs",
    )
    right.plot(list(memory), list(memory.values()), "o-", color="#a4382b", markersize=4)
    right.set(ylabel="MB beyond the network", ylim=(0, None), title="memory", xlabel="herbs")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    arguments = bench.parser("herbs", __doc__, turns=40).parse_args()
    result: Any = measure(arguments.model, arguments.turns, arguments.json.with_suffix(".svg"))
    bench.tell(result, arguments.json)


if __name__ == "__main__":
    main()
