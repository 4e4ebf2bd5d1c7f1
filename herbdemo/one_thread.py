"""Small matrix products on one thread.

OpenBLAS, which numpy multiplies with, wakes all its threads for a product of half a million
numbers, and they spin for some 25 ms more in the hope of another one: in the way of the network,
which the next photo needs. Alone it takes half a millisecond as well.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator

from threadpoolctl import LibController, ThreadpoolController

_lock = threading.Lock()
_inside = 0  # how many are at it; the last one puts the threads back
_before: list[int] = []


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy multiply on one thread meanwhile, in the whole process."""
    global _inside, _before
    with _lock:
        if not _inside:
            _before = [pool.num_threads for pool in _pools()]
            _set([1] * len(_before))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _set(_before)


def _set(threads: list[int]) -> None:
    for pool, number in zip(_pools(), threads, strict=True):
        pool.set_num_threads(number)
        # From 3.8 on the first thread to set a number is the only one that may. There is no need:
        # here all take turns.
        if hasattr(pool, "clear_controlling_thread"):
            pool.clear_controlling_thread(force=True)


@functools.cache
def _pools() -> list[LibController]:
    return ThreadpoolController().select(user_api="blas").lib_controllers
