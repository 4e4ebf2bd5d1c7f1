"""Second processes that are killed: at a random moment, or at one chosen touch of the disk.

A server process imports torch once and forks each victim from itself, so that a kill costs
milliseconds. What the victim runs is a function of a module that `Victims` was told to import.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

# Of Python's audit events: each comes just before the system is asked to change something.
TOUCHES = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "tempfile.mkstemp",
           "tempfile.mkdtemp", "os.truncate", "os.utime", "os.link", "os.symlink"}  # fmt: skip


class Victims:
    """Starts processes to be killed.

    Args:
        modules: imported once, before the first victim; what the victims run must be in them.
    """

    def __init__(self, *modules: str) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(modules))
        # Older Pythons import them with the environment's path, not with this process's.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
            forkserver.ensure_running()

    def kill_after(self, seconds: float, work: Callable[..., None], *arguments: Any) -> bool:
        """Run `work` and kill it `seconds` after it began; whether it was still at it."""
        ready = self._context.Event()
        process = self._context.Process(target=_begin, args=(ready, work, *arguments))
        process.start()
        assert ready.wait(120), "the victim did not begin"
        time.sleep(seconds)
        process.kill()
        return self._killed(process)

    def kill_at(self, touch: int, folder: Path, work: Callable[..., None], *arguments: Any) -> bool:
        """Run `work` until just before it touches `folder` for the time number `touch`, from 0.

        Whether it came to that; if not, it has done its work.
        """
        process = self._context.Process(target=_end_at, args=(touch, str(folder), work, *arguments))
        process.start()
        return self._killed(process)

    def _killed(self, process: Any) -> bool:
        process.join(120)
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        killed = process.exitcode != 0
        process.close()
        return killed


def _begin(ready: Any, work: Callable[..., None], *arguments: Any) -> None:
    ready.set()
    work(*arguments)


def _end_at(touch: int, folder: str, work: Callable[..., None], *arguments: Any) -> None:
    left = touch

    def watch(event: str, values: tuple) -> None:
        nonlocal left
        if event in TOUCHES and any(folder in _text(value) for value in values):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(watch)
    work(*arguments)


def _text(value: object) -> str:
    with contextlib.suppress(TypeError, ValueError):
        return os.fsdecode(value)
    return ""
