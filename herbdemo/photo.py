"""Any bytes a person may send -> a safe, upright RGB picture, or a HerbError in two languages.

Nothing else in the package opens user bytes. A file is judged by its first bytes, never by its
name, and goes straight to the one Pillow decoder for that format: Pillow's own list of decoders
(Ghostscript and the like) is not consulted and none of its global settings is touched.
"""

import hashlib
import io
import os
import re
import stat
from dataclasses import dataclass
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

MAX_MEGAPIXELS = 40
MAX_BYTES = 50 * 1024 * 1024
MAX_PROFILE_BYTES = 4 * 1024 * 1024  # printers' CMYK profiles reach 3 MB
MAX_SCANS = 100  # cameras write 1 to 20; each scan of a hostile JPEG costs a pass over all pixels

# The class of each format, so that `Image.open` and its bomb warning, which goes by a limit that
# any other user of the process may change, stay out of it. An MPO is a JPEG with more behind it.
_DECODERS = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "AVIF": AvifImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "HEIC": HeifImageFile,
}
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# What people send by mistake, named in the refusal. Only formats with an unmistakable start.
_FOREIGN = {
    b"8BPS": "PSD",
    b"%PDF": "PDF",
    b"%!PS": "EPS",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"gimp xcf": "XCF",
    b"FUJIFILMCCD-RAW": "RAW",
    b"IIRO": "RAW",
    b"IIRS": "RAW",
    b"MMOR": "RAW",
    b"IIU\0": "RAW",
    b"FOVb": "RAW",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"II\xbc": "JPEG XR",
    b"\0\0\1\0": "ICO",
    b"icns": "ICNS",
    b"DDS ": "DDS",
    b"v/1\x01": "EXR",
    b"#?RADIANCE": "HDR",
    b"qoif": "QOI",
    b"AT&TFORM": "DjVu",
    b"P5\n": "PGM",
    b"P6\n": "PPM",
    b"PK\3\4": "ZIP",
    b"Rar!": "RAR",
    b"7z\xbc\xaf": "7z",
    b"\x1f\x8b": "GZIP",
    b"\x1a\x45\xdf\xa3": "WebM",
}

_SENTENCES = {
    "photo-missing": (
        "找不到这张照片。请确认文件还在原处，然后重新选择。",
        "The photo was not found. Check that the file is still there and choose it again.",
    ),
    "photo-folder": (
        "这是一个文件夹，不是照片。请选择里面的一张照片。",
        "This is a folder, not a photo. Choose one of the photos in it.",
    ),
    "photo-special": (
        "这不是普通文件，而是设备或管道。请选择一个照片文件。",
        "This is a device or a pipe, not an ordinary file. Choose a photo file.",
    ),
    "photo-permission": (
        "没有读取这张照片的权限。请修改文件权限，或把它复制到别处再试。",
        "There is no permission to read this photo. Change the file's permissions or copy it.",
    ),
    "photo-unreadable": (
        "读取照片时中断了。请检查磁盘或网络，然后再试一次。",
        "Reading the photo was interrupted. Check the disk or the network and try again.",
    ),
    "photo-empty": (
        "这个文件是空的，里面没有内容。请重新拍摄或重新传送这张照片。",
        "The file is empty. Take the photo again or transfer it again.",
    ),
    "photo-too-many-bytes": (
        "照片文件超过 {limit} MB 的上限。请缩小照片，或用较低的质量另存后再试。",
        "The photo file exceeds the limit of {limit} MB. Shrink it, or save it at a lower quality.",
    ),
    "photo-too-many-pixels": (
        "照片有 {width} × {height} 像素，超过 {limit}00 万像素的上限。请缩小后再试。",
        "The photo has {width} × {height} pixels, more than the limit of {limit} megapixels. "
        "Make it smaller and try again.",
    ),
    "photo-zero-size": (
        "照片的宽或高是 0，里面没有画面。请重新拍摄，或从原处重新导出。",
        "The photo is 0 pixels wide or high. Take it again or export it again from its source.",
    ),
    "photo-not-an-image": (
        "这个文件不是图片。请选择一张 JPEG、PNG、WebP 或 HEIC 照片。",
        "This file is not a picture. Choose a JPEG, PNG, WebP or HEIC photo.",
    ),
    "photo-unsupported": (
        "这是 {kind} 文件，这里不能识别。请把它另存为 JPEG 或 PNG，或另选一张照片。",
        "This is a {kind} file, which cannot be read here. Save it as JPEG or PNG, "
        "or choose another photo.",
    ),
    "photo-truncated": (
        "这张 {kind} 照片不完整，后半部分缺失。请重新下载或重新传送。",
        "This {kind} photo is incomplete: its end is missing. Download or transfer it again.",
    ),
    "photo-damaged": (
        "这张 {kind} 照片已损坏，或用了少见的编码，无法解码。"
        "请用看图软件打开它，另存为 JPEG 后再试。",
        "This {kind} photo is damaged or uses a rare encoding and cannot be decoded. "
        "Open it in another program and save it as JPEG.",
    ),
    "photo-memory": (
        "内存不足，无法打开这张照片。请缩小照片，或稍后再试。",
        "There is not enough memory to open this photo. Make it smaller or try again later.",
    ),
}

_ORIENTATION = 274  # the EXIF and TIFF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Photo:
    """A photo that is safe to use.

    `image` is upright RGB without metadata, its longest side at most what was asked for; `size` is
    (width, height) of the upright original in pixels; `sha256` is that of the file's bytes, in
    hex; `format` is one of JPEG PNG WebP AVIF GIF BMP TIFF HEIC.
    """

    image: Image.Image
    size: tuple[int, int]
    sha256: str
    format: str


def open_photo(source: str | Path | bytes | BinaryIO, *, longest: int = 1600) -> Photo:
    """Open a photo from a path, its bytes or a binary stream (read from where it stands).

    A picture larger than `longest` pixels on its longest side is reduced to it; of an animation
    or a multi-page file the first frame counts. Raises HerbError for whatever cannot be used:
    more than 50 MiB or 40 megapixels, truncated, damaged, another kind of file, no file at all.
    """
    data = _read(source)
    kind = _kind(data)
    image = None
    try:
        if kind == "WebP":  # its decoder allocates two canvases before it tells their size
            _check_size(_webp_size(data))
        elif kind == "JPEG" and _has_too_many_scans(data):
            raise _refusal("photo-damaged", kind=kind)
        image = _DECODERS[kind](io.BytesIO(data))
        _check_size(image.size)
        if kind == "TIFF":
            _check_tiff(image)
        picture, size = _upright_rgb(image, kind, longest)
    except HerbError:
        raise
    except MemoryError as error:
        raise _refusal("photo-memory") from error
    except Exception as error:  # on hostile bytes the decoders raise nearly everything there is
        hint = "photo-truncated" if _is_cut_short(data, kind, image, error) else "photo-damaged"
        raise _refusal(hint, kind=kind) from error
    return Photo(picture, size, hashlib.sha256(data).hexdigest(), kind)


def _refusal(hint: str, **facts: object) -> HerbError:
    zh, en = _SENTENCES[hint]
    return HerbError(zh.format(**facts), en.format(**facts), hint=hint)


# ---------------------------------------------------------------------------- from source to bytes


def _read(source: str | Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        if memoryview(source).nbytes > MAX_BYTES:
            raise _refusal("photo-too-many-bytes", limit=MAX_BYTES >> 20)
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        data = _read_file(source)
    else:
        data = _read_stream(source)
    if not data:
        raise _refusal("photo-empty")
    return data


def _read_file(path: str | os.PathLike) -> bytes:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise _refusal("photo-folder")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe may wait for ever
            raise _refusal("photo-special")
        if status.st_size > MAX_BYTES:
            raise _refusal("photo-too-many-bytes", limit=MAX_BYTES >> 20)
        with open(path, "rb") as stream:
            return _read_stream(stream)
    except PermissionError as error:
        raise _refusal("photo-permission") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL or half a surrogate in the name
        raise _refusal("photo-missing") from error


def _read_stream(stream: BinaryIO) -> bytes:
    """At most MAX_BYTES of `stream`, however little each read gives; a longer one is refused."""
    blocks, left = [], MAX_BYTES + 1
    try:
        while left > 0 and (block := stream.read(left)):
            blocks.append(block)
            left -= len(block)
    except (OSError, ValueError) as error:  # ValueError: the stream is closed
        raise _refusal("photo-unreadable") from error
    if left <= 0:
        raise _refusal("photo-too-many-bytes", limit=MAX_BYTES >> 20)
    return b"".join(blocks)


# ------------------------------------------------------------------- from bytes to kind and limits


def _kind(data: bytes) -> str:
    """The format of `data` by its content; HerbError for anything that is not on the list."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            if data[8:10] == b"CR" and kind == "TIFF":
                raise _refusal("photo-unsupported", kind="RAW")
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        raise _refusal("photo-unsupported", kind="AVI")
    if data[4:8] == b"ftyp":
        return _box_kind(data)
    for magic, foreign in _FOREIGN.items():
        if data.startswith(magic):
            raise _refusal("photo-unsupported", kind=foreign)
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<"):
        if b"<svg" in text:
            raise _refusal("photo-unsupported", kind="SVG")
        if b"<html" in text or b"<!doctype html" in text:
            raise _refusal("photo-unsupported", kind="HTML")
    raise _refusal("photo-not-an-image")


def _box_kind(data: bytes) -> str:
    """HEIC and AVIF share their container with films; the brands in the first box tell."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    major, others = data[8:12], {data[i : i + 4] for i in range(16, end, 4)}
    if major in _HEIC_BRANDS:
        return "HEIC"
    if {b"avif", b"avis"} & {major, *others}:
        return "AVIF"
    if major in (b"mif1", b"msf1") or _HEIC_BRANDS & others:
        return "HEIC"
    raise _refusal("photo-unsupported", kind="RAW" if major == b"crx " else "MP4")


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width <= 0 or height <= 0:
        raise _refusal("photo-zero-size")
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise _refusal("photo-too-many-pixels", width=width, height=height, limit=MAX_MEGAPIXELS)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the header; a header that lies is refused by the decoder."""
    chunk, body = data[12:16], data[20:30]
    if chunk == b"VP8X":
        width, height = body[4:7], body[7:10]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = body[6:8], body[8:10]
    return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF


_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # neither a stuffed zero nor a restart


def _has_too_many_scans(data: bytes) -> bool:
    """Whether a JPEG would keep the decoder busy for minutes (a progressive one needs a few)."""
    if data.count(b"\xff\xda") <= MAX_SCANS:  # quick, and nearly always enough
        return False
    scans, position = 0, 2
    while scans <= MAX_SCANS and (match := _MARKER.search(data, position)):
        marker, position = match[1], match.end()
        if marker == b"\xd9":
            break
        scans += marker == b"\xda"
        if marker not in b"\x01\xd8":
            position += int.from_bytes(data[position : position + 2], "big")
    return scans > MAX_SCANS


def _check_tiff(image: TiffImageFile) -> None:
    tags = image.tag_v2
    if 50706 in tags or int(tags.get(254, 0)) & 1:  # DNG, or a thumbnail first, as in NEF and ARW
        raise _refusal("photo-unsupported", kind="RAW")
    if 322 in tags and 323 in tags:  # a tile is decoded whole, however small the picture
        _check_size((int(tags[322]), int(tags[323])))


def _is_cut_short(data: bytes, kind: str, image: Image.Image | None, error: Exception) -> bool:
    """Whether a decoder failed because the end is missing, rather than something within."""
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return True
    try:
        return _declared_end(data, kind, image) > len(data)
    except Exception:  # lengths that are not numbers: damaged
        return False


def _declared_end(data: bytes, kind: str, image: Image.Image | None) -> int:
    """Where a file ends by its own account; one byte too far when its end mark is missing."""
    beyond = len(data) + 1
    if kind == "JPEG":
        return 0 if b"\xff\xd9" in data[-65536:] else beyond
    if kind == "PNG":
        return 0 if b"IEND" in data else beyond
    if kind == "GIF":
        return 0 if data.rstrip(b"\0").endswith(b";") else beyond
    if kind == "WebP":
        return int.from_bytes(data[4:8], "little") + 8
    if kind == "BMP":
        return int.from_bytes(data[2:6], "little")
    if kind == "TIFF":
        return _tiff_end(data, image)
    position = 0  # AVIF and HEIC: a row of boxes, each with its length in front
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        if length == 0:  # the last box, to the end of the file
            return len(data)
        position += max(length, 8)
    return position


def _tiff_end(data: bytes, image: Image.Image | None) -> int:
    """Where the pixels of a TIFF end by its own account; without tags, where the tags begin."""
    if image is None:
        order = "little" if data[:2] == b"II" else "big"
        return int.from_bytes(data[4:8], order) + 2
    tags = image.tag_v2
    offsets, counts = (tags.get(273) or tags.get(324)), (tags.get(279) or tags.get(325))
    return max((sum(pair) for pair in zip(offsets or (), counts or (), strict=False)), default=0)


# ------------------------------------------------------------------- from decoder to upright RGB


def _upright_rgb(
    image: Image.Image, kind: str, longest: int
) -> tuple[Image.Image, tuple[int, int]]:
    """Decode the first frame: the picture, and the upright size of the original."""
    size = image.size
    if kind == "JPEG":  # decodes a half, a quarter or an eighth straight from the frequencies
        image.draft(None, _fitted(size, longest))
    image.load()
    if kind != "JPEG":  # TIFF and HEIC know their size for certain only now
        size = image.size
        _check_size(size)
    profile = image.info.get("icc_profile")
    turn = None if kind in ("TIFF", "HEIC") else _turn(image)  # those two turn by themselves
    picture = _srgb(_reduced(_eight_bits(image), _fitted(size, longest)), profile)
    picture.info = {}  # neither the place where it was taken nor a second turn travels on
    if turn is not None:
        picture = picture.transpose(turn)
    return picture, (size[::-1] if turn in _SIDEWAYS else size)


_SIDEWAYS = {_UPRIGHT[code] for code in (5, 6, 7, 8)}


def _fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION))
    except Exception:  # a good picture with spoilt EXIF is still a good picture
        return None


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greys to 8 bits, white at the usual white; others as they are."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        bits = (tags.get(258) or (16,))[0]
        grey = (values >> (bits - 8)).astype(np.uint8)
    else:
        values = np.nan_to_num(values.astype(np.float32), nan=0, posinf=0, neginf=0)
        top = float(values.max())
        white = next((white for white in (1, 255, 65535) if top <= white), top)
        grey = (values.clip(0, white) * (255 / white)).astype(np.uint8)
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
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                target = ImageCms.createProfile("sRGB")
                return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except Exception:  # a profile that does not fit must not cost the photo
            pass
    return image.convert("RGB")
