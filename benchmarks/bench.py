"""What the benchmarks share: taking turns, the machine's own limit, a table and a file of figures.

What is compared takes turns in one process, so that whatever else the machine does meets all of it
alike. Figures are medians; what is in brackets is the tenth and the ninetieth percentile.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
LIBRARIES = (
    "torch", "torchvision", "openvino", "gradio", "numpy", "pillow", "grad-cam", "torchcam",
)  # fmt: skip
OPERATIONS = 8.2e9  # of ResNet-50 without its head, for one photo of 224 px
SIDE = 4096  # of the matrices whose product is the machine's limit
EVERY = 5  # turns between two calls of what takes long
PAUSE = 0.02  # seconds before each call: threads of the one before it may still be spinning


@dataclass(frozen=True)
class Bar:
    """What a figure has to be. `limit` is the least where `least`, otherwise the most.

    Attributes:
        remark: the reason of a miss, or what else there is to know.
    """

    text: str
    value: float
    limit: float
    least: bool = False
    unit: str = "x"
    remark: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure itself, not the rounded one, is good enough."""
        return self.value >= self.limit if self.least else self.value <= self.limit


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Attributes:
        name: of the script. title: of the table, a sentence without its full stop.
        columns, rows: the table, as text. notes: sentences below it.
        values: the figures behind it: seconds unless their names say otherwise.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    bars: Sequence[Bar] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """All of it with the machine and the day, as JSON has it."""
        return {
            **asdict(self),
            "command": f"python -m benchmarks.{self.name}",
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "bars": [{**asdict(bar), "met": bar.met} for bar in self.bars],
        }


def parser(
    name: str, manual: str | None, *, turns: int, model: bool = True
) -> argparse.ArgumentParser:
    """The options that all benchmarks have; `model` for those that can measure any."""
    made = argparse.ArgumentParser(
        description=manual, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--turns", type=int, default=turns)
    if model:
        made.add_argument("--model", help="id of a model; the active one")
    made.add_argument("--json", type=Path, default=RESULTS / f"{name}.json")
    return made


def tell(result: Result, file: Path) -> None:
    """Print the table, and write the figures to `file`."""
    found = result.to_dict()
    print(markdown(found), flush=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def markdown(found: Mapping[str, Any]) -> str:
    """The table of a result, what is to be said of it, and its bars."""
    lines = [
        f"**{found['title']}**",
        "",
        _row(found["columns"]),
        "|---" * len(found["columns"]) + "|",
    ]
    lines += [_row(row) for row in found["rows"]]
    for note in found.get("notes", ()):
        lines += ["", note]
    if found.get("bars"):
        lines.append("")
        lines += [f"- {bar['text']}: {verdict(bar)}" for bar in found["bars"]]
    return "\n".join(lines)


def verdict(bar: Mapping[str, Any]) -> str:
    """Such as `1.13 x (at most 1.25 x): met`, and the remark."""
    unit = f" {bar['unit']}" if bar["unit"] else ""
    sense = "at least" if bar["least"] else "at most"
    said = "met" if bar["met"] else "**not met**"
    remark = f". {bar['remark']}" if bar["remark"] else ""
    value = f"{bar['value']:.0f}" if bar["value"] >= 100 else f"{bar['value']:.3g}"
    return f"{value}{unit} ({sense} {bar['limit']:g}{unit}): {said}{remark}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


# Taking turns


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    *,
    turns: int,
    seldom: Sequence[str] = (),
    warm: bool = True,
) -> dict[str, np.ndarray]:
    """Seconds of each call. Each turn calls every contender once and begins with another one.

    Args:
        seldom: those that take long and are called in one turn of `EVERY` only, from the first on.
        warm: call all of them once before, uncounted.
    """
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-1 if warm else 0, turns):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if name in seldom and turn > 0 and turn % EVERY:
                continue
            time.sleep(PAUSE)
            started = time.perf_counter()
            contenders[name]()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - started)
    return {name: np.array(found) for name, found in seconds.items()}


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b turn by turn; where they were not called in the same turns, by the median of b."""
    return a / (b if len(a) == len(b) else np.median(b))


def spread(values: np.ndarray) -> dict[str, float]:
    """The figures of a contender, as JSON has them."""
    low, middle, high = (float(v) for v in np.percentile(values, (10, 50, 90)))
    return {"median": middle, "p10": low, "p90": high, "n": len(values)}


def shown(values: np.ndarray, *, scale: float = 1, digits: int = 1) -> str:
    """Such as `12.3 (11.9–13.0)`."""
    low, middle, high = (f"{v * scale:.{digits}f}" for v in np.percentile(values, (10, 50, 90)))
    return f"{middle} ({low}–{high})"


# The machine


def machine() -> dict[str, Any]:
    """What the figures depend on, and nothing that tells whose machine it is."""
    import torch

    cpu, able = _cpu()
    found = {
        "cpu": cpu,
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "arithmetic": able,
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "system": f"{platform.system()} {platform.machine()}",
        "libraries": {"python": platform.python_version()},
    }
    for library in LIBRARIES:
        try:
            found["libraries"][library] = version(library)
        except PackageNotFoundError:
            found["libraries"][library] = "not installed"
    return found


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def half_precision() -> bool:
    """Whether there is hardware for bfloat16: instructions of the CPU, or an accelerator."""
    import torch

    return torch.cuda.is_available() or "BF16" in _cpu()[1]


def _cpu() -> tuple[str, list[str]]:
    """Its name, and the precisions that it is quick in."""
    try:
        import openvino

        core = openvino.Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        named = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        return " ".join(named.split()), sorted({"FP32", "BF16", "INT8"} & set(able))
    except (ImportError, RuntimeError):
        return platform.processor() or platform.machine(), ["FP32"]


def limits(device: Any = "cpu") -> dict[str, Callable[[], object]]:
    """The machine's limit in each precision it has hardware for, to take turns with the others.

    A matrix product: no convolution is quicker per operation. See `per_photo`.
    """
    import torch

    device = torch.device(device)
    found = {}
    for name, kind in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        if name == "f32" or half_precision():
            square = torch.randn(SIDE, SIDE, device=device).to(kind)

            def product(m: Any = square) -> None:
                m @ m
                if device.type == "cuda":
                    torch.cuda.synchronize()

            found[f"limit {name}"] = product
    return found


def per_photo(seconds: np.ndarray) -> np.ndarray:
    """Seconds of a matrix product -> those of as many operations as one photo of 224 px takes."""
    return seconds * OPERATIONS / (2 * SIDE**3)


# The model


def fastest(model: str | None) -> tuple[Any, Any]:
    """The model and the engine to measure: what HERBDEMO_ENGINE says, by default the fastest."""
    from herbdemo.engine import serving
    from herbdemo.heap import reuse_memory
    from herbdemo.registry import Registry

    reuse_memory()  # as the app and the command line do
    os.environ.setdefault("HERBDEMO_ENGINE", "auto")
    checkpoint = Registry().load(model)
    engine = serving(checkpoint)
    engine.wait()
    return checkpoint, engine
