"""Where in a photo a map is bright, in words: for whoever cannot see the picture."""

from dataclasses import dataclass

import numpy as np

# Nine parts of a photo, row by row.
_PARTS = (
    ("左上", "in the upper left"), ("上方", "at the top"), ("右上", "in the upper right"),
    ("左侧", "on the left"), ("中间", "in the middle"), ("右侧", "on the right"),
    ("左下", "in the lower left"), ("下方", "at the bottom"), ("右下", "in the lower right"),
)  # fmt: skip
_EVERYWHERE = ("全图各处", "all over the photo")
_SHARE = 0.6  # of what is bright; more than half, so that neither of two like spots is left out
_MOST = 3  # parts that are named; a sentence with more of them says no more than "all over"


@dataclass(frozen=True)
class Where:
    """Where a map is at least half as bright as at its brightest spot.

    `zh` and `en` name the few parts of the photo that hold most of that, the strongest first, as in
    "in the upper left and on the left"; `share` is how much of the photo it is, 0..1.
    """

    zh: str
    en: str
    share: float


def where(values: np.ndarray) -> Where | None:
    """Where a map (h, w) is bright; what is not above zero counts for nothing.

    None when all of it is dark: there is no positive evidence then.
    """
    values = np.maximum(np.asarray(values, np.float64), 0)
    if not values.max() > 0:
        return None
    bright = values >= values.max() / 2
    height, width = values.shape
    rows, columns = (np.floor((np.arange(n) + 0.5) * 3 / n).astype(int) for n in (height, width))
    held = np.zeros((3, 3))
    np.add.at(held, (rows[:, None], columns[None, :]), values * bright)
    order = np.argsort(-held.ravel(), kind="stable")
    needed = int(np.searchsorted(np.cumsum(held.ravel()[order]), held.sum() * _SHARE)) + 1
    parts = [_PARTS[k] for k in order[:needed]] if needed <= _MOST else [_EVERYWHERE]
    zh, en = zip(*parts, strict=True)
    first, last = en[:-1], en[-1]
    return Where(
        zh="、".join(zh),
        en=f"{', '.join(first)} and {last}" if first else last,
        share=float(bright.mean()),
    )
