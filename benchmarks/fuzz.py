"""Spoilt inputs by the ten thousand, each in a process that may take neither time nor memory.

    python -m benchmarks.fuzz --cases 2000                 # of each target, into a folder of results
    python -m benchmarks.fuzz photo card --cases 50000     # of these two; goes on where it was
    python -m benchmarks.fuzz --report                     # writes benchmarks/FUZZ.md
    python -m benchmarks.fuzz photo --show 1234            # one case again, with its traceback

Case n of a target is always the same bytes: they come from n, the seed and the good files that
`fuzzing` makes. A case must end within `SECONDS` of the processor's time, take no more memory
than its target allows, and be accepted or refused with a HerbError. Anything else is kept in the
folder of results as `TARGET-n.bin`, and the run goes on after it.
"""

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.fuzzing import MB, TARGETS, Target
from herbdemo.errors import HerbError

SECONDS = 10  # of the processor for one case; the slowest good one takes a tenth of that
PATIENCE = 120  # seconds by the clock: for what waits instead of working
HEADROOM = 1 << 30  # bytes that a process may ask the system for, beyond what it has at the start
UNCHANGED = 20
LASTS = 5000  # cases of one process: what leaks is told by its growth, and is let go
RESULTS = Path(tempfile.gettempdir()) / "herbdemo-fuzz"
REPORT = Path(__file__).with_name("FUZZ.md")


class Outcome(NamedTuple):
    """What became of a case: "accepted", "refused: hint", or what is wrong with it."""

    said: str
    ms: float = 0.0
    peak: int = 0  # bytes

    @property
    def bad(self) -> bool:
        return self.said != "accepted" and not self.said.startswith("refused")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", help=", ".join(TARGETS))
    parser.add_argument(
        "--cases", type=int, default=1000, help="of each target, with those done before"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="only what was wrong before")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--show", type=int, metavar="N")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    if options.show is not None:
        return show(names[0], options.show, options.seed)
    options.results.mkdir(parents=True, exist_ok=True)
    if options.report:
        REPORT.write_text(report(options.results, options.seed), encoding="utf-8")
        return 0
    bad = 0
    for name in names:
        if options.again:
            again(name, options.seed, options.results)
            continue
        run(name, options.cases, options.seed, options.results)
        outcomes = list(done(options.results / f"{name}.jsonl"))
        wrong = [(n, outcome) for n, outcome in enumerate(outcomes) if outcome.bad]
        bad += len(wrong)
        print(f"{name}: {len(outcomes)} cases, {len(wrong)} wrong", flush=True)
        for n, outcome in wrong[:20]:
            print(f"  {name} {n}: {outcome.said}", flush=True)
    return min(bad, 1)


def case(name: str, number: int, seed: int) -> bytes:
    """The bytes of a case; the first `UNCHANGED` of a target are its seeds as they are."""
    target = TARGETS[name]
    seeds = target.seeds()
    if number < min(UNCHANGED, len(seeds)):
        return seeds[number]
    rng = Random(f"{seed} {name} {number}")
    return target.change(rng.choice(seeds), seeds, rng)


def run(name: str, cases: int, seed: int, results: Path) -> None:
    """Let processes do the cases up to `cases` that have not been done yet.

    They are forked, so that what all of them need is imported, and the good files made, once.
    """
    file = results / f"{name}.jsonl"
    TARGETS[name].seeds()
    again: set[int] = set()
    while (first := sum(1 for _ in done(file))) < cases:
        status = forked(name, first, min(cases, first + LASTS), seed, file)
        if status < 0:
            at = sum(1 for _ in done(file))
            if -status == signal.SIGALRM and at not in again:
                again.add(at)  # the machine may have been busy: what hangs does so every time
                continue
            number = signal.Signals(-status)
            said = "hang" if number in (signal.SIGPROF, signal.SIGALRM) else "crash"
            (results / f"{name}-{at}.bin").write_bytes(case(name, at, seed))
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(Outcome(f"{said}: {number.name}")) + "\n")


def again(name: str, seed: int, results: Path) -> None:
    """Do once more what was wrong, after it was mended."""
    file, once = results / f"{name}.jsonl", results / f"{name}-again.jsonl"
    outcomes = list(done(file))
    for number, outcome in enumerate(outcomes):
        if outcome.bad:
            once.unlink(missing_ok=True)
            if forked(name, number, number + 1, seed, once) == 0:
                (outcomes[number],) = done(once)
    once.unlink(missing_ok=True)
    file.write_text("".join(json.dumps(outcome) + "\n" for outcome in outcomes), "utf-8")


def forked(name: str, first: int, cases: int, seed: int, file: Path) -> int:
    """`work` in a process of its own; returns how that ended, as `Popen.returncode` says it."""
    child = os.fork()
    if not child:
        try:
            work(name, first, cases, seed, file)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status > 0:
        raise SystemExit("the fuzzer itself is broken")
    return status


def work(name: str, first: int, cases: int, seed: int, file: Path) -> None:
    """Do cases in this process, one line of results each; a deadly one ends it, and is the next."""
    target = TARGETS[name]
    output = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        take = target.taker(Path(folder))
        for data in target.seeds()[:3]:  # what is imported late, or read once
            tried(take, data, target)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + HEADROOM + target.memory,) * 2)
        for number in range(first, cases):
            data = case(name, number, seed)
            outcome = tried(take, data, target)
            if outcome.bad:
                file.with_name(f"{name}-{number}.bin").write_bytes(data)
            os.write(output, (json.dumps(outcome) + "\n").encode())


def tried(take, data: bytes, target: Target) -> Outcome:
    """One case. Whoever takes too long is killed by the system: no handler could run in C."""
    before = peak(reset=True)
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        take(data)
        said = "accepted"
    except HerbError as error:
        said = f"refused: {error.hint}"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(error.__traceback__) if "herbdemo" in f.filename]
        at = (ours or [where])[-1]
        said = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {error}"[:200]
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    grown = max(0, peak() - before)
    if said in ("refused: photo-memory", "refused: memory-full") or grown > target.memory:
        said = f"memory: {grown >> 20} MB, {said}"
    return Outcome(said, round((time.process_time() - started) * 1000, 3), grown)


def peak(*, reset: bool = False) -> int:
    """The most memory this process has had since the last reset; with one, what it has now."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def done(file: Path) -> Iterator[Outcome]:
    """The results so far, in the order of their cases."""
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield Outcome(*json.loads(line))


def show(name: str, number: int, seed: int) -> int:
    """One case again, in this process."""
    data = case(name, number, seed)
    print(len(data), "bytes:", data[:400])
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        take = TARGETS[name].taker(Path(folder))
        try:
            print("accepted", take(data) or "")
        except HerbError as error:
            print("refused", error.hint, error)
            traceback.print_exception(error.__cause__)
    return 0


def report(results: Path, seed: int) -> str:
    """benchmarks/FUZZ.md."""
    rows, total, refusals = [], 0, []
    for name, target in TARGETS.items():
        outcomes = list(done(results / f"{name}.jsonl"))
        if not outcomes:
            continue
        total += len(outcomes)
        said = Counter(outcome.said.partition(":")[0] for outcome in outcomes)
        slowest, largest = max(o.ms for o in outcomes), max(o.peak for o in outcomes)
        hints = Counter(o.said[9:] for o in outcomes if o.said.startswith("refused"))
        refusals.append(
            f"- {name}: " + ", ".join(f"{hint} {n:,}" for hint, n in hints.most_common())
        )
        wrong = sum(outcome.bad for outcome in outcomes)
        hangs, memory = said["hang"], said["memory"]
        rows.append(
            f"| {name} | {target.about} | {len(target.seeds())} | {len(outcomes):,} | {said['accepted']:,} "
            f"| {said['refused']:,} | {wrong - hangs - memory} | {hangs} | {memory} | {slowest:,.0f} ms "
            f"| {largest / MB:.0f} of {target.memory // MB} MB |"
        )
    return PAGE.format(total=total, seed=seed, rows="\n".join(rows), refusals="\n".join(refusals),
                       seconds=SECONDS)  # fmt: skip


PAGE = """# What spoilt inputs do

{total:,} cases: good files of every kind, made by `fuzzing/` and spoilt by `mutate.py`. None may
end the process, raise anything but a sentence, take more than {seconds} s of a processor, or more memory
than its target is allowed. Written by `python -m benchmarks.fuzz --report`; the cases are those of

```
python -m benchmarks.fuzz --cases N --seed {seed}
```

and always the same ones for one version of the seeds' libraries. Each runs in a process whose address
space is limited, so that a decoder which crashes, hangs or asks for gigabytes is caught and its case
kept. Memory is what a case added at its peak.

| target | who takes it | seeds | cases | accepted | refused with a sentence | crashes | hangs | too much memory | slowest | most memory |
|---|---|---|---|---|---|---|---|---|---|---|
{rows}

These are the cases after what they had found was mended; those that had been wrong were run again with
`--again`. Nothing died or outgrew its memory at any time; two cases were stopped by the clock while
twenty other programs wanted the two cores, and took milliseconds and two seconds when run again. What
raised something else than a sentence, found so or by reading the code beside it, each with a test now:

- a model whose statistics did not fit its network or card, or were no numbers: it loaded, and failed
  when it answered, was extended or judged several photos (`fits.py`);
- weights that make no numbers of a photo: the answer held NaN, which is no JSON (`scores.softmax`);
- sums that belong to no photos (`replay.py`, `discriminant.py`);
- numbers beyond all floats, and JSON nested a hundred thousand deep, in cards and in files of
  `HERBDEMO_HOME`; a `job.json`, `batch.json` or `pile.json` of another shape;
- an entry without a name in a model's zip;
- a light model's covariance without the sums that belong to it (`fits.py`);
- a checkpoint whose dict holds itself; a zip of which torch takes another directory than zipfile, or which
  zipfile takes for none, and unpacks a bomb (`zips.py`); a link in the middle of a name in an `.h5` file;
- a path of the command line that is longer than any disk takes.

Models are of 32 features here, all else about them is the real thing: a ResNet-50 would take half a second
a case. `keras` looks for one block in place of sixteen. The command line runs in the fuzzer's own process;
training, publishing, downloading, serving and making ONNX of a network are cut off where they would begin.
Of `state` nothing counts as refused: what is spoilt of the program's own files is as if it were not there.

A new kind of input is one line in `TARGETS`: its seeds, how they are changed, who takes them.

## With what they were refused

{refusals}
"""


if __name__ == "__main__":
    sys.exit(main())
