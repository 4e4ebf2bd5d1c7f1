"""A small run of benchmarks/fuzz.py: what was found once is not there again, and it does find."""

import json
import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import fuzz
from benchmarks.fuzz import Outcome, case, done, tried
from benchmarks.fuzzing import MB, TARGETS, Target
from herbdemo.errors import HerbError

ROOT = Path(__file__).resolve().parent.parent
CASES = 120

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and setrlimit")


@pytest.fixture(scope="module")
def small_run(tmp_path_factory) -> Path:
    """The results of `CASES` of each target, other ones than those of the report."""
    folder = tmp_path_factory.mktemp("fuzz")
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "--cases", f"{CASES}", "--seed", "1",
         "--results", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_inputs_are_refused_with_a_sentence_or_taken(name, small_run):
    outcomes = list(done(small_run / f"{name}.jsonl"))
    assert len(outcomes) == CASES
    assert outcomes[0].said == "accepted"  # what it starts from is good
    found = {outcome.said.partition(":")[0] for outcome in outcomes}
    # Nothing is refused of the home's own files: what is spoilt counts as missing.
    assert found == ({"accepted"} if name == "state" else {"accepted", "refused"})


def test_a_case_is_known_by_its_number():
    assert case("photo", 99, 0) == case("photo", 99, 0)
    assert len({case("name", n, 0) for n in range(8000, 8100)}) > 80
    assert case("zip", 99, 0) != case("zip", 99, 1)


def target_of(take) -> Target:
    return Target("a test", lambda: (b"x",), lambda data, *_: data, lambda _: take, 8 * MB)


def fails(_: bytes) -> None:
    raise ValueError("no sentence")


def refuses(_: bytes) -> None:
    raise HerbError("不。", "No.", hint="no")


def takes_memory(_: bytes) -> None:
    """From the system; the heap of this process may have as much left over by other tests."""
    with mmap.mmap(-1, 40 * MB) as taken:
        for page in range(0, 40 * MB, mmap.PAGESIZE):
            taken[page] = 1


@pytest.mark.parametrize(
    ("take", "said"),
    [(fails, "ValueError at test_fuzz.py"), (refuses, "refused: no"), (takes_memory, "memory: "),
     (len, "accepted")],
)  # fmt: skip
def test_what_becomes_of_a_case(take, said):
    outcome = tried(take, b"x", target_of(take))
    assert outcome.said.startswith(said)
    assert outcome.bad == (take in (fails, takes_memory))


def deadly(data: bytes) -> None:
    if data == b"2":
        os.kill(os.getpid(), signal.SIGKILL)  # as the system does where memory ends
    while data == b"4":
        pass


def test_a_crash_and_a_hang_are_kept_and_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)
    monkeypatch.setattr(fuzz, "HEADROOM", 8 << 30)  # this process has many threads
    monkeypatch.setattr(fuzz, "case", lambda name, number, seed: b"%d" % number)
    monkeypatch.setitem(fuzz.TARGETS, "deadly", target_of(deadly))
    fuzz.run("deadly", 6, 0, tmp_path)
    said = [outcome.said for outcome in done(tmp_path / "deadly.jsonl")]
    assert said == [
        "accepted",
        "accepted",
        "crash: SIGKILL",
        "accepted",
        "hang: SIGPROF",
        "accepted",
    ]
    assert (tmp_path / "deadly-2.bin").read_bytes() == b"2"
    assert (tmp_path / "deadly-4.bin").exists()


def test_the_report_counts_what_was_done(tmp_path):
    outcomes = [
        Outcome("accepted", 1, MB),
        Outcome("refused: zip-link", 7, 2 * MB),
        Outcome("hang: SIGPROF"),
        Outcome("crash: SIGSEGV"),
        Outcome("ValueError at x: y"),
    ]
    lines = "".join(json.dumps(outcome) + "\n" for outcome in outcomes)
    (tmp_path / "zip.jsonl").write_text(lines)
    page = fuzz.report(tmp_path, 0)
    assert page.startswith("# What spoilt inputs do\n\n5 cases")
    assert "| 5 | 1 | 1 | 2 | 1 | 0 | 7 ms | 2 of 300 MB |" in page
    assert "zip-link 1" in page


def test_the_report_that_is_kept_names_every_target_and_found_nothing():
    page = (ROOT / "benchmarks" / "FUZZ.md").read_text("utf-8")
    total = 0
    for name in TARGETS:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {name} |"))
        _, _, _, _, cases, _, _, crashes, hangs, memory, *_ = (c.strip() for c in row.split("|"))
        assert (crashes, hangs, memory) == ("0", "0", "0")
        total += int(cases.replace(",", ""))
        assert int(cases.replace(",", "")) >= (3000 if name == "call" else 10_000)
    assert page.split("\n\n")[1].startswith(f"{total:,} cases")
    assert total >= 100_000
