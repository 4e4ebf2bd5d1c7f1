"""jobs.py: a real training in a real second process, followed, stopped, refused and lost."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from toys import HERBS, fill, refusal

from herbdemo import jobs as module
from herbdemo.jobs import EVENTS, RESULT, Job, Jobs

ROOT = Path(__file__).resolve().parent.parent
process = pytest.mark.process


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for herb in HERBS[:2]:
        fill(tmp_path / "photos", herb, range(12))
    return tmp_path / "photos"


@pytest.fixture
def jobs(home: Path) -> Iterator[Jobs]:
    jobs = Jobs(home)
    yield jobs
    jobs.stop(patience=0)


def train(jobs: Jobs, photos: Path, name: str = "mine", who: str = "小王", **options: str | bool):
    options = {"init": "scratch", "epochs": "1", **options}
    return jobs.start("train", source=photos, name=name, options=options, who=who)


def until(true: Callable[[], object], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def ended(jobs: Jobs) -> Job:
    until(lambda: jobs.latest().state != "running")
    return jobs.latest()


def kinds(jobs: Jobs) -> list[str]:
    return [event["kind"] for event in jobs.events()]


def child(jobs: Jobs) -> psutil.Process:
    return psutil.Process(json.loads((jobs.root / "job.json").read_text("utf-8"))["pid"])


def test_before_the_first_job_there_is_nothing(jobs):
    assert jobs.latest() is None
    assert jobs.events() == []
    assert jobs.result() is None
    assert jobs.memory() == 0
    jobs.stop()
    jobs.shut_down()


@process
def test_a_job_is_followed_to_its_end_by_two_servers(jobs, photos):
    before = time.time()
    job = train(jobs, photos)
    assert (job.id, job.kind, job.who, job.state, job.error) == (
        "mine", "train", "小王", "running", None)  # fmt: skip
    assert before - 1 < job.started < time.time() + 1

    other = Jobs(jobs.root)  # a second server, or the first one after a restart
    assert other.latest() == job
    assert jobs.result() is None
    until(lambda: jobs.memory() > 50e6)
    assert other.memory() > 50e6
    if os.name == "posix":
        assert child(jobs).nice() == 10

    # Whoever wants another one is told who runs what, and since when.
    for either in (jobs, other):
        error = refusal(train, either, photos, "yours", who="me")
        assert error.hint == "job-running"
        for words in ("小王", "“mine”", "train", time.strftime("%H:", time.localtime(job.started))):
            assert words in error.en
            assert words in error.zh
    assert not (jobs.root / "runs" / "yours").exists()

    done = ended(other)
    assert done == Job(**{**vars(job), "state": "done"})
    assert jobs.latest() == done
    assert [k for k in kinds(jobs) if k in ("start", "head", "epoch")] == ["start", "head", "epoch"]
    assert jobs.events()[0]["train"] > 0
    assert jobs.events(after=2) == jobs.events()[2:]
    assert jobs.result()["model"] == "mine"
    assert jobs.memory() == 0
    assert (jobs.root / "models" / "mine").is_dir()

    # The name is now a model's, and its run is kept.
    assert refusal(train, jobs, photos).hint == "model-exists"
    assert jobs.result()["model"] == "mine"
    jobs.stop()  # nothing to stop, nothing to change
    assert jobs.latest() == done


@process
def test_a_job_that_is_stopped_ends_within_seconds(jobs, photos):
    train(jobs, photos, epochs="500")
    until(lambda: "head" in kinds(jobs))
    processes = [child(jobs), *child(jobs).children(recursive=True)]
    started = time.monotonic()
    Jobs(jobs.root).stop(patience=60)  # by a server that did not start it
    assert time.monotonic() - started < 60  # by itself: none had to be killed
    assert jobs.latest().state == "stopped"
    assert jobs.latest().error is None
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)
    # The lock is free, and another one may start.
    assert train(jobs, photos, "next").state == "running"


@process
def test_a_job_that_is_stopped_twice_keeps_its_model(jobs, photos):
    train(jobs, photos, epochs="500")
    until(lambda: "head" in kinds(jobs))
    first = threading.Thread(target=jobs.stop)
    first.start()
    until(lambda: jobs.latest().stopping)
    assert jobs.latest().state == "running"
    other = Jobs(jobs.root)  # a second server, which is asked as well
    other.stop()
    first.join()
    assert other.latest().state == "stopped"
    assert not other.latest().stopping
    assert jobs.result()["stopped"] is True
    assert (jobs.root / "models" / "mine").is_dir()


@process
def test_a_job_that_does_not_listen_is_ended(jobs, photos):
    train(jobs, photos, epochs="500")
    until(lambda: "start" in kinds(jobs))
    process = child(jobs)
    process.suspend()  # SIGTERM would wait for ever
    jobs.stop(patience=0.5)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert jobs.latest().state == "stopped"


@process
def test_a_job_that_fails_says_why(jobs, photos, tmp_path):
    one = tmp_path / "one"
    fill(one, HERBS[0], range(12))
    train(jobs, one)
    job = ended(jobs)
    assert job.state == "failed"
    assert set(job.error) == {"zh", "en"}
    assert "two herbs" in job.error["en"]
    assert "两种" in job.error["zh"]
    assert jobs.result() is None


@process
def test_a_job_that_is_killed_is_lost_and_can_go_on(jobs, photos):
    train(jobs, photos)
    until((jobs.root / "runs" / "mine" / "state.safetensors").exists)
    child(jobs).kill()
    job = ended(jobs)
    assert job.state == "lost"
    assert "without a word" in job.error["en"]
    assert job.error["zh"].endswith("。")
    with (jobs.root / "runs" / "mine" / EVENTS).open("ab") as file:
        file.write(b'{"kind": "error", "zh": "a", "en": "of the first ru')  # killed amid a line
    said = len(jobs.events())
    assert said

    train(jobs, photos, resume=True)
    assert jobs.latest().state == "running"
    assert ended(jobs).state == "done"
    assert jobs.result()["model"] == "mine"
    again = jobs.events(after=said)
    assert again[0]["kind"] == "start"  # what came before is still there
    assert "head" not in [event["kind"] for event in again]


@contextlib.contextmanager
def room(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, in processes that start meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@process
def test_a_full_disk_ends_in_a_sentence(jobs, photos):
    with room(4_000_000):
        train(jobs, photos)
    job = ended(jobs)
    assert job.state == "failed"
    assert "The disk is full" in job.error["en"]
    assert "磁盘已满" in job.error["zh"]
    assert not (jobs.root / "models" / "mine").exists()
    assert "Traceback" not in (jobs.root / "runs" / "mine" / EVENTS).read_text("utf-8")


def test_a_full_disk_at_the_start_is_a_sentence_too(jobs, photos, monkeypatch):
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    started = []
    real = subprocess.Popen
    monkeypatch.setattr(module, "replace_file", full)
    monkeypatch.setattr(
        module.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[0]
    )
    assert refusal(train, jobs, photos).hint == "disk-full"
    assert started[0].poll() is not None  # no job runs that nobody knows of
    assert jobs.latest() is None


SERVER = """
import sys, time
from pathlib import Path
from herbdemo.jobs import Jobs

jobs = Jobs()
jobs.end_with_this_process()
jobs.start("train", source=Path(sys.argv[1]), name="mine",
           options={"init": "scratch", "epochs": "500"})
print("started", flush=True)
time.sleep(600)
"""


@process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_server_that_closes_stops_its_job_and_one_that_dies_leaves_it(jobs, photos, number):
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(photos)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout.readline() == b"started\n"
    Jobs(jobs.root).shut_down()  # this one did not start it
    assert jobs.latest().state == "running"
    server.send_signal(number)
    server.wait(timeout=60)
    server.stdout.close()
    expected = "running" if number == signal.SIGKILL else "stopped"
    assert jobs.latest().state == expected


# Without a process: what lies on disk, by whatever wrote it


def record(home: Path, events: bytes = b"", result: bytes = b"", **changes: object) -> None:
    run = home / "runs" / "mine"
    run.mkdir(parents=True)
    (run / EVENTS).write_bytes(events)
    (run / RESULT).write_bytes(result)
    known = {"id": "mine", "kind": "train", "who": "", "started": 0.0, "pid": 2**22 + 1,
             "before": 0, "stopping": False}  # fmt: skip
    (home / "job.json").write_text(json.dumps({**known, **changes}))


def test_lines_that_are_no_events_are_passed_over(jobs, home):
    lines = [b'{"kind": "start", "train": 3}', b"Warning: old driver", b"[1]", b"\xff\xfe", b"",
             b'{"no": "kind"}', b'{"kind": 7}', b"[" * 100_000, '{"kind": "头"}'.encode(),
             b'{"kind": "step"']  # fmt: skip
    record(home, b"\n".join(lines))
    assert kinds(jobs) == ["start", "头"]  # the last line is not whole yet
    assert jobs.latest().state == "lost"


def test_the_last_error_counts_and_only_of_this_run(jobs, home):
    old = b'{"kind": "error", "zh": "\xe6\x97\xa7", "en": "old"}\n'
    new = (
        b'{"kind": "error", "zh": "x", "en": "one"}\n{"kind": "error", "en": "two", "hint": "h"}\n'
    )
    record(home, old + new, before=len(old))
    assert jobs.latest().error == {"zh": "", "en": "two"}
    (home / "runs" / "mine" / EVENTS).write_bytes(old)
    assert jobs.latest().state == "lost"


def test_another_process_with_the_same_number_is_not_the_job(jobs, home):
    record(home, result=b'warning\n{"model": "mine"}\n', pid=os.getpid())
    assert jobs.latest().state == "done"
    jobs.stop(patience=0)  # and is not stopped: it is this test


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"{}", b"[" * 100_000, b'{"id": "mine", "pid": 1}',
     b'{"id": "a\\u0000", "kind": "", "who": "", "started": 1, "pid": 1, "before": 0, '
     b'"stopping": false}',
     b'{"id": "mine", "kind": "", "who": "", "started": 1, "pid": -1, "before": 0, '
     b'"stopping": false}'],
)  # fmt: skip
def test_a_damaged_record_is_no_job(jobs, home, content):
    home.mkdir()
    (home / "job.json").write_bytes(content)
    assert jobs.latest() is None


@pytest.mark.parametrize("name", ["../out", "", "A", "-x", "con"])
def test_a_name_that_cannot_be_a_model_is_refused(jobs, photos, name):
    assert refusal(train, jobs, photos, name).hint == "model-name"
    assert not (jobs.root / "job.json").exists()


def test_only_known_kinds_are_started(jobs, photos):
    with pytest.raises(ValueError, match="serve"):
        jobs.start("serve", source=photos, name="mine")
