"""What a long piece of work says while it runs: one JSON line each, for people and programs."""

import json
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
