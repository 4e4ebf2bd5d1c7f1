"""From `python app.py` to the first page and to the first answer, beside bare imports.

    python -m benchmarks.start [--turns 4]

All in processes of their own, in turns. "First ever" finds an empty HERBDEMO_HOME, so whatever is
made once for a model is made then; the other start finds it. The first photo is sent over HTTP as
soon as the page is there.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from benchmarks import bench
from benchmarks.photos import SCREEN, photo
from benchmarks.served import asked, served

BARE = "import torch, gradio"
MOST = 1.5  # times the bare imports
AGAIN, FIRST = "app.py", "app.py, first ever"


def measure(turns: int) -> bench.Result:
    """Seconds of each."""
    data = photo(SCREEN)
    pages: dict[str, list[float]] = {AGAIN: [], FIRST: []}
    answers: dict[str, list[float]] = {AGAIN: [], FIRST: []}
    with tempfile.TemporaryDirectory() as place:
        numbers = iter(range(10**6))

        def start(name: str, home: Path) -> None:
            folder = Path(place) / f"start-{next(numbers)}"
            started = time.perf_counter()
            with served("app.py", folder, HERBDEMO_HOME=str(home)) as server:
                with httpx.Client(timeout=120, trust_env=False) as client:
                    asked(client, server.url, "recognise_herb", data)
                answers[name].append(time.perf_counter() - started)
                pages[name].append(server.seconds)

        os.environ["HERBDEMO_HOME"] = str(Path(place) / "home")
        engine = bench.fastest(None)[1].name  # makes what the second start finds
        home = Path(os.environ["HERBDEMO_HOME"])
        seconds = bench.interleaved(
            {
                BARE: lambda: subprocess.run([sys.executable, "-c", BARE], check=True),
                AGAIN: lambda: start(AGAIN, home),
                FIRST: lambda: start(FIRST, Path(place) / f"home-{next(numbers)}"),
            },
            turns=turns,
        )
    bare = seconds[BARE]
    found = {f"`{BARE}`": bare}
    for name in (AGAIN, FIRST):
        found[f"{name} → page"] = np.array(pages[name][-turns:])
        found[f"{name} → answer"] = np.array(answers[name][-turns:])
    times = {name: float(np.median(bench.ratio(s, bare))) for name, s in found.items()}
    return bench.Result(
        name="start",
        title="Start: seconds",
        columns=["what", "s", "times the bare imports"],
        rows=[[name, bench.shown(s, digits=2), f"{times[name]:.2f}"] for name, s in found.items()],
        notes=[f"Files were read before, so the disk is not measured. Network, when it is ready: {engine}."],
        bars=[bench.Bar("cold start to the first answer, of the bare imports", times[f"{AGAIN} → answer"], MOST)],
        values={"engine": engine, "ratio": times, **{name: bench.spread(s) for name, s in found.items()}},
    )  # fmt: skip


def main() -> None:
    arguments = bench.parser("start", __doc__, turns=4, model=False).parse_args()
    bench.tell(measure(arguments.turns), arguments.json)


if __name__ == "__main__":
    main()
