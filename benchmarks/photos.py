"""Photos to measure with, made from those in examples/, which anyone may use."""

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"
SOURCES = ("pugongying-dandelion", "unknown-citrus", "unknown-marigold", "yuejihua-rose")
SMALL, SCREEN, PHONE = (300, 225), (1024, 768), (4000, 3000)  # like a data set, the web, a phone
GRAIN = 4  # levels of 255: without a sensor's noise an enlarged photo is quicker to decode


def photo(size: tuple[int, int], number: int = 0) -> bytes:
    """A JPEG of `size`, (width, height): another part of another example for each number."""
    rng = np.random.default_rng(number)
    source = _example(SOURCES[number % len(SOURCES)])
    w, h = (int(side * rng.uniform(0.7, 1)) for side in source.size)
    left, top = (
        int(rng.uniform(0, whole - part)) for whole, part in zip(source.size, (w, h), strict=True)
    )
    part = source.resize(size, Image.Resampling.BICUBIC, (left, top, left + w, top + h))
    pixels = np.asarray(part) + rng.normal(scale=GRAIN, size=(size[1], size[0], 1))
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def renamed(data: bytes, number: int) -> bytes:
    """The same JPEG with a comment of its own: for anything that goes by content, another photo."""
    comment = f"{number}".encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


def pile(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """A folder with so many different photos in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:05d}.jpg").write_bytes(photo(size, number))
    return folder


@cache
def _example(name: str) -> Image.Image:
    return Image.open(EXAMPLES / f"{name}.jpg").convert("RGB")
