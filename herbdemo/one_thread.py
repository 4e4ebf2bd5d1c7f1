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
    pools = _pools()
    with _lock:
        if not _inside:
            _before = [pool.num_threads for pool in pools]
            for pool in pools:
                pool.set_num_threads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                for pool, threads in zip(pools, _before, strict=True):
                    pool.set_num_threads(threads)


@functools.cache
def _pools() -> list[LibController]:
    return ThreadpoolController().select(user_api="blas").lib_controllers
