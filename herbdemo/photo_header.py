"""What a photo's bytes say before a decoder sees them: format, size, cost, turn, end.

Decoders allocate, copy and loop before they can be asked anything. One megabyte of EXIF whose
tags all point to the same place costs gigabytes, 50 MB of GIF comment or of empty JPEG scans cost
hours. `check_header` refuses those; it reads headers only and takes milliseconds.
"""

import re
import struct
from itertools import islice

from .photo_errors import refusal
from .photo_tags import (
    STRIP_BYTES,
    STRIPS,
    TIFF_MAGIC,
    TILE_BYTES,
    TILES,
    claimed_bytes,
    directory,
)

MAX_MEGAPIXELS = 40
MAX_BYTES = 50 * 1024 * 1024
MAX_SCANS = 64  # of a JPEG: cameras write 1 to 12, a hostile one 64 bytes and 45 ms each
MAX_SEGMENTS = 1000  # of a JPEG before its pixels: 64 MB if they are full
MAX_CHUNKS = 50_000  # of a PNG: 50 MB in pieces of 1 kB
MAX_BLOCKS = 4096  # of a GIF before its pixels: 1 MB of comment
MAX_STRIPS = 200_000  # of a TIFF
MAX_JUNK = 65_536  # bytes between the segments of a JPEG, skipped one by one

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
# What people send by mistake, to name it in the refusal.
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


def kind_of(data: bytes) -> str:
    """The format by content: JPEG PNG WebP AVIF GIF BMP TIFF HEIC; HerbError for all others."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            if kind == "TIFF" and data[8:10] == b"CR":
                raise refusal("photo-unsupported", kind="RAW")
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        raise refusal("photo-unsupported", kind="AVI")
    if data[4:8] == b"ftyp":
        return _kind_of_boxes(data)
    for magic, foreign in _FOREIGN.items():
        if data.startswith(magic):
            raise refusal("photo-unsupported", kind=foreign)
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<"):
        if b"<svg" in text:
            raise refusal("photo-unsupported", kind="SVG")
        if b"<html" in text or b"<!doctype html" in text:
            raise refusal("photo-unsupported", kind="HTML")
    raise refusal("photo-not-an-image")


def _kind_of_boxes(data: bytes) -> str:
    """HEIC and AVIF share their container with films; the brands in the first box tell."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    major, others = data[8:12], {data[i : i + 4] for i in range(16, end, 4)}
    if major in _HEIC_BRANDS:
        return "HEIC"
    if {b"avif", b"avis"} & {major, *others}:
        return "AVIF"
    if major in (b"mif1", b"msf1") or _HEIC_BRANDS & others:
        return "HEIC"
    raise refusal("photo-unsupported", kind="RAW" if major == b"crx " else "MP4")


# Size and cost


def check_size(size: tuple[int, int]) -> None:
    """Refuse more than MAX_MEGAPIXELS; `size` is (width, height)."""
    if size[0] * size[1] > MAX_MEGAPIXELS * 1_000_000:
        raise refusal("photo-too-many-pixels", limit=MAX_MEGAPIXELS)


def check_header(data: bytes, kind: str) -> None:
    """Refuse what a decoder would swallow, or warn about, before it tells the size."""
    if kind == "JPEG":
        _check_jpeg(data)
    elif kind == "PNG":
        _check_png(data)
    elif kind == "GIF":
        check_size(_gif_size(data))
    elif kind == "WebP":
        check_size(_webp_size(data))
    elif kind == "TIFF":
        _check_tiff(data)
    elif kind == "AVIF":
        _check_avif(data)


_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # neither a stuffed zero nor a restart


def _check_jpeg(data: bytes) -> None:
    segments = scans = junk = 0
    position = 2
    while match := _MARKER.search(data, position):
        marker = match[1]
        segments += 1
        junk += match.start() - position if scans == 0 else 0
        position = match.end()
        if marker == b"\xd9" and scans:
            break
        if marker == b"\xda":
            scans += 1
            if data.count(b"\xff\xda", position) < MAX_SCANS:  # quick, and nearly always so
                break
        if max(segments - MAX_SEGMENTS, scans - MAX_SCANS, junk - MAX_JUNK) > 0:
            raise refusal("photo-damaged", kind="JPEG")
        if marker not in b"\x01\xd8\xd9":
            position += int.from_bytes(data[position : position + 2], "big")


def _check_avif(data: bytes) -> None:
    starts = [found.start() for found in islice(TIFF_MAGIC.finditer(data), 17)]
    if len(starts) > 16:  # one EXIF is usual; chance makes another in one of a thousand files
        raise refusal("photo-damaged", kind="AVIF")
    for start in starts:
        _check_tags(data[start:], "AVIF")


def _check_tags(data: bytes, kind: str) -> None:
    """Refuse tags which share their bytes to claim more than any file has: each gets a copy."""
    if claimed_bytes(data) > MAX_BYTES:
        raise refusal("photo-damaged", kind=kind)


def _check_tiff(data: bytes) -> None:
    _check_tags(data, "TIFF")
    tags = {entry.tag: entry for entry in directory(data)}
    number = {tag: tags[tag].integers(data)[0] for tag in (254, 256, 257, 322, 323) if tag in tags}
    thumbnail = number.get(254, 0) & 1 and 330 in tags  # the picture lies deeper: NEF and ARW
    if 50706 in tags or thumbnail:  # 50706: DNG
        raise refusal("photo-unsupported", kind="RAW")
    check_size((number.get(256, 0), number.get(257, 0)))
    check_size((number.get(322, 0), number.get(323, 0)))  # a tile is decoded whole
    if any(tag in tags and tags[tag].count > MAX_STRIPS for tag in (STRIPS, TILES)):
        raise refusal("photo-damaged", kind="TIFF")


def _check_png(data: bytes) -> None:
    chunks, position = 0, 8
    while position < len(data):
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise refusal("photo-damaged", kind="PNG")
        position += 12 + int.from_bytes(data[position : position + 4], "big")


def _gif_size(data: bytes) -> tuple[int, int]:
    """Width and height of the screen and the first frame together."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    blocks = 0
    while data[position] == 0x21:  # an extension: its label, then blocks up to an empty one
        position += 2
        while length := data[position]:
            position += length + 1
            blocks += 1
            if blocks > MAX_BLOCKS:
                raise refusal("photo-damaged", kind="GIF")
        position += 1
    if data[position] == 0x2C:
        left, top, right, bottom = struct.unpack_from("<HHHH", data, position + 1)
        width, height = max(width, left + right), max(height, top + bottom)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header has them; the decoder refuses a header that lies."""
    chunk, body = data[12:16], data[20:30]
    if chunk == b"VP8X":
        width, height = body[4:7], body[7:10]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = body[6:8], body[8:10]
    return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF


# The end


def declared_end(data: bytes, kind: str) -> int:
    """Where the file ends by its own account; one byte too far where its end mark is missing."""
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
        return _tiff_end(data)
    position = 0  # AVIF and HEIC: a row of boxes, each with its length in front
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        if length == 0:  # the last box, up to the end of the file
            return len(data)
        position += max(length, 8)
    return position


def _tiff_end(data: bytes) -> int:
    """Where the last strip or tile of pixels ends."""
    tags = {entry.tag: entry for entry in directory(data)}
    starts, sizes = (TILES, TILE_BYTES) if TILES in tags else (STRIPS, STRIP_BYTES)
    ends = zip(tags[starts].integers(data), tags[sizes].integers(data), strict=False)
    return max(start + size for start, size in ends)
