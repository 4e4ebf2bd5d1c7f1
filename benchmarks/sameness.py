"""Whether an answer of the server is the one that was expected: words, numbers, maps and pictures."""

import base64
import html
import re
from typing import Any

import numpy as np

POINTS = 0.5  # of a hundred: engines of one precision differ by a tenth, batches by less
# A photo with a hole is like none that the network knows: eight bits answer it otherwise by up to 1.5
# points as soon as the threads cut their sums elsewhere.
ROAD_POINTS = 2.0
CELLS = 0.02  # mean difference of maps in 0..1
WAITS = re.compile(r"<footer class=\"colophon\">.*?</footer>", re.DOTALL)  # milliseconds, engine


def differs(got: Any, wanted: Any, points: float = POINTS) -> str:
    """What differs, in a few words; "" when nothing does."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict) or set(got) != set(wanted):
            return f"other keys: {got!r:.200}"
        return next(filter(None, (differs(got[key], wanted[key], points) for key in wanted)), "")
    if isinstance(wanted, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(wanted):
            return f"another length: {got!r:.200}"
        return next(
            filter(None, (differs(*pair, points) for pair in zip(got, wanted, strict=True))), ""
        )
    if isinstance(wanted, bool) or not isinstance(wanted, float | int | str | np.ndarray):
        return "" if got == wanted else f"{got!r:.100}, not {wanted!r:.100}"
    if isinstance(wanted, np.ndarray):
        apart = float(np.abs(got - wanted).mean()) if got.shape == wanted.shape else np.inf
        return "" if apart <= CELLS else f"maps are {apart:.3f} apart"
    if isinstance(wanted, str):
        return _words_differ(str(got), wanted, points)
    return "" if abs(got - wanted) <= points / 100 else f"{got}, not {wanted}"


def _words_differ(got: str, wanted: str, points: float) -> str:
    a, b = (re.split(r"(-?\d+(?:\.\d+)?)", text) for text in (got, wanted))
    if len(a) != len(b):
        return f"other words: {got[:200]!r}, not {wanted[:200]!r}"
    for at, (one, other) in enumerate(zip(a, b, strict=True)):
        if at % 2 and abs(float(one) - float(other)) <= points:
            continue
        if one != other:
            return f"{one[:80]!r}, not {other[:80]!r}"
    return ""


def seen(page: str) -> list:
    """What someone sees of a page: its words and its maps. Times and engines may differ."""
    page = WAITS.sub("", page)
    cells = re.findall(r'cells="([^"]+)"', page)
    said = html.unescape(re.sub(r"<[^>]*>", " ", page)).split()
    return [" ".join(said), *map(as_map, cells)]


def model_of(answer: Any) -> str:
    """The sha256 of the model that an answer names; "" for none."""
    found = re.search(r'(?:data-model="|sha256["\' :]+)([0-9a-f]{64})', str(answer))
    return found.group(1) if found else ""


def as_map(cells: str) -> np.ndarray:
    """The numbers of a map, 0..1, from what travels in a page."""
    return np.frombuffer(base64.b64decode(cells), "<u2").astype(np.float32) / 65535
