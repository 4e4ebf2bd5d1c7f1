"""What a long piece of work says while it runs: one JSON line each, for people and programs."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """`kind` is "start", "features", "head", "step", "epoch", "finish", "saved" or "error"."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The event as one line of JSON, without the line's end."""
        return json.dumps({"kind": self.kind, **self.values}, ensure_ascii=False)


def features_told(say: Callable[[Event], None]) -> Callable[[int, int], None]:
    """A `progress` for the extraction of features that says how far it is, once a second."""
    started = last = time.perf_counter()

    def progress(done: int, total: int) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= 1 or done == total:
            last = now
            rate = done / (now - started)
            say(Event("features", {"done": done, "total": total, "photos_per_second": rate}))

    return progress
