"""Pictures as data: URLs, and maps as numbers: both travel inside the HTML and leave no file.

A map is a few cells of evidence. The browser enlarges and colours them, see maps.js, so an answer
brings all of its maps for some hundred bytes each, and nothing is drawn here that nobody looks at.
"""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from herbdemo.heatmap import colour_table, layer
from herbdemo.ui.text import Text

MAP_SIDE = 224  # the page enlarges maps further; their 7x7 cells hold no finer detail
TABLES = ("ember", "dusk", "grey", "contrast")


def data_url(image: Image.Image, kind: str, **options: object) -> str:
    """`image` as a data: URL, `kind` being "jpeg", "png" or "webp"."""
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def file_url(path: Path, kind: str) -> str:
    """A picture that the program itself wrote, as a data: URL; "" where it is missing."""
    try:
        return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return ""


def map_html(values: np.ndarray, alt: Text, *, table: str = "ember", more: str = "") -> str:
    """A square map (n, n) for the browser to draw, stretched over the box it is given.

    Args:
        values: in 0..1, or in -1..1 for the table "contrast".
        alt: what it is of.
        more: further attributes.
    """
    return (
        f'<herb-map cells="{cells(values, signed=table == "contrast")}" table="{table}" '
        f'role="img" {alt.attribute("aria-label")} {more}></herb-map>'
    )


def cells(values: np.ndarray, *, signed: bool = False) -> str:
    """A map (n, n) in 0..1, or -1..1 when `signed`, as 16-bit numbers row by row, in base64."""
    share = (values + 1) / 2 if signed else values
    words = np.round(np.clip(share, 0, 1) * 65535).astype("<u2")
    return base64.b64encode(words.tobytes()).decode()


def tables() -> dict[str, str]:
    """The colour tables for the browser: 256 times RGBA each, in base64."""
    return {name: base64.b64encode(colour_table(name).tobytes()).decode() for name in TABLES}


def map_url(values: np.ndarray, size: tuple[int, int]) -> str:
    """The colours of a map (h, w) as a data: URL with transparency, for where it is cropped."""
    return data_url(layer(values, size), "webp", quality=82, method=0)


def map_size(photo: tuple[int, int]) -> tuple[int, int]:
    """(width, height) for the maps of a photo of that size, in its proportions."""
    scale = MAP_SIDE / max(photo)
    return max(8, round(photo[0] * scale)), max(8, round(photo[1] * scale))
