"""Any bytes a person may send -> a safe, upright RGB picture, or a HerbError in two languages.

Nothing else in the package opens user bytes. A file is judged by its first bytes, never by its
name, and goes straight to the one Pillow decoder for that format: Pillow's own list of decoders
(Ghostscript and the like) is not consulted and none of its global settings is touched.
"""

import functools
import hashlib
import io
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif import HeifImageFile

from .errors import HerbError
from .photo_errors import refusal
from .photo_header import (
    MAX_BYTES,
    MAX_MEGAPIXELS,
    check_header,
    check_size,
    declared_end,
    kind_of,
)
from .photo_tags import orientation

__all__ = ["MAX_BYTES", "MAX_MEGAPIXELS", "Photo", "PhotoBytes", "open_photo", "read_photo"]

MAX_PROFILE_BYTES = 4 * 1024 * 1024  # printers' CMYK profiles reach 3 MB

# A JPEG that is decoded to so many pixels on its longest side is left at that: the page shows a
# photo at some 700, the network sees 224, and a resize would cost as much as the decoding. At the
# usual limit of 1600 some reduction always fits: 12 megapixels come as 1000 pixels, 8 as 816.
# Against a resize to 1600 no herb out of 190 changes, and its probability by 0.001 on average.
ENOUGH = 800


class _JpegFile(JpegImageFile):
    """Leaves EXIF alone: Pillow would read all of it, warn about it or choke on it, for the dpi."""

    def getexif(self) -> Image.Exif:
        return Image.Exif()


# The class of each format, so that `Image.open` and its bomb warning, which goes by a limit that
# any other user of the process may change, stay out of it. An MPO is a JPEG with more behind it.
_DECODERS = {
    "JPEG": _JpegFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "AVIF": AvifImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "HEIC": HeifImageFile,
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_TURNS[code] for code in (5, 6, 7, 8)}


@dataclass(frozen=True)
class PhotoBytes:
    """The bytes of a photo that nobody has looked at yet, and their sha256 in hex.

    `ms` are the milliseconds that reading them took.
    """

    data: bytes = field(repr=False)
    sha256: str
    ms: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Photo:
    """A photo that is safe to use.

    `image` is upright RGB without metadata, its longest side at most what was asked for; `size` is
    (width, height) of the upright original in pixels; `sha256` is that of the file's bytes, in
    hex; `format` is one of JPEG PNG WebP AVIF GIF BMP TIFF HEIC; `ms` are the milliseconds that
    reading and decoding took.
    """

    image: Image.Image
    size: tuple[int, int]
    sha256: str
    format: str
    ms: float = field(default=0.0, compare=False)


def read_photo(source: str | Path | bytes | BinaryIO) -> PhotoBytes:
    """Read a photo, as `open_photo` does, without opening it: for who may know it by its sha256.

    Raises:
        HerbError: there is no file, it is empty or holds more than 50 MiB.
    """
    started = time.perf_counter()
    data = _read(source)
    sha256 = hashlib.sha256(data).hexdigest()
    return PhotoBytes(data, sha256, (time.perf_counter() - started) * 1000)


def open_photo(source: str | Path | bytes | BinaryIO | PhotoBytes, *, longest: int = 1600) -> Photo:
    """Open a photo from a path, its bytes or a binary stream (read from where it stands).

    A picture larger than `longest` pixels on its longest side is reduced to it, or to less where
    `ENOUGH` is left and that is quicker; of an animation or a multi-page file the first frame
    counts. Raises HerbError for whatever cannot be used: more than 50 MiB or 40 megapixels,
    truncated, damaged, another kind of file, no file at all.
    """
    given = source if isinstance(source, PhotoBytes) else read_photo(source)
    started = time.perf_counter()
    data = given.data
    kind = kind_of(data)
    try:
        check_header(data, kind)
        image = _DECODERS[kind](io.BytesIO(data))
        check_size(image.size)
        picture, size = _upright_rgb(image, kind, longest)
    except HerbError:
        raise
    except MemoryError as error:
        raise refusal("photo-memory") from error
    except Exception as error:  # on hostile bytes the decoders raise nearly everything there is
        hint = "photo-truncated" if _is_cut_short(data, kind, error) else "photo-damaged"
        raise refusal(hint, kind=kind) from error
    ms = given.ms + (time.perf_counter() - started) * 1000
    return Photo(picture, size, given.sha256, kind, ms)


# From source to bytes


def _read(source: str | Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        if memoryview(source).nbytes > MAX_BYTES:
            raise refusal("photo-too-many-bytes", limit=MAX_BYTES >> 20)
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        data = _read_file(source)
    else:
        data = _read_stream(source)
    if not data:
        raise refusal("photo-empty")
    return data


def _read_file(path: str | os.PathLike) -> bytes:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise refusal("photo-folder")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe may wait for ever
            raise refusal("photo-special")
        if status.st_size > MAX_BYTES:
            raise refusal("photo-too-many-bytes", limit=MAX_BYTES >> 20)
        with open(path, "rb") as stream:
            return _read_stream(stream)
    except PermissionError as error:
        raise refusal("photo-permission") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL or half a surrogate in the name
        raise refusal("photo-missing") from error


def _read_stream(stream: BinaryIO) -> bytes:
    """At most MAX_BYTES of `stream`, however little each read gives; a longer one is refused."""
    blocks, left = [], MAX_BYTES + 1
    try:
        while left > 0 and (block := stream.read(left)):
            blocks.append(block)
            left -= len(block)
    except (OSError, ValueError) as error:  # ValueError: the stream is closed
        raise refusal("photo-unreadable") from error
    if left <= 0:
        raise refusal("photo-too-many-bytes", limit=MAX_BYTES >> 20)
    return b"".join(blocks)


# From bytes to upright RGB


def _is_cut_short(data: bytes, kind: str, error: Exception) -> bool:
    """Whether a decoder failed because the end is missing, rather than over something within."""
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return True
    try:
        return declared_end(data, kind) > len(data)
    except Exception:  # the lengths themselves are nonsense
        return False


def _upright_rgb(
    image: Image.Image, kind: str, longest: int
) -> tuple[Image.Image, tuple[int, int]]:
    """Decode the first frame: the picture, and the upright size of the original."""
    size = image.size
    if kind == "JPEG":  # decodes a half, a quarter or an eighth straight from the frequencies
        _draft(image, longest)
    image.load()
    if kind != "JPEG":  # TIFF and HEIC know their size for certain only now
        size = image.size
        check_size(size)
    profile = image.info.get("icc_profile")
    # the decoders of TIFF and HEIC turn by themselves
    turn = None if kind in ("TIFF", "HEIC") else _TURNS.get(orientation(image.info))
    fitted = image.size if max(image.size) <= longest else _fitted(size, longest)
    picture = _srgb(_reduced(_eight_bits(image), fitted), profile)
    picture.info = {}  # neither the place where it was taken nor a second turn travels on
    if turn is not None:
        picture = picture.transpose(turn)
    return picture, (size[::-1] if turn in _SIDEWAYS else size)


def _draft(image: Image.Image, longest: int) -> None:
    """Let the decoder reduce a JPEG as far as `longest` allows, if `ENOUGH` is left."""
    width, height = image.size
    side = max(image.size)
    share = next((share for share in (1, 2, 4) if -(-side // share) <= longest), 8)
    if share > 1 and side / share < min(longest, ENOUGH):  # too small: it is resized afterwards
        share //= 2
    image.draft(None, (max(1, width // share), max(1, height // share)))


def _fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greys to 8 bits, white at the usual white; others as they are."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        bits = (tags.get(258) or (16,))[0]
        grey = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
    else:
        values = np.array(image, dtype=np.float32)  # worked on in place: 160 MB at the limit
        np.nan_to_num(values, copy=False, nan=0, posinf=0, neginf=0)
        top = float(values.max())
        white = next((white for white in (1, 255, 65535) if top <= white), top)
        np.clip(values, 0, white, out=values)
        values *= 255 / white
        grey = values.round().astype(np.uint8)
    if tags.get(262) == 0:  # TIFF: zero is white; Pillow minds it in 8 bits only
        grey = 255 - grey
    return Image.fromarray(grey)


def _reduced(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """L, RGB or CMYK at `size`; what was transparent is white."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    if image.mode == "RGBA":
        white = Image.new("RGB", size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    return image


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB as screens show it: phones write Display P3, cameras Adobe RGB, printers CMYK."""
    if profile and len(profile) <= MAX_PROFILE_BYTES:
        with suppress(Exception):  # a profile that does not fit must not cost the photo
            transform = _to_srgb(profile, image.mode)
            if transform and (converted := ImageCms.applyTransform(image, transform)):
                return converted
    return image.convert("RGB")


@functools.lru_cache(maxsize=4)  # all photos of one phone have the same profile
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What makes sRGB of a picture with that profile; None where it is sRGB already."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if "sRGB" in ImageCms.getProfileDescription(source):
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
