"""Good photos of every format and bad ones of every kind, made by code.

`HOSTILE` is the table: what it is, how to make it, and the hint of the refusal it must get.
"""

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pillow_heif
from PIL import Image, TiffImagePlugin

FORMATS = ("JPEG", "PNG", "WebP", "AVIF", "GIF", "BMP", "TIFF", "HEIC")
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 160, 40), (40, 60, 210), (230, 210, 40)


def corners(width: int = 96, height: int = 64) -> Image.Image:
    """Four coloured quarters: red and green above, blue and yellow below."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def noise(width: int = 96, height: int = 64) -> Image.Image:
    """A picture that no format can make small, so that half of its file is half of its pixels."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encode(image: Image.Image, kind: str, **options) -> bytes:
    """`image` as a file of one of FORMATS; `options` go to Pillow."""
    stream = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(stream, **({"quality": 95} | options))
    else:
        if kind in ("JPEG", "WebP", "AVIF"):
            options = {"quality": 95} | options
        image.save(stream, format=kind.upper(), **options)
    return stream.getvalue()


# Pieces of files


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes, rows: bytes = b"") -> bytes:
    """A PNG of 8-bit grey with `chunks` before its pixels and `rows` as what is deflated."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def zeros(length: int) -> bytes:
    """A zlib stream of so many zeros, made from a packed megabyte without packing them all."""

    def packed(size: int) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)

    megabytes, rest = divmod(length, 1 << 20)
    checksum = struct.pack(">HH", length % 65521, 1)
    return b"\x78\xda" + packed(1 << 20) * megabytes + packed(rest) + b"\3\0" + checksum


def bomb_png(side: int = 13000) -> bytes:
    """A whole, valid PNG of side x side pixels in a small file: 169 megapixels by default."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zeros(side * (side + 1)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def png_text(name: bytes) -> bytes:
    """A PNG whose text or profile inflates to 5 MB."""
    packed = zlib.compress(bytes(5_000_000), 9)
    body = {
        b"zTXt": b"Comment\0\0" + packed,
        b"iTXt": b"Comment\0\1\0\0\0" + packed,
        b"iCCP": b"profile\0\0" + packed,
    }[name]
    return png(2, 2, chunk(name, body), rows=bytes(6))


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    data = bytearray(encode(corners(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_scans(scans: int) -> bytes:
    """A progressive JPEG which repeats its first scan."""
    data = encode(corners(), "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff\xda", start + 2)
    tables = data.rfind(b"\xff\xc4", start, end)  # the next scan brings its tables first
    scan = data[start : tables if tables > 0 else end]
    return data[:start] + scan * scans + data[start:]


def gif_of(width: int, height: int, *, frame: tuple[int, int] = (2, 2)) -> bytes:
    """A GIF whose screen and whose frame have the sizes given."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    picture = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x84\x51\x00"
    return screen + picture + b";"


def bmp_of(width: int, height: int, *, bits: int = 24, compression: int = 0) -> bytes:
    header = struct.pack("<IiiHHIIIIII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 48, 0, 0, 54) + header + bytes(48)


def webp_of(width: int, height: int, *, lossless: bool = False) -> bytes:
    """The header of a WebP of that size, in the extended or in the lossless form."""
    if lossless:
        bits = (width - 1) | (height - 1) << 14
        body = b"VP8L" + struct.pack("<IBI", 32, 0x2F, bits) + bytes(27)
    else:
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = b"VP8X" + struct.pack("<II", 10, 0x10) + size
        body += encode(corners(), "WebP")[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff(tags: Iterable[tuple[int, int, int]], *, body: bytes = bytes(64)) -> bytes:
    """A TIFF with the (tag, type, value) given; `body` lies at offset 8."""
    entries = sorted(tags)
    directory = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack("<HHII", tag, kind, 1, value)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory + bytes(4)


def tiff_of(width: int, height: int, **changes: int) -> bytes:
    """A grey TIFF of that size; `changes` as t254=1 set or replace tags."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: 64}
    tags |= {int(name[1:]): value for name, value in changes.items()}
    return tiff((tag, 4, value) for tag, value in tags.items())


def webp_pixels() -> bytes:
    """A WebP whose first partition claims to be longer than the picture."""
    data = bytearray(encode(noise(), "WebP"))
    at = data.index(b"VP8 ") + 8
    data[at : at + 3] = b"\xf0\xff\xff"
    return bytes(data)


def tiff_strips(strips: int) -> bytes:
    """A TIFF of 8 x 8 pixels with more strips than rows."""
    tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 277: 1, 278: 1, 279: 1}
    entries = [(tag, 4, 1, value) for tag, value in tags.items()] + [(273, 4, strips, 8)]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    body = bytes(4 * strips)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory + bytes(4)


def box_of(kind: str, width: int, height: int) -> bytes:
    """An AVIF or HEIC whose header claims another size."""
    data = encode(corners(), kind)
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def spoilt(kind: str, *, start: float = 0.5, size: int = 400) -> bytes:
    """A photo of noise whose coded pixels are overwritten; nothing is missing."""
    data = bytearray(encode(noise(), kind))
    at = int(len(data) * start)
    data[at : at + size] = b"\x55" * len(data[at : at + size])
    return bytes(data)


def cut(kind: str, part: float) -> bytes:
    """The first `part` of a photo's file."""
    data = encode(noise(), kind)
    return data[: int(len(data) * part)]


def after(data: bytes, mark: bytes, value: bytes) -> bytes:
    """`data` with what follows `mark` replaced by `value`."""
    at = data.index(mark) + len(mark)
    return data[:at] + value + data[at + len(value) :]


def float_rgb_tiff() -> bytes:
    stream = io.BytesIO()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[339] = (3, 3, 3)  # three floats a pixel, which Pillow does not read
    corners().save(stream, format="TIFF", tiffinfo=tags)
    return stream.getvalue()


def exif_bomb(tags: int = 500, size: int = 1 << 20) -> bytes:
    """EXIF of `size` bytes which as many `tags` all point to: a decoder that trusts it copies."""
    directory = struct.pack("<H", tags)
    for tag in range(tags):
        directory += struct.pack("<HHII", 50000 + tag, 7, size, 8)
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + directory + bytes(4)


def tiff_bomb() -> bytes:
    """The same as a photo: the first directory brings a grey picture of 8 x 8 pixels, too."""
    picture = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64}
    entries = [(tag, 4, 1, value) for tag, value in picture.items()]
    entries += [(50000 + tag, 7, 1 << 20, 8) for tag in range(500)]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8 + (1 << 20)) + bytes(1 << 20) + directory + bytes(4)


def jpeg_exif_bomb() -> bytes:
    """The EXIF bomb in seventeen segments, which a decoder joins."""
    data, exif = encode(corners(), "JPEG"), exif_bomb()
    for start in range(0, len(exif), 65_000)[::-1]:
        part = b"Exif\0\0" + exif[start : start + 65_000]
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + data[2:]
    return data.replace(b"JFIF", b"XXXX", 1)  # without JFIF it asks EXIF for the resolution


def gif_comment(blocks: int) -> bytes:
    """A GIF with a comment of one-byte blocks, which a decoder joins one by one."""
    data = gif_of(2, 2)
    at = data.index(b",")
    return data[:at] + b"!\xfe" + b"\1x" * blocks + b"\0" + data[at:]


def jpeg_segments(segments: int, *, filler: bytes = b"\xff\xfe\0\3x") -> bytes:
    data = encode(corners(), "JPEG")
    return data[:20] + filler * segments + data[20:]  # after JFIF


def png_chunks(chunks: int) -> bytes:
    return png(2, 2, *[chunk(b"aaAa", b"")] * chunks, rows=bytes(6))


# Sources that are more than bytes


class Endless(io.RawIOBase):
    """A stream that never ends, and counts what was taken from it."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "an unbounded read of a stream that never ends"
        size = min(size, 1 << 20)
        self.taken += size
        return bytes(size)


class Interrupted(io.BytesIO):
    """A stream whose disk fails after the first bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error", "/srv/uploads/secret.jpg")
        return super().read(100)


def closed() -> io.BytesIO:
    stream = io.BytesIO(b"\xff\xd8\xff")
    stream.close()
    return stream


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.jpg")
    return folder / "pipe.jpg"


def written(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def sparse(folder: Path, size: int) -> Path:
    """A file that claims `size` bytes and takes none."""
    path = written(folder, "large.jpg", encode(corners(), "JPEG"))
    os.truncate(path, size)
    return path


class Case(NamedTuple):
    """One hostile source: its name, its maker (given an empty folder) and the refusal's hint."""

    name: str
    make: Callable[[Path], object]
    hint: str


def _of_bytes(name: str, make: Callable[[], bytes], hint: str) -> Case:
    return Case(name, lambda _: make(), hint)


def _starting(name: str, start: bytes, hint: str = "photo-unsupported") -> Case:
    return Case(name, lambda _: start + bytes(range(256)) * 4, hint)


HOSTILE = (
    # No photo at all
    Case("missing", lambda folder: folder / "gone.jpg", "photo-missing"),
    Case("missing-below-a-file", lambda f: written(f, "a", b"x") / "b.jpg", "photo-missing"),
    Case("name-with-nul", lambda folder: str(folder / "a\0b.jpg"), "photo-missing"),
    Case("name-with-surrogate", lambda folder: str(folder / "\ud800.jpg"), "photo-missing"),
    Case("name-too-long", lambda folder: folder / ("x" * 300 + ".jpg"), "photo-missing"),
    Case("name-empty", lambda folder: "", "photo-missing"),
    Case("name-a-url", lambda folder: "https://example.org/a.jpg", "photo-missing"),
    Case("folder", lambda folder: folder, "photo-folder"),
    Case("pipe", pipe, "photo-special"),
    Case("device", lambda folder: "/dev/zero", "photo-special"),
    Case("stream-interrupted", lambda _: Interrupted(encode(noise(), "PNG")), "photo-unreadable"),
    Case("stream-closed", lambda _: closed(), "photo-unreadable"),
    # Too little, too much
    Case("empty-bytes", lambda _: b"", "photo-empty"),
    Case("empty-file", lambda folder: written(folder, "empty.jpg", b""), "photo-empty"),
    Case("empty-stream", lambda _: io.BytesIO(), "photo-empty"),
    Case("too-many-bytes-file", lambda f: sparse(f, (50 << 20) + 1), "photo-too-many-bytes"),
    Case("too-many-bytes-memory", lambda _: bytes((50 << 20) + 1), "photo-too-many-bytes"),
    Case("too-many-bytes-stream", lambda _: Endless(), "photo-too-many-bytes"),
    # Something else
    Case("zeros", lambda _: bytes(4096), "photo-not-an-image"),
    Case("one-byte", lambda _: b"\xff", "photo-not-an-image"),
    Case("random", lambda _: np.random.default_rng(1).bytes(4096), "photo-not-an-image"),
    Case("text", lambda _: "这不是照片。\n".encode(), "photo-not-an-image"),
    Case("json", lambda _: b'{"error": "not found"}', "photo-not-an-image"),
    Case("xml", lambda _: b'<?xml version="1.0"?><note/>', "photo-not-an-image"),
    Case("program", lambda _: b"\x7fELF" + bytes(60), "photo-not-an-image"),
    Case("web-page", lambda _: b"\n<!DOCTYPE html><html>404</html>", "photo-unsupported"),
    Case("svg", lambda _: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "photo-unsupported"),
    Case("svg-with-prologue", lambda _: b"\xef\xbb\xbf<?xml ?><!-- --><svg/>", "photo-unsupported"),
    Case("pdf-named-jpg", lambda f: written(f, "a.jpg", b"%PDF-1.7\n"), "photo-unsupported"),
    _starting("psd", b"8BPS\0\1"),
    _starting("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n"),
    _starting("eps-binary", b"\xc5\xd0\xd3\xc6"),
    _starting("raw-canon-old", b"II*\0\x10\0\0\0CR\2\0"),
    _starting("raw-canon-new", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"),
    _starting("raw-fuji", b"FUJIFILMCCD-RAW 0201"),
    _of_bytes("raw-dng", lambda: tiff_of(8, 8, t50706=0x01040000), "photo-unsupported"),
    _of_bytes("raw-thumbnail-first", lambda: tiff_of(8, 8, t254=1, t330=8), "photo-unsupported"),
    _starting("jpeg-2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
    _starting("jpeg-xl", b"\0\0\0\x0cJXL \r\n\x87\n"),
    _starting("icon", b"\0\0\1\0\1\0"),
    _starting("film-mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"),
    _starting("film-avi", b"RIFF\0\1\0\0AVI LIST"),
    _starting("film-webm", b"\x1a\x45\xdf\xa3"),
    _starting("zip", b"PK\3\4"),
    _starting("portable-pixmap", b"P6\n9 9\n255\n"),
    # Cut short
    *(_of_bytes(f"half-{k}", lambda k=k: cut(k, 0.5), "photo-truncated") for k in FORMATS),
    *(_of_bytes(f"nearly-all-{k}", lambda k=k: cut(k, 0.97), "photo-truncated") for k in FORMATS),
    *(
        _of_bytes(f"start-{k}", lambda k=k: encode(noise(), k)[:24], "photo-truncated")
        for k in FORMATS
    ),
    # Damaged within
    _of_bytes("png-checksum", lambda: after(png(2, 2), b"IHDR", b"\0\0\0\3"), "photo-damaged"),
    _of_bytes("png-pixels", lambda: spoilt("PNG"), "photo-damaged"),
    _of_bytes("png-no-pixels", lambda: png(9, 9).replace(b"IDAT", b"IDOT"), "photo-damaged"),
    _of_bytes("png-text-bomb", lambda: png_text(b"zTXt"), "photo-damaged"),
    _of_bytes("png-unicode-text-bomb", lambda: png_text(b"iTXt"), "photo-damaged"),
    _of_bytes("png-profile-bomb", lambda: png_text(b"iCCP"), "photo-damaged"),
    _of_bytes(
        "jpeg-no-frame",
        lambda: encode(corners(), "JPEG").replace(b"\xff\xc0", b"\xff\xee"),
        "photo-damaged",
    ),
    _of_bytes("jpeg-scan-bomb", lambda: jpeg_scans(5000), "photo-damaged"),
    _of_bytes("jpeg-segment-bomb", lambda: jpeg_segments(100_000), "photo-damaged"),
    _of_bytes("jpeg-end-first", lambda: jpeg_segments(5000, filler=b"\xff\xd9"), "photo-damaged"),
    _of_bytes("jpeg-junk-bomb", lambda: jpeg_segments(100_000, filler=b"\0"), "photo-damaged"),
    _of_bytes(
        "avif-exif-bomb", lambda: encode(corners(), "AVIF", exif=exif_bomb()), "photo-damaged"
    ),
    _of_bytes("tiff-tag-bomb", tiff_bomb, "photo-damaged"),
    _of_bytes("tiff-strip-bomb", lambda: tiff_strips(400_000), "photo-damaged"),
    _of_bytes("gif-comment-bomb", lambda: gif_comment(100_000), "photo-damaged"),
    _of_bytes("png-chunk-bomb", lambda: png_chunks(100_000), "photo-damaged"),
    _of_bytes(
        "jpeg-five-colours",
        lambda: after(jpeg_of(96, 64), b"\xff\xc0\0\x11\x08\0\x40\0\x60", b"\5"),
        "photo-damaged",
    ),
    _of_bytes("gif-no-frame", lambda: gif_of(2, 2)[:19] + b";", "photo-damaged"),
    _of_bytes("bmp-compression", lambda: bmp_of(4, 4, compression=9), "photo-damaged"),
    _of_bytes("bmp-17-bits", lambda: bmp_of(4, 4, bits=17), "photo-damaged"),
    _of_bytes(
        "webp-pixels",
        webp_pixels,
        "photo-damaged",
    ),
    _of_bytes("tiff-compression", lambda: tiff_of(8, 8, t259=34567), "photo-damaged"),
    _of_bytes("tiff-13-bits", lambda: tiff_of(8, 8, t258=13), "photo-damaged"),
    _of_bytes("tiff-no-size", lambda: tiff([(258, 4, 8), (262, 4, 1)]), "photo-damaged"),
    _of_bytes("tiff-three-floats", float_rgb_tiff, "photo-damaged"),
    _of_bytes(
        "avif-pixels", lambda: after(encode(noise(), "AVIF"), b"mdat", bytes(400)), "photo-damaged"
    ),
    _of_bytes(
        "heic-pixels", lambda: after(encode(noise(), "HEIC"), b"hvcC", bytes(60)), "photo-damaged"
    ),
    # No pixels
    _of_bytes("png-zero", lambda: png(0, 5), "photo-damaged"),
    _of_bytes("jpeg-zero", lambda: jpeg_of(96, 0), "photo-damaged"),
    _of_bytes("gif-zero", lambda: gif_of(0, 0, frame=(0, 0)), "photo-damaged"),
    _of_bytes("bmp-zero", lambda: bmp_of(0, 4), "photo-damaged"),
    _of_bytes("tiff-zero", lambda: tiff_of(0, 8), "photo-damaged"),
    # Too many pixels
    _of_bytes("png-169-megapixels", bomb_png, "photo-too-many-pixels"),
    _of_bytes("png-largest", lambda: png(2**31 - 1, 2**31 - 1), "photo-too-many-pixels"),
    _of_bytes("png-one-too-many", lambda: png(40_000_001, 1), "photo-too-many-pixels"),
    _of_bytes("jpeg-largest", lambda: jpeg_of(65500, 65500), "photo-too-many-pixels"),
    _of_bytes("gif-largest", lambda: gif_of(65535, 65535), "photo-too-many-pixels"),
    _of_bytes("gif-frame", lambda: gif_of(2, 2, frame=(9000, 9000)), "photo-too-many-pixels"),
    _of_bytes("bmp-largest", lambda: bmp_of(30000, 30000), "photo-too-many-pixels"),
    _of_bytes("webp-largest", lambda: webp_of(1 << 24, 1 << 24), "photo-too-many-pixels"),
    _of_bytes(
        "webp-lossless", lambda: webp_of(16383, 16383, lossless=True), "photo-too-many-pixels"
    ),
    _of_bytes("tiff-largest", lambda: tiff_of(2**31, 2**31), "photo-too-many-pixels"),
    _of_bytes(
        "tiff-tile",
        lambda: tiff_of(8, 8, t322=8192, t323=8192, t324=8, t325=64),
        "photo-too-many-pixels",
    ),
    _of_bytes("avif-largest", lambda: box_of("AVIF", 16384, 16384), "photo-too-many-pixels"),
    _of_bytes("heic-largest", lambda: box_of("HEIC", 16384, 16384), "photo-too-many-pixels"),
)

# Good pictures with a bomb in what a picture does not need: they open, and cost nothing.
ARMED = {
    "jpeg": jpeg_exif_bomb,
    "png": lambda: encode(corners(), "PNG", exif=exif_bomb()),
    "webp": lambda: encode(corners(), "WebP", exif=exif_bomb()),
    "heic": lambda: encode(corners(), "HEIC", exif=exif_bomb()),
}
