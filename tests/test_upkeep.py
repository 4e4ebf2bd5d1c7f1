"""What has had its time goes, also where nobody comes who would make room."""

import os
import subprocess
import sys
import threading
import time
import weakref

from toys import herb_picture

from herbdemo import heap, kept, kept_piles
from herbdemo.ui import upkeep


def test_piles_go_when_their_time_is_over_and_one_failure_stops_nothing(tmp_path, monkeypatch):
    herb_picture("党参", 1).save(tmp_path / "1.png")
    old, new = (kept_piles.keep_photos([tmp_path / "1.png"], None) for _ in range(2))
    long_ago = time.time() - kept_piles.KEPT_SECONDS - 60
    os.utime(old.folder, (long_ago, long_ago))
    swept = threading.Event()

    def fails() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(upkeep.WORKER, "tidy", fails)
    monkeypatch.setattr(kept, "sweep_kept", swept.set)
    end = upkeep.keep_clean()
    assert swept.wait(60)
    end()
    assert not old.folder.exists()
    assert new.folder.exists()


HEAP = """
import sys, threading, time
import numpy as np
from herbdemo import heap
heap.LOOK = 0.05
heap.reuse_memory()
ended = threading.Event()
if sys.argv[1] == "kept small":
    threading.Thread(target=heap.keep_small, args=(ended,)).start()
    time.sleep(0.5)
before = heap.held()
arrays = [np.ones(1 << 17) for _ in range(600)]  # of 1 MB
stay, arrays = arrays[::40], None
until = time.monotonic() + 5
while heap.held() > before + (250 << 20) and time.monotonic() < until:
    time.sleep(0.05)
ended.set()
print((heap.held() - before) >> 20, len(stay))
"""


def test_memory_that_was_needed_for_a_moment_is_given_back():
    def stays(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", HEAP, how], capture_output=True, text=True, check=True
        )
        return int(done.stdout.split()[0])

    if stays("as it is") > 500:  # where the system's own malloc keeps it
        assert stays("kept small") < 250


def test_what_only_refers_to_itself_does_not_stay(monkeypatch):
    class Model:
        pass

    monkeypatch.setattr(heap, "LOOK", 0.01)
    ended, model = threading.Event(), Model()
    model.itself, gone = model, weakref.ref(model)
    del model
    looking = threading.Thread(target=heap.keep_small, args=(ended,))
    looking.start()
    until = time.monotonic() + 60
    while gone() is not None and time.monotonic() < until:
        time.sleep(0.01)
    ended.set()
    looking.join()
    assert gone() is None
