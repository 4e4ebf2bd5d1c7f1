"""Small squares of photos on disk, as data: URLs."""

import functools
import html
from pathlib import Path

from PIL import Image

from herbdemo.errors import HerbError
from herbdemo.heatmap import shrunk
from herbdemo.photo import open_photo
from herbdemo.ui.pictures import data_url

SIDE = 96  # CSS pixels; twice that is sent


def thumb(path: Path, *, alt: str = "") -> str:
    """The photo as an <img>; an empty square when it does not open."""
    source = thumb_url(str(path), version(path))
    return (
        f'<img src="{source}" width="{SIDE}" height="{SIDE}" decoding="async" '
        f'alt="{html.escape(alt)}">'
        if source
        else '<span class="no-thumb" aria-hidden="true"></span>'
    )


@functools.lru_cache(maxsize=4000)
def thumb_url(path: str, version: int) -> str:
    """The photo as a square JPEG, some 6 KB; "" when it does not open."""
    try:
        return data_url(
            _square(open_photo(path, longest=4 * SIDE).image, 2 * SIDE), "jpeg", quality=72
        )
    except HerbError:
        return ""


def _square(image: Image.Image, side: int) -> Image.Image:
    """The middle of `image` as a square of that side."""
    image = shrunk(image, side * max(image.size) // min(image.size))
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((left, top, left + edge, top + edge)).resize((side, side))


def version(path: Path) -> int:
    """Changes when the photo does; for `thumb_url`, which remembers."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
