"""The command line on a pile: one process, two, killed and run again; the file is the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toys import HERBS, herb_picture

from herbdemo.recognise import BATCH

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = 5 * BATCH + 3

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def place(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`home/`, where the toy model is in use, and `photos/`, one of them broken."""
    place = tmp_path_factory.mktemp("place")
    (place / "home" / "models").mkdir(parents=True)
    (place / "home" / "models" / "toy").symlink_to(toy_folder)
    (place / "home" / "active.json").write_text(json.dumps({"trail": ["toy"]}))
    (place / "photos").mkdir()
    for number in range(PHOTOS - 1):
        herb_picture(HERBS[number % 7], number).save(place / "photos" / f"{number:03d}.png")
    (place / "photos" / "040 broken.jpg").write_bytes(b"\xff\xd8\xff")
    return place


def start(place: Path, out: str, *options: str, processes: int = 1) -> subprocess.Popen:
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    return subprocess.Popen(
        [sys.executable, "-m", *(torchrun if processes > 1 else ()), "herbdemo", "recognise",
         "photos", "--out", str(place / out), *options],
        cwd=place,
        env={**os.environ, "HERBDEMO_HOME": str(place / "home"), "HERBDEMO_ENGINE": "auto",
             "OMP_NUM_THREADS": "1",
             "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def alone(place: Path) -> bytes:
    """What one process writes that nobody disturbs."""
    process = start(place, "alone.csv", "--json")
    said, complaints = process.communicate(timeout=300)
    assert process.returncode == 1, complaints  # one photo failed
    (line,) = said.splitlines()
    answer = json.loads(line)
    assert len(answer["answers"]) == PHOTOS - 1
    assert {"ms", "stages"} < set(answer["answers"][0])
    assert [failure["file"] for failure in answer["failures"]] == ["photos/040 broken.jpg"]
    assert complaints.startswith("photos/040 broken.jpg: ")
    assert "Traceback" not in complaints
    return (place / "alone.csv").read_bytes()


def test_two_processes_write_the_same_file(place, alone):
    process = start(place, "two.csv", processes=2)
    said, complaints = process.communicate(timeout=300)
    assert process.returncode == 1, complaints
    assert (place / "two.csv").read_bytes() == alone
    assert said.count("photos/") == PHOTOS - 1  # the first process alone speaks
    assert complaints.count("photos/040 broken.jpg: ") == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_and_run_again_it_writes_the_same_file(place, alone, processes):
    out = f"killed-{processes}.csv"
    unfinished = place / f"{out}.unfinished"
    process = start(place, out)
    end = time.monotonic() + 200
    while not (unfinished.exists() and unfinished.stat().st_size):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (place / out).exists()
    before = unfinished.read_bytes()

    again = start(place, out, "--json", processes=processes)
    said, complaints = again.communicate(timeout=300)
    assert again.returncode == 1, complaints
    answers = json.loads(said)["answers"]
    assert len(answers) == PHOTOS - 1
    done_before = sum("ms" not in answer for answer in answers)
    assert BATCH <= done_before <= before.count(b"\n")
    assert (place / out).read_bytes() == alone


def test_ctrl_c_stops_after_the_batch_at_hand(place, alone):
    process = start(place, "stopped.csv")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "goes on from there" in complaints
    assert (place / "stopped.csv.unfinished").exists()
    again = start(place, "stopped.csv")
    again.communicate(timeout=300)
    assert (place / "stopped.csv").read_bytes() == alone
