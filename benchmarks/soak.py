"""A soak: eight visitors at the running app for half an hour, and every answer is checked.

    python -m benchmarks.soak [--minutes 30]

The app runs as `python app.py` starts it, with a password, so that seven of the eight are strangers
and one is the owner, who switches models, sends them to and fro, teaches, and stops the teaching
halfway. Every five minutes they rest, with the same model loaded anew and each question asked once:
what the server holds then, a minute later, is the same each time or it leaks. Each comes from an address
of its own and does one thing after another, drawn by lot from a seed: photos over the API and on
every tab, batches, links, a sandbox, bad files, and acts that are given up. What is right was
worked out before, by one thread; see `questions`. Writes SOAK.md; exit status 1 where a promise was
broken.
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
from benchmarks.guests import PASSWORD, Guest, Soak
from benchmarks.served import Server, served
from benchmarks.truth import Truth, models_for
from herbdemo.heap import held
from herbdemo.registry import Registry

VISITORS = 8
LEGS = 6  # after each of which all rest
REST = 70  # seconds; each minute the app gives back what lies free
WARM = 0.2  # of the time: until then caches and heaps fill
EVERY = 5.0  # seconds between two looks at the memory
FLAT = 0.05  # of the memory at rest, from the first rest to the last
REPORT = Path(__file__).parent / "SOAK.md"


@dataclass
class Memory:
    """MB held by the server alone, and by its jobs, over the seconds of the load, and at rest.

    Of the server's own, what lies in its heap and stacks: the system takes pages of files, such as
    libraries, away and brings them back as it likes, when others need memory.
    """

    own: list[tuple[float, float, float]] = field(default_factory=list)  # second, heap, all
    rests: list[tuple[float, float, float]] = field(default_factory=list)
    jobs: list[float] = field(default_factory=list)

    def watch(self, server: Server, ended: threading.Event) -> None:
        process, began = psutil.Process(server.process.pid), time.monotonic()
        loaded = self.own[-1][0] if self.own else 0.0
        while not ended.wait(EVERY):
            children = 0.0
            for child in process.children(recursive=True):
                try:
                    children += child.memory_info().rss / 2**20
                except psutil.Error:
                    continue
            self.own.append((loaded + time.monotonic() - began, *megabytes(process)))
            self.jobs.append(children)


def megabytes(process: psutil.Process) -> tuple[float, float]:
    """What it holds in heap and stacks, and with the pages of files."""
    return held(process) / 2**20, process.memory_info().rss / 2**20


Row = Sequence[float]  # second, MB of the heap, MB of all


def tenths(own: Sequence[Row]) -> list[np.ndarray]:
    """What was seen, in ten parts."""
    return np.array_split(np.array(own, float), 10)


def grown(points: Sequence[Row], since: float = 0) -> tuple[float, float, float]:
    """Share by which the line through all points from a second on rises; its start and its end."""
    after = np.array([point[:2] for point in points if point[0] >= since])
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
    left = found["left"]
    none = [
        ("wrong answers, mixtures of two models, unsaid errors", len(found["wrong"])),
        ("tracebacks in the log", found["tracebacks"]),
        ("files left in the temporary folder while running", len(left["temporary"])),
        ("files left in the temporary folder after the end", len(left["after the end"])),
        ("half-written files left in the home", len(left["half written in the home"])),
        ("uploads left after the end", left["uploads after the end"]),
    ]
    growth, start, end = grown(found["memory"]["rests"])
    shown = f"{growth:+.1%}, {start:.0f} → {end:.0f} MB"
    return [
        *(Promise(what, f"{number}", "0", number == 0) for what, number in none),
        Promise("growth of the server's memory (heap and stacks) at rest, by a straight line",
                shown, f"within ±{FLAT:.0%}", abs(growth) <= FLAT),
    ]  # fmt: skip


def rounded(rows: Sequence[Row]) -> list[list[int]]:
    return [[round(number) for number in row] for row in rows]


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
    memory = Memory()
    environment = {"HERBDEMO_ADMIN_PASSWORD": PASSWORD, "TMPDIR": str(temporary)}
    with served("app.py", place / "server", **environment) as server:
        run = Soak(server, truth, place / "truth", [*models])
        guests = [Guest(server.url, number) for number in range(visitors)]
        for _ in range(LEGS):
            ended, until = threading.Event(), time.monotonic() + 60 * minutes / LEGS
            watcher = threading.Thread(target=memory.watch, args=(server, ended))
            threads = [threading.Thread(target=run.visit, args=(one, until)) for one in guests]
            for thread in (watcher, *threads):
                thread.start()
            for thread in threads:
                thread.join()
            ended.set()
            watcher.join()
            run.rest(guests[0])
            time.sleep(REST)
            now = megabytes(psutil.Process(server.process.pid))
            memory.rests.append((memory.own[-1][0], *now))
            print(f"at rest after {memory.own[-1][0]:.0f} s: {now[0]:.0f} MB", flush=True)
        for guest in guests:
            guest.close()
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
        "memory": {"jobs": max(memory.jobs), "own": rounded(memory.own),
                   "rests": rounded(memory.rests)},
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
    own, seconds = memory["own"], 60 * found["minutes"]
    growth, start, end = grown(own, WARM * seconds)
    _, least, most = grown(floor(own), WARM * seconds)
    rests = "\n".join(
        f"| {at / 60:.0f} | {heap} | {whole} |" for at, heap, whole in memory["rests"]
    )
    rows = "\n".join(promise.row for promise in promises(found))
    tenth_rows = "".join(
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
{LEGS} times they rested: the owner chose another model and then the same one each time, asked each question once, and for
{REST} seconds nobody asked anything. So what the server holds then should depend neither on the models and photos that it
had at hand, nor on how full its memory of answers (128 MB at most) was.

| promise | found | bound | kept |
|---|---|---|---|
{rows}

| what | found |
|---|---|
| acts that were done and checked | {asked:,} |
| memory under load after the first fifth of the time, by a straight line, MB | {start:.0f} → {end:.0f} ({growth:+.1%}) |
| the same of the least of each tenth of the time, MB | {least:.0f} → {most:.0f} |
| most of it, with the pages of files, MB | {max(row[2] for row in own):.0f} |
| most memory of a job beside it, MB | {memory["jobs"]:.0f} |
| uploads that await their hour at the end | {left["uploads while running"]} |

## Wrong

{wrong}

## Memory at rest, MB

| minute of the load | heap and stacks | with the pages of files |
|---|---|---|
{rests}

## Memory under load, MB

| minute | heap, least | median | most | with the pages of files, median |
|---|---|---|---|---|
{tenth_rows}
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
