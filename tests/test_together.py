"""What waits at the same time is one pass, and everybody gets their own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from herbdemo.together import MOST, Together

PATIENCE = 30  # seconds until a test gives up; none takes as long


class Slow:
    """An engine that is busy with its first pass until it is told to go on."""

    name = "slow"

    def __init__(self) -> None:
        self.passes: list[int] = []
        self.busy, self.go_on = threading.Event(), threading.Event()

    def features(self, batch: torch.Tensor) -> np.ndarray:
        self.passes.append(len(batch))
        self.busy.set()
        assert self.go_on.wait(PATIENCE)
        return batch.numpy() * 2


@pytest.fixture
def slow() -> Slow:
    return Slow()


def asked(slow: Slow, batches: list[torch.Tensor]) -> list:
    """The futures of one batch, and of others that come while it is in the network."""
    together = Together(slow)
    with ThreadPoolExecutor(len(batches)) as pool:
        first = pool.submit(together.features, batches[0])
        assert slow.busy.wait(PATIENCE)
        others = [pool.submit(together.features, batch) for batch in batches[1:]]
        while len(together._waiting) < len(others):
            pass
        slow.go_on.set()
    return [first, *others]


def photos(n: int, value: float, *, side: int = 2) -> torch.Tensor:
    return torch.full((n, 3, side, side), value)


def test_eight_threads_make_two_passes_and_each_gets_its_own(slow):
    batches = [photos(1, number) for number in range(8)]
    for batch, future in zip(batches, asked(slow, batches), strict=True):
        np.testing.assert_array_equal(future.result(), batch.numpy() * 2)
        assert future.result().base is None or len(future.result().base) == 1
    assert slow.passes == [1, 7]


def test_only_photos_of_one_size_go_together_and_no_more_than_fit(slow):
    batches = [photos(1, 0), photos(2, 1), photos(1, 2, side=3), photos(MOST - 1, 3)]
    for batch, future in zip(batches, asked(slow, batches), strict=True):
        np.testing.assert_array_equal(future.result(), batch.numpy() * 2)
    assert sorted(slow.passes) == [1, 1, 2, MOST - 1]


def test_an_error_reaches_all_of_its_pass_and_nobody_later():
    class Broken:
        name, broken = "broken", True

        def features(self, batch):
            if self.broken:
                raise RuntimeError("out of memory")
            return batch.numpy()

    engine = Broken()
    together = Together(engine)
    with pytest.raises(RuntimeError, match="out of memory"):
        together.features(photos(1, 1))
    engine.broken = False
    assert together.features(photos(1, 1)).shape == (1, 3, 2, 2)
