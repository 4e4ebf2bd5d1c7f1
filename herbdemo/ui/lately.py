"""What was found lately, kept in memory, so that nobody waits for it twice."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class Lately:
    """The last few results of something that is costly, safe to share between threads.

    Who asks for what is just being made waits for it. What fails is not kept.

    Args:
        most: that are kept, or how much all of them may weigh.
        weigh: what a result weighs.
        over: whether nobody will ever ask for this key again; such results are not kept on.
    """

    def __init__(
        self,
        most: int,
        *,
        weigh: Callable[[Any], int] = lambda made: 1,
        over: Callable[[tuple], bool] = lambda key: False,
    ) -> None:
        self.most = most
        self._weigh = weigh
        self._over = over
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple, Any] = OrderedDict()
        self._made: dict[tuple, float] = {}  # when; in the order in which they were made
        self._making: dict[tuple, threading.Lock] = {}
        self._weight = 0

    def has(self, key: tuple) -> bool:
        """Whether it is kept."""
        with self._lock:
            return key in self._found

    def get(self, key: tuple, make: Callable[[], Any]) -> Any:
        """What is kept under `key`, else what `make` gives."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._found:
                    return self._found[key]
            try:
                made = make()
                self._keep(key, made)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return made

    def sweep(self, seconds: float) -> None:
        """Forget what was made longer ago, and what is over."""
        with self._lock:
            self._clear()
            while self._found and time.monotonic() - self._made[next(iter(self._made))] > seconds:
                self._drop(next(iter(self._made)))

    def _clear(self) -> None:
        for key in [key for key in self._found if self._over(key)]:
            self._drop(key)

    def _keep(self, key: tuple, made: Any) -> None:
        with self._lock:
            self._clear()
            if key in self._found:  # two made it, where the one that both waited for had failed
                self._drop(key)
            self._found[key] = made
            self._made[key] = time.monotonic()
            self._weight += self._weigh(made)
            while self._weight > self.most:
                self._drop(next(iter(self._found)))

    def _drop(self, key: tuple) -> None:
        del self._made[key]
        self._weight -= self._weigh(self._found.pop(key))
