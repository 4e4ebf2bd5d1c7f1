"""What stays in memory until the end: no time is spent on looking for garbage in it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
