"""A soak: eight visitors at the running app for half an hour, and every answer is checked.

    python -m benchmarks.soak [--minutes 30]

The app runs as `python app.py` starts it, with a password, so that seven of the eight are strangers
and one is the owner, who switches models, sends them to and fro, teaches, and stops the teaching
halfway. Each comes from an address of its own and does one thing after another, drawn by lot from a
seed: photos over the API and on every tab, batches, links, a sandbox, bad files, and acts that are
given up. What is right was worked out before, by one thread; see `questions`. Writes SOAK.md; exit
status 1 where a promise was broken.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import bench
from benchmarks.guests import PASSWORD, Soak
from benchmarks.served import Server, served
from benchmarks.truth import Truth, models_for
from herbdemo.registry import Registry

VISITORS = 8
WARM = 0.2  # of the time: until then caches and heaps fill
EVERY = 5.0  # seconds between two looks at the memory
FLAT = 0.05  # of the memory, from the end of the warming to the end
REPORT = Path(__file__).parent / "SOAK.md"


@dataclass
class Memory:
    """MB held by the server alone, and by its jobs, over the seconds.

    Of the server's own, what lies in its heap and stacks: the system takes pages of files, such as
    libraries, away and brings them back as it likes, when others need memory.
    """

    own: list[tuple[float, float, float]] = field(default_factory=list)  # second, heap, all
    jobs: list[float] = field(default_factory=list)

    def watch(self, server: Server, ended: threading.Event) -> None:
        process, began = psutil.Process(server.process.pid), time.monotonic()
        while not ended.wait(EVERY):
            children = 0.0
            for child in process.children(recursive=True):
                try:
                    children += child.memory_info().rss / 2**20
                except psutil.Error:
                    continue
            memory = process.memory_info()
            whole = memory.rss / 2**20
            heap = whole - getattr(memory, "shared", 0) / 2**20
            self.own.append((time.monotonic() - began, heap, whole))
            self.jobs.append(children)


Row = Sequence[float]  # second, MB of the heap, MB of all


def tenths(own: Sequence[Row]) -> list[np.ndarray]:
    """What was seen, in ten parts."""
    return np.array_split(np.array(own, float), 10)


def grown(points: Sequence[Row], seconds: float) -> tuple[float, float, float]:
    """Share by which the line through all after the warming rises; its start and its end."""
    after = np.array([point[:2] for point in points if point[0] >= WARM * seconds])
    slope, first = np.polyfit(after[:, 0], after[:, 1], 1)
    start, end = first + slope * after[0, 0], first + slope * after[-1, 0]
    return float(end / start - 1), float(start), float(end)


def floor(own: Sequence[Row]) -> list[Row]:
    """What stays when all that is free was given back: the least of each tenth, at its end."""
    return [(part[-1, 0], part[:, 1].min()) for part in tenths(own)]


@dataclass(frozen=True)
class Promise:
    """What was promised: in words, what was found, the bound in words, and whether it was kept."""

    what: str
    found: str
    bound: str
    kept: bool

    @property
    def row(self) -> str:
        return f"| {self.what} | {self.found} | {self.bound} | {'yes' if self.kept else '**no**'} |"


def promises(found: dict[str, Any]) -> list[Promise]:
    """All that the soak has to show."""
    left, own, seconds = found["left"], found["memory"]["own"], 60 * found["minutes"]
    none = [
        ("wrong answers, mixtures of two models, unsaid errors", len(found["wrong"])),
        ("tracebacks in the log", found["tracebacks"]),
        ("files left in the temporary folder while running", len(left["temporary"])),
        ("files left in the temporary folder after the end", len(left["after the end"])),
        ("half-written files left in the home", len(left["half written in the home"])),
        ("uploads left after the end", left["uploads after the end"]),
    ]
    growth, start, end = grown(own, seconds)
    shown = f"{growth:+.1%}, {start:.0f} → {end:.0f} MB"
    return [
        *(Promise(what, f"{number}", "0", number == 0) for what, number in none),
        Promise("growth of the server's memory (heap and stacks) after the first fifth of the time, "
                "by a straight line", shown, f"within ±{FLAT:.0%}", abs(growth) <= FLAT),
    ]  # fmt: skip


def left_in(folder: Path) -> list[str]:
    """The files below a folder, named from there."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def soak(minutes: float, place: Path, *, visitors: int = VISITORS) -> dict[str, Any]:
    """Run it; what was found."""
    os.environ["HERBDEMO_HOME"] = str(place / "home")
    registry = Registry()
    models = models_for(registry, place)
    started = time.monotonic()
    truth = Truth(place / "truth", registry, models)
    print(f"{len(truth.questions)} questions, answered by one thread in "
          f"{time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
    temporary = place / "temporary"
    temporary.mkdir()
    memory, ended = Memory(), threading.Event()
    environment = {"HERBDEMO_ADMIN_PASSWORD": PASSWORD, "TMPDIR": str(temporary)}
    with served("app.py", place / "server", **environment) as server:
        watcher = threading.Thread(target=memory.watch, args=(server, ended))
        watcher.start()
        run = Soak(server, truth, place / "truth", [*models])
        until = time.monotonic() + 60 * minutes
        threads = [threading.Thread(target=run.visit, args=(n, until)) for n in range(visitors)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended.set()
        watcher.join()
        while_running = left_in(temporary)
        uploads = len(left_in(place / "server" / "uploads"))
    log = (place / "server" / "server.log").read_text(errors="replace")
    home = defaultdict(int)
    for name in left_in(place / "home"):
        home["/".join(Path(name).parts[:1])] += 1
    return {
        "minutes": minutes,
        "visitors": visitors,
        "questions": len(truth.questions),
        "worlds": sum(map(len, truth.right.values())),
        "done": dict(run.tally.done.most_common()),
        "refused": dict(run.tally.refused.most_common()),
        "wrong": run.tally.wrong,
        "tracebacks": log.count("Traceback (most recent call last)"),
        "memory": {"jobs": max(memory.jobs), "own": [[round(n) for n in row] for row in memory.own]},
        "left": {"temporary": while_running, "after the end": left_in(temporary),
                 "uploads while running": uploads,
                 "uploads after the end": len(left_in(place / "server" / "uploads")),
                 "half written in the home": [n for n in left_in(place / "home") if "/." in f"/{n}"],
                 "home": dict(home)},
    }  # fmt: skip


def report(found: dict[str, Any], machine: dict[str, Any]) -> str:
    """SOAK.md."""
    memory, left = found["memory"], found["left"]
    done = "\n".join(f"| {kind} | {number:,} |" for kind, number in found["done"].items())
    refused = "\n".join(f"| {number:,} | {said} |" for said, number in found["refused"].items())
    wrong = "\n".join(f"- {why[:300]}" for why in found["wrong"]) or "None."
    asked = sum(found["done"].values())
    own = memory["own"]
    _, start, end = grown(floor(own), 60 * found["minutes"])
    rows = "\n".join(promise.row for promise in promises(found))
    held = "".join(
        f"| {part[-1, 0] / 60:.0f} | {part[:, 1].min():.0f} | {np.median(part[:, 1]):.0f} "
        f"| {part[:, 1].max():.0f} | {np.median(part[:, 2]):.0f} |\n"
        for part in tenths(own)
    )
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    return f"""# A soak

`python -m benchmarks.soak --minutes {found["minutes"]:g}`, {time.strftime("%Y-%m-%d")}.
{machine["cpu"]}, {machine["cores"]} cores; {libraries}.

{found["visitors"]} visitors at once did everything that the page and the API offer, drawn by lot; one of them,
the owner, switched models, imported and deleted some, taught, and stopped the teaching halfway. What is right
was worked out before by one thread, for {found["questions"]} questions in {found["worlds"]} worlds (four models, each on the engine
that answers first and the one that takes over). An answer counts as right if it is wholly that of one world.

| promise | found | bound | kept |
|---|---|---|---|
{rows}

| what | found |
|---|---|
| acts that were done and checked | {asked:,} |
| least memory of each tenth of the time, by a straight line, MB | {start:.0f} → {end:.0f} |
| most of it, with the pages of files, MB | {max(row[2] for row in own):.0f} |
| most memory of a job beside it, MB | {memory["jobs"]:.0f} |
| uploads that await their hour at the end | {left["uploads while running"]} |

## Wrong

{wrong}

## Memory, MB

| minute | heap, least | median | most | with the pages of files, median |
|---|---|---|---|---|
{held}
## What was done

| act | times |
|---|---|
{done}

## What was refused, in these words

| times | sentence |
|---|---|
{refused}

Files in the home afterwards, by folder: {left["home"]}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--place", type=Path, help="a new folder that is kept, for a closer look")
    parser.add_argument("--report", type=Path, default=REPORT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = (arguments.place or Path(temporary)).absolute()
        place.mkdir(parents=True, exist_ok=True)
        found = soak(arguments.minutes, place)
        (place / "soak.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))
    said = report(found, bench.machine())
    arguments.report.write_text(said, encoding="utf-8")
    print(said)
    if broken := [promise.what for promise in promises(found) if not promise.kept]:
        sys.exit(f"broken: {'; '.join(broken)}")


if __name__ == "__main__":
    main()
