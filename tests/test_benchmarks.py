"""The benchmarks' own tools: turns are fair, the report hides nothing, no GPU is said plainly."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench
from benchmarks.photos import photo, renamed
from benchmarks.report import NAMES, report
from herbdemo.photo import open_photo

ROOT = Path(__file__).parent.parent


# Taking turns


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(bench, "PAUSE", 0)


def called(**options) -> tuple[list[str], dict[str, np.ndarray]]:
    """The order in which three contenders were called, and what came out."""
    calls = []
    contenders = {name: lambda name=name: calls.append(name) for name in "abc"}
    return calls, bench.interleaved(contenders, **options)


def test_all_are_called_equally_often_and_begin_equally_often():
    calls, seconds = called(turns=6, warm=False)
    assert Counter(calls) == {"a": 6, "b": 6, "c": 6}
    turns = [calls[n : n + 3] for n in range(0, 18, 3)]
    assert all(set(turn) == set("abc") for turn in turns)
    assert Counter(turn[0] for turn in turns) == {"a": 2, "b": 2, "c": 2}
    assert {len(found) for found in seconds.values()} == {6}


def test_the_first_call_of_each_is_not_counted():
    calls, seconds = called(turns=2)
    assert Counter(calls) == {"a": 3, "b": 3, "c": 3}
    assert {len(found) for found in seconds.values()} == {2}


def test_what_takes_long_is_called_in_some_turns():
    calls, seconds = called(turns=bench.EVERY + 1, seldom=["c"], warm=False)
    assert Counter(calls) == {"a": 6, "b": 6, "c": 2}
    assert len(seconds["c"]) == 2


def test_ratios_are_taken_turn_by_turn():
    slow, quick = np.array([2.0, 20.0, 2.0]), np.array([1.0, 10.0, 1.0])
    assert bench.ratio(slow, quick).tolist() == [2, 2, 2]
    assert bench.ratio(np.array([6.0]), quick).tolist() == [6]  # by the median


def test_figures_are_shown_with_their_spread():
    assert bench.shown(np.array([0.001, 0.002, 0.003]), scale=1000) == "2.0 (1.2–2.8)"
    assert bench.spread(np.array([3.0])) == {"median": 3, "p10": 3, "p90": 3, "n": 1}


# Bars and the report


@pytest.mark.parametrize(
    ("value", "limit", "least", "met"),
    [
        (1.25, 1.25, False, True),
        (1.2501, 1.25, False, False),
        (99.9, 100, True, False),
        (100, 100, True, True),
    ],
)
def test_a_bar_is_met_or_not(value, limit, least, met):
    assert bench.Bar("x", value, limit, least=least).met is met


def test_figures_of_bars_are_written_out():
    said = [
        bench.verdict({**asdict(bench.Bar("x", v, 1.25)), "met": False}) for v in (1.2501, 1234.5)
    ]
    assert [text.partition(" ")[0] for text in said] == ["1.25", "1234"]
    assert all("**not met**" in text for text in said)


MACHINE = {
    "cpu": "A CPU",
    "cores": 2,
    "threads": 2,
    "arithmetic": ["BF16", "FP32"],
    "accelerator": "",
    "system": "Linux x86_64",
    "libraries": {"python": "3.12", "torch": "2.9"},
}


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """A folder with the figures of two benchmarks: one bar is met, one is not."""
    monkeypatch.setattr(bench, "machine", lambda: MACHINE)
    for name, value in (("answer", 28.0), ("batch", 120.0)):
        result = bench.Result(
            name=name,
            title=f"Title of {name}",
            columns=["way", "ms"],
            rows=[["this", "12.0 (11.0–13.0)"]],
            notes=["A note."],
            bars=[bench.Bar("times faster", value, 100, least=True, remark="The reason")],
            values={"this": bench.spread(np.array([0.012]))},
        )
        bench.tell(result, tmp_path / f"{name}.json")
    return tmp_path


def test_what_is_printed_is_what_is_written(results, capsys):
    found = json.loads((results / "answer.json").read_text("utf-8"))
    assert found["command"] == "python -m benchmarks.answer"
    assert found["machine"] == MACHINE
    assert found["bars"][0]["met"] is False
    assert found["values"]["this"]["median"] == 0.012
    assert "| this | 12.0 (11.0–13.0) |" in bench.markdown(found)


def test_the_report_states_met_missed_and_missing_bars(results):
    said = report(results).splitlines()
    assert "| [answer](#answer) times faster | 28 x (at least 100 x) | **no** |" in said
    assert "| [batch](#batch) times faster | 120 x (at least 100 x) | yes |" in said
    for name in set(NAMES) - {"answer", "batch"}:
        assert f"| {name} | not measured: `python -m benchmarks.{name}` | – |" in said
    assert "- times faster: 28 x (at least 100 x): **not met**. The reason" in said
    assert sum(line.startswith("`python -m benchmarks.answer`, 20") for line in said) == 1
    assert "A CPU, 2 cores with BF16, FP32, Linux x86_64; python 3.12, torch 2.9." in report(
        results
    )


def test_an_accelerator_has_a_section_and_what_failed_there_is_said(results):
    found = json.loads((results / "answer.json").read_text("utf-8"))
    (results / "gpu-X-100.json").write_text(
        json.dumps({"device": "X 100", "results": [found], "failed": {"batch": "No memory"}})
    )
    said = report(results)
    assert "## On an accelerator: X 100" in said
    assert "### answer" in said
    assert "batch did not run there: No memory" in said


def test_the_machine_is_described_without_whose_it_is():
    found = bench.machine()
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["libraries"]["torch"]
    assert not {"node", "host", "user", "path"} & set(found)


def test_the_report_in_the_repository_is_that_of_its_figures():
    written = ROOT / "benchmarks" / "RESULTS.md"
    if not written.is_file():
        pytest.skip("nothing was measured yet")
    assert written.read_text("utf-8") == report(bench.RESULTS)


# Photos


def test_photos_differ_and_a_comment_changes_nothing_but_the_bytes():
    one, other = (open_photo(photo((120, 90), number)) for number in (0, 1))
    assert one.size == other.size == (120, 90)
    assert one.image.tobytes() != other.image.tobytes()
    same = open_photo(renamed(photo((120, 90), 0), 7))
    assert same.image.tobytes() == one.image.tobytes()
    assert same.sha256 != one.sha256


# Accelerators


def test_gpu_without_cuda_says_so():
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu.py"],
        cwd=ROOT,
        env={"PATH": "", "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "There is no CUDA device here" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_script_that_fails_does_not_stop_the_others():
    from benchmarks.gpu import run

    results, failed = run(["no_such_script"], Path("photos"))
    assert results == []
    assert "No module named benchmarks.no_such_script" in failed["no_such_script"]


def test_the_network_is_measured_in_batches(toy, monkeypatch):
    from benchmarks import forward
    from herbdemo.engine import TorchEngine

    monkeypatch.setattr(bench, "SIDE", 64)
    found = forward.measure(toy, TorchEngine(toy.network), batches=(1, 2), turns=1)
    names = [row[0] for row in found.rows]
    assert {"torch f32, 1", "torch f32, 2", "cpu · torch, 1", "limit f32"} <= set(names)
    assert all(len(row) == len(found.columns) for row in found.rows)
