"""Memory of a process that serves for long: what stays in it, and what does not."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_M_ARENA_MAX = -8  # of malloc.h


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


def share_arenas() -> None:
    """Let all threads of this process allocate from two of glibc's arenas; nothing elsewhere.

    By default there are up to eight a core, and each keeps what some request once needed in it:
    100 MB after forty photos (MALLOC_ARENA_MAX does the same, before a start).
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library, another system
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
