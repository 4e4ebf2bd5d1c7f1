"""Memory of a process that serves for long: what stays in it, and what does not."""

import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

LOOK = 5.0  # seconds between two looks at how much memory is held
# Bytes above what was held when it was given back last. A photo needs a third of it, and uses again
# what the last one gave free; a model that is loaded beside the old one leaves three times as much.
SLACK = 128 << 20
# After which it is given back in any case, as what was in use at the last look may be free; and
# what only refers to itself is freed. Python counts objects, not bytes, and lets an old model lie
# that what converted or explained it holds in a circle: one such look freed 600 MB. It takes
# 0.16 s, in which nobody else's Python runs, so not more often.
LOOKS = 12
# Options of malloc.h. Older versions take no higher limit than 32 MB.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_GLIBC = ((_M_ARENA_MAX, 2), (_M_MMAP_THRESHOLD, 32 << 20), (_M_TRIM_THRESHOLD, 256 << 20))


@contextmanager
def lasting() -> Iterator[None]:
    """For imports and for loading models: what is made meanwhile stays until the process ends.

    Python looks for garbage the more often the more objects are made. Among a million of classes
    and functions that takes a fifth of the start, finds nothing, and later takes a tenth of a
    second of some visitor's request, again and again.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def reuse_memory() -> None:
    """Let glibc keep what this process frees, for the next photo; nothing elsewhere.

    By default each large array comes from the system and goes back to it, and is paged in anew: of
    the time of laying a heatmap over a photo that is two thirds. And each thread gets an arena of
    its own, in which what some request once needed stays: two of them save 100 MB.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library, another system
        for option, value in _GLIBC:
            ctypes.CDLL(None).mallopt(option, value)


def keep_small(ended: threading.Event) -> None:
    """Until `ended`: give back what was needed for a moment, such as for loading a model.

    Not more often: what was given back is paged in anew by whoever needs memory next.
    """
    before, looks = held(), 0
    while not ended.wait(LOOK):
        looks += 1
        due = looks % LOOKS == 0
        if due:
            gc.collect()
        if due or held() > before + SLACK:
            give_back()
            before = held()


def held(process: psutil.Process | None = None) -> int:
    """Bytes of memory that a process alone holds, by default this one: no pages of files."""
    memory = (process or psutil.Process()).memory_info()
    return memory.rss - getattr(memory, "shared", 0)  # Linux tells them apart


def give_back() -> None:
    """Let glibc return to the system what lies free between things that stay; nothing elsewhere.

    A model that is loaded beside the old one, or a tray of several passes, leaves hundreds of MB of
    such gaps, which `reuse_memory` would keep.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
