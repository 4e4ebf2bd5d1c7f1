"""One training job at a time, in a process of its own: start, follow, stop.

The job is `python -m herbdemo extend|train … --json` itself. What it says lies in
`HERBDEMO_HOME/runs/<model id>/`: its events, one JSON line each, and its result. Which job it is
stands in `HERBDEMO_HOME/job.json`. So a job outlives the server that started it, and any server on
the same home sees it.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import psutil

from herbdemo.atomic import replace_file
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors, home, is_portable

KINDS = ("extend", "train")
# Seconds between asking a job to stop and ending it. A training needs some to make a model of its
# best epoch; a server that closes is not given as long.
PATIENCE, LAST_PATIENCE = 120.0, 20.0
EVENTS, RESULT = "events.jsonl", "result.json"
_RECORD: dict[str, type | tuple[type, ...]] = {
    "id": str, "kind": str, "who": str, "started": (int, float), "pid": int, "before": int,
    "stopping": bool,
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """The current job, or the last one.

    Attributes:
        id: of the model that it makes.
        who: whoever started it, in words for others.
        started: seconds since 1970.
        state: "running"; "done"; "failed", for the reason in `error`; "stopped", with a result if
            something worth keeping was there; "lost", when it ended without a word.
        error: the sentence of a failure as {"zh", "en"}.
        stopping: it is running still, but has been asked to stop.
    """

    id: str
    kind: str
    who: str
    started: float
    state: str
    error: dict[str, str] | None = None
    stopping: bool = False


class Jobs:
    """The job of this computer.

    Args:
        root: `home()` by default.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home()
        self._child: subprocess.Popen | None = None  # started by this very process

    def start(
        self,
        kind: str,
        *,
        source: Path,
        name: str,
        options: Mapping[str, str | bool] | None = None,
        who: str = "",
    ) -> Job:
        """Start the job that makes the model `name` of the photos in `source`.

        Args:
            kind: the command, "extend" or "train".
            options: of that command, without dashes: {"epochs": "5", "resume": True}. With "resume"
                the events go on where the killed run's ended.
            who: said to those who want to start another one meanwhile.

        Raises:
            HerbError: another job is running, the name is taken or unusable, or the disk is full.
        """
        from herbdemo.registry import Registry  # importing torch takes seconds

        if kind not in KINDS:
            raise ValueError(kind)
        Registry(own=self.root).new_folder(name)
        with self._lock():
            running = self.latest()
            if running and running.state == "running":
                raise _busy(running)
            self._launch(kind, Path(source).absolute(), name, dict(options or {}), who[:80])
        job = self.latest()
        assert job is not None
        return job

    def latest(self) -> Job | None:
        """The job that is running, or the last one; None when there was none yet."""
        record = self._record()
        if record is None:
            return None
        state, error = "running", None
        if self._process(record) is None:
            state, error = self._end(record)
        return Job(
            id=record["id"],
            kind=record["kind"],
            who=record["who"],
            started=record["started"],
            state=state,
            error=error,
            stopping=record["stopping"] and state == "running",
        )

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """What the latest job has said so far, without the first `after` events."""
        record = self._record()
        return self._events(record["id"])[after:] if record else []

    def result(self) -> dict[str, Any] | None:
        """What the latest job printed as its result; None while, or where, there is none."""
        record = self._record()
        return self._result(record["id"]) if record else None

    def memory(self) -> int:
        """What the running job and its workers hold in memory, in bytes; 0 when none is running."""
        record = self._record()
        process = record and self._process(record)
        total = 0
        for each in _family(process) if process else ():
            with contextlib.suppress(psutil.Error):  # ended meanwhile
                total += each.memory_info().rss
        return total

    def stop(self, *, patience: float = PATIENCE) -> None:
        """Ask the job to stop, and return when it has; after `patience` seconds it is ended.

        A training that is asked keeps its best epoch so far as a model; one that is ended leaves
        what `resume` needs. One that is stopping already is only waited for.
        """
        with self._lock():
            record = self._record()
            process = self._process(record) if record else None
            if record is None or process is None:
                return
            with contextlib.suppress(OSError):  # a full disk is a good reason to stop
                self._write({**record, "stopping": True})
        family = _family(process)
        # Asked twice, a training ends at once and leaves no model.
        if not record["stopping"]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()  # its workers end with it
        _, left = psutil.wait_procs([process], timeout=patience)
        _, left = psutil.wait_procs(family, timeout=0 if left else 2)
        for each in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(left, timeout=5)

    def shut_down(self) -> None:
        """Stop the job if this process started it; another server's goes on."""
        if self._child and self._child.poll() is None:
            self.stop(patience=LAST_PATIENCE)

    def end_with_this_process(self) -> None:
        """From now on `shut_down` when this process ends, also by SIGTERM. For the main thread."""
        atexit.register(self.shut_down)
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))

    def _launch(
        self, kind: str, source: Path, name: str, options: dict[str, str | bool], who: str
    ) -> None:
        flags = [f"--{key}" if value is True else f"--{key}={value}"
                 for key, value in options.items() if value is not False]  # fmt: skip
        # One word each, so that no value can be taken for another option.
        command = [sys.executable, "-m", "herbdemo", kind, str(source), f"--name={name}", *flags]
        package = str(Path(__file__).resolve().parent.parent)
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            "HERBDEMO_HOME": str(self.root.absolute()),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUTF8": "1",
        }
        run = self.root / "runs" / name
        run.mkdir(parents=True, exist_ok=True)
        mode = "ab" if options.get("resume") else "wb"
        with (run / EVENTS).open(mode) as said, (run / RESULT).open("wb") as told:
            if before := said.tell():
                said.write(b"\n")  # the killed run may have left half a line
                said.flush()
            child = subprocess.Popen(  # noqa: S603, words of our own and no shell
                [*command, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=said,
                env=environment,
                start_new_session=True,  # Ctrl-C in the server's terminal is not for it
            )
        with contextlib.suppress(psutil.Error):
            # Until the system has put its words in place nobody could tell that it is the job.
            while child.poll() is None and not psutil.Process(child.pid).cmdline():
                time.sleep(0.01)
        with contextlib.suppress(psutil.Error, OSError):
            if os.name == "posix":
                psutil.Process(child.pid).nice(10)  # whoever asks for an answer comes first
        try:
            self._write(
                {"id": name, "kind": kind, "who": who, "started": time.time(), "pid": child.pid,
                 "before": before, "stopping": False}
            )  # fmt: skip
        except BaseException:
            child.kill()  # nobody would know of it
            child.wait()
            raise
        self._child = child

    def _process(self, record: dict[str, Any]) -> psutil.Process | None:
        """The job's process, if it is still running."""
        if self._child:
            self._child.poll()  # or it would stay as a zombie
        # A number may be given to another process later. Its start time would tell, but that
        # shifts when the clock is set; the words it was started with do not.
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(record["pid"])
            words = process.cmdline()
            if "herbdemo" in words and f"--name={record['id']}" in words:
                return process if process.status() != psutil.STATUS_ZOMBIE else None
        return None

    def _end(self, record: dict[str, Any]) -> tuple[str, dict[str, str] | None]:
        """The state of a job that is not running any more, and its last error."""
        errors = [e for e in self._events(record["id"], record["before"]) if e["kind"] == "error"]
        error = {key: str(errors[-1].get(key, "")) for key in ("zh", "en")} if errors else None
        if record["stopping"]:
            return "stopped", None
        if self._result(record["id"]) is not None:
            return "done", None
        if error:
            return "failed", error
        return "lost", {
            "zh": "训练没有留下任何说明就中断了：多半是内存或磁盘满了，或进程被强行结束。"
            "正在使用的模型不受影响。请腾出空间后重新开始。",
            "en": "The job ended without a word: most likely memory or the disk was full, or "
            "someone ended its process. The model in use is as it was. Make room and start again.",
        }

    def _events(self, model_id: str, start: int = 0) -> list[dict[str, Any]]:
        try:
            with (self.root / "runs" / model_id / EVENTS).open("rb") as file:
                file.seek(start)
                lines = file.read().split(b"\n")[:-1]  # what follows the last one is not whole yet
        except OSError:
            return []
        events = (_parsed(line) for line in lines)  # warnings of libraries stand among them
        return [event for event in events if event and isinstance(event.get("kind"), str)]

    def _result(self, model_id: str) -> dict[str, Any] | None:
        try:
            lines = (self.root / "runs" / model_id / RESULT).read_bytes().splitlines()
        except OSError:
            return None
        return _parsed(lines[-1]) if lines else None

    def _record(self) -> dict[str, Any] | None:
        """What `start` wrote; None where there is nothing, or what a disk has made of it."""
        try:
            record = _parsed((self.root / "job.json").read_bytes())
        except OSError:
            return None
        sound = (
            record
            and all(isinstance(record.get(key), kind) for key, kind in _RECORD.items())
            and is_portable(record["id"])
            and 0 < record["pid"] < 1 << 31
            and 0 <= record["before"] < 1 << 53
        )
        return record if sound else None

    def _write(self, record: dict[str, Any]) -> None:
        replace_file(self.root / "job.json", json.dumps(record, ensure_ascii=False).encode())

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Only one process at a time may start or stop a job."""
        with disk_errors():
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                with filelock.FileLock(self.root / "job.lock", timeout=10):
                    yield
            except filelock.Timeout as error:
                raise HerbError(
                    "另一项训练正在启动或停止。请稍后再试。",
                    "Another job is being started or stopped. Try again in a moment.",
                    hint="job-running",
                ) from error


def _family(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return [process]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The JSON object in `line`, or None."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _busy(job: Job) -> HerbError:
    since = datetime.fromtimestamp(job.started, UTC).astimezone()  # the server's own time zone
    minutes = max(0, int((time.time() - job.started) / 60))  # the clock may have been set back
    return HerbError(
        f"{job.who or '有人'}正在训练“{job.id}”（{job.kind}），"
        f"从 {since:%H:%M} 开始，已 {minutes} 分钟。一次只能进行一项；请等它完成，或先停止它。",
        f"{job.who or 'Someone'} is running “{job.kind}” for the model “{job.id}” since "
        f"{since:%H:%M}, {minutes} min ago. There can be only one job at a time: wait until it is "
        "done, or stop it first.",
        hint="job-running",
    )
