"""Pictures as data: URLs, which travel inside the HTML and leave no file behind."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from herbdemo.heatmap import layer

MAP_SIDE = 224  # the page enlarges maps further; their 7x7 cells hold no finer detail


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


def map_url(values: np.ndarray, size: tuple[int, int], colormap: str = "ember") -> str:
    """The colours of a map as a data: URL with transparency."""
    return data_url(layer(values, size, colormap=colormap), "webp", quality=82, method=0)


def map_size(photo: tuple[int, int]) -> tuple[int, int]:
    """(width, height) for the maps of a photo of that size, in its proportions."""
    scale = MAP_SIDE / max(photo)
    return max(8, round(photo[0] * scale)), max(8, round(photo[1] * scale))
