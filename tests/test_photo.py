"""photo.py: every good photo upright and in true colours, every bad one a sentence."""

import io
import json
import re
import struct
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hostile import photos
from hostile.photos import BLUE, FORMATS, GREEN, HOSTILE, RED, YELLOW, corners, encode, noise
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile

from herbdemo import photo, photo_errors, photo_header
from herbdemo.errors import HerbError
from herbdemo.photo import Photo, open_photo, read_photo

ROOT = Path(__file__).resolve().parent.parent
ORIENTATION = 274
# How to turn an upright picture so that a viewer which obeys the tag turns it back.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored(code: int, image: Image.Image | None = None) -> Image.Image:
    image = image or corners()
    return image if STORED[code] is None else image.transpose(STORED[code])


def exif(code: int) -> bytes:
    tags = Image.Exif()
    tags[ORIENTATION] = code
    return tags.tobytes()


def quarters(image: Image.Image) -> np.ndarray:
    """The mean colours of the middles of the four quarters, row by row: (4, 3)."""
    values = np.asarray(image, dtype=np.float64)
    height, width = values.shape[:2]
    h, w = height // 8, width // 8
    return np.array(
        [
            values[y * height // 4 - h : y * height // 4 + h, x * width // 4 - w :][:, : 2 * w]
            .reshape(-1, 3)
            .mean(axis=0)
            for y in (1, 3)
            for x in (1, 3)
        ]
    )


def assert_colours(image: Image.Image, *colours: tuple, within: float = 6) -> None:
    assert image.mode == "RGB"
    np.testing.assert_allclose(quarters(image), np.array(colours), atol=within)


def assert_upright(opened: Photo, *, within: float = 6) -> None:
    assert opened.size == (96, 64)
    assert opened.image.size == (96, 64)
    assert_colours(opened.image, RED, GREEN, BLUE, YELLOW, within=within)


# What is refused


def refusal(source: object) -> HerbError:
    with pytest.raises(HerbError) as caught:
        open_photo(source)
    return caught.value


def assert_readable(error: HerbError, folder: Path) -> None:
    """Two whole sentences for people, without a path or the words of a library."""
    assert error.zh.endswith("。")
    assert error.en.endswith(".")
    assert error.zh.count("。") >= 2, "what is wrong, and what to do"
    assert error.en.count(". ") >= 1
    english = set(re.findall(r"[A-Za-z]+", error.zh))
    names = {*FORMATS, "MB", "RAW", "PSD", "PDF", "EPS", "SVG", "HTML", "ICO", "MP", "AVI", "XL"}
    assert english <= names | {"ZIP", "WebM", "PPM"}
    assert not re.search(r"[一-鿿]", error.en)
    for text in (error.zh, error.en, str(error)):
        assert str(folder) not in text
        assert not re.search(r"[/\\{}]|Traceback|Error|None|0x", text)


@pytest.mark.parametrize("case", HOSTILE, ids=[case.name for case in HOSTILE])
def test_hostile_photo_is_refused_with_its_own_sentence(case: photos.Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        error = refusal(source)
    assert error.hint == case.hint
    assert not caught, "a decoder's warning came through"
    assert_readable(error, tmp_path)


def test_every_refusal_has_its_case_and_no_two_say_the_same() -> None:
    by_hand = {"photo-permission", "photo-memory"}
    assert {case.hint for case in HOSTILE} | by_hand == set(photo_errors._SENTENCES)
    sentences = [text for pair in photo_errors._SENTENCES.values() for text in pair]
    assert len(set(sentences)) == len(sentences)
    assert len({case.name for case in HOSTILE}) == len(HOSTILE) >= 100


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    path = photos.written(tmp_path, "a.jpg", encode(corners(), "JPEG"))
    monkeypatch.setattr(photo, "open", locked, raising=False)
    error = refusal(path)
    assert error.hint == "photo-permission"
    assert_readable(error, tmp_path)


def test_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_stream: object) -> None:
        raise MemoryError

    monkeypatch.setitem(photo._DECODERS, "PNG", full)
    error = refusal(encode(corners(), "PNG"))
    assert error.hint == "photo-memory"
    assert_readable(error, tmp_path)


def test_a_stream_is_read_no_further_than_the_limit() -> None:
    stream = photos.Endless()
    assert refusal(stream).hint == "photo-too-many-bytes"
    assert stream.taken == photo.MAX_BYTES + 1


def test_other_decoders_are_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *_args, **_options: pytest.fail("Image.open"))
    for kind in FORMATS:
        assert open_photo(encode(corners(), kind)).format == kind
    for start in (b"%!PS-Adobe-3.0\n", b"8BPS\0\1", b"P6\n9 9\n255\n"):
        assert refusal(start + bytes(999)).hint == "photo-unsupported"


def test_the_bomb_is_a_valid_photo_when_small_enough() -> None:
    data = photos.bomb_png(3000)
    assert open_photo(data).size == (3000, 3000)
    assert len(photos.bomb_png()) < 250_000


def test_global_settings_stay_as_they_are() -> None:
    def settings_of_all() -> tuple:
        return (
            Image.MAX_IMAGE_PIXELS,
            ImageFile.LOAD_TRUNCATED_IMAGES,
            PngImagePlugin.MAX_TEXT_CHUNK,
            sorted(Image.OPEN),
            list(warnings.filters),
        )

    before = settings_of_all()
    for kind in FORMATS:
        open_photo(encode(corners(), kind))
    refusal(photos.bomb_png(8000))
    assert settings_of_all() == before
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert "HEIF" not in Image.OPEN


def test_a_lower_limit_of_another_user_of_pillow_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    assert_upright(open_photo(encode(corners(), "JPEG")))


MEASURE = """
import json
import resource
import sys
from pathlib import Path
from herbdemo.errors import HerbError
from herbdemo.photo import open_photo

def peak():
    status = Path("/proc/self/status")
    if status.exists():  # on Linux a process inherits the ru_maxrss of the one which started it
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

folder = Path(sys.argv[1])
open_photo(folder / "good.webp")
start, grown = peak(), {}
for path in sorted(folder.glob("*.bad")):
    before = peak()
    try:
        open_photo(path)
    except HerbError:
        pass
    grown[path.stem] = peak() - before
print(json.dumps({"grown": grown, "total": peak() - start}))
"""


def test_hostile_photos_take_no_memory(tmp_path: Path) -> None:
    """The peak of a process of its own after all of the table: 169 megapixels stay packed."""
    photos.written(tmp_path, "good.webp", encode(corners(), "WebP"))
    for name, make in photos.ARMED.items():
        photos.written(tmp_path, f"armed-{name}.bad", make())
    count = len(photos.ARMED)
    for case in HOSTILE:
        folder = tmp_path / case.name
        folder.mkdir()
        source = case.make(folder)
        if isinstance(source, bytes) and len(source) < photo.MAX_BYTES:
            photos.written(tmp_path, f"{case.name}.bad", source)
            count += 1
    output = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    measured = json.loads(output)
    assert len(measured["grown"]) == count > 80
    assert measured["total"] < 50e6, sorted(measured["grown"].items(), key=lambda kv: -kv[1])[:5]


# What is opened


@pytest.mark.parametrize("kind", photos.ARMED)
def test_a_bomb_in_exif_is_not_touched(kind: str) -> None:
    assert_upright(open_photo(photos.ARMED[kind]()))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format(kind: str, tmp_path: Path) -> None:
    data = encode(corners(), kind)
    path = photos.written(tmp_path, "照片.txt", data)  # the name says nothing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = open_photo(path)
    assert opened.format == kind
    assert opened.sha256 == sha256(data).hexdigest()
    assert type(opened.image) is Image.Image
    assert opened.image.info == {}
    assert_upright(opened)
    for source in (str(path), data, bytearray(data), memoryview(data), io.BytesIO(data)):
        again = open_photo(source)
        assert again.image.tobytes() == opened.image.tobytes()
        assert again.sha256 == opened.sha256


@pytest.mark.parametrize("code", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "AVIF", "TIFF", "HEIC"])
def test_every_orientation(kind: str, code: int) -> None:
    if kind == "HEIC":  # its encoder writes the picture upright, with a turn in the container
        data = encode(stored(code), kind, exif=exif(code))
        assert code == 1 or b"irot" in data or b"imir" in data
    else:
        data = encode(stored(code), kind, exif=exif(code))
    assert_upright(open_photo(data))


@pytest.mark.parametrize("code", [3, 6])
def test_heic_is_not_turned_twice(code: int) -> None:
    """Phones write the turn into the container and into EXIF; only the container counts."""
    data = encode(stored(code), "HEIC", exif=exif(code))
    assert b"irot" in data
    assert b"\x01\x12\x00\x03\x00\x00\x00\x01\x00" + bytes([code]) in data
    assert_upright(open_photo(data))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["short", "long", "large"])
def test_orientation_in_every_byte_order_and_width(order: str, kind: str) -> None:
    mark = b"II" if order == "<" else b"MM"
    if kind == "large":
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
        tags = struct.pack(order + "QHHQ", 1, ORIENTATION, 3, 1) + struct.pack(order + "H6x", 6)
    else:
        code = {
            "short": (3, struct.pack(order + "H2x", 6)),
            "long": (4, struct.pack(order + "I", 6)),
        }
        head = mark + struct.pack(order + "HI", 42, 8)
        tags = struct.pack(order + "HHHI", 1, ORIENTATION, code[kind][0], 1) + code[kind][1]
    data = encode(stored(6), "JPEG", exif=b"Exif\0\0" + head + tags + bytes(8))
    assert_upright(open_photo(data))


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_orientation_in_xmp_only(kind: str) -> None:
    options: dict = {"xmp": XMP}
    if kind == "PNG":
        options = {"pnginfo": PngImagePlugin.PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    assert_upright(open_photo(encode(stored(6), kind, **options)))


def test_orientation_of_imagemagick_and_after_the_pixels() -> None:
    text = "\nexif\n      40\n" + exif(6).hex()
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", text)
    assert_upright(open_photo(encode(stored(6), "PNG", pnginfo=info)))
    data = encode(stored(6), "PNG")
    end = len(data) - 12
    late = data[:end] + photos.chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0")) + data[end:]
    assert_upright(open_photo(late))


SPOILT_EXIF = (
    b"Exif\0\0",
    b"Exif\0\0II*\0",
    b"Exif\0\0MM\0*\xff\xff\xff\xff",
    b"Exif\0\0" + bytes(60),
    b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\1\3\0" * 9,
    exif(6)[:-9],
    exif(0),
    exif(9),
)


@pytest.mark.parametrize("spoilt", SPOILT_EXIF, ids=range(len(SPOILT_EXIF)))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_spoilt_exif_does_not_cost_the_photo(kind: str, spoilt: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_upright(open_photo(encode(corners(), kind, exif=spoilt)))


# Modes: (name, maker of the file, the colours of the four quarters, tolerance)


def grey(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    value = round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])
    return (value, value, value)


def over_white(colour: tuple[int, int, int], alpha: int) -> tuple:
    return tuple(value * alpha / 255 + 255 - alpha for value in colour)


COLOURS = (RED, GREEN, BLUE, YELLOW)
GREYS = tuple(grey(colour) for colour in COLOURS)
WHITE = (255, 255, 255)


def see_through(alphas: tuple[int, ...] = (255, 128, 0, 64), mode: str = "RGBA") -> Image.Image:
    """The four corners, each with its own alpha."""
    alpha = Image.new("L", (96, 64))
    for at, value in zip(((0, 0), (48, 0), (0, 32), (48, 32)), alphas, strict=True):
        alpha.paste(value, (*at, at[0] + 48, at[1] + 32))
    image = corners().convert("L" if mode == "LA" else "RGB")
    image.putalpha(alpha)
    return image


ALPHA = tuple(over_white(c, a) for c, a in zip(COLOURS, (255, 128, 0, 64), strict=True))
GREY_ALPHA = tuple(over_white(c, a) for c, a in zip(GREYS, (255, 128, 0, 64), strict=True))


def palette_with_transparency() -> bytes:
    """Four colours, the third of which is transparent and the second half so."""
    image = Image.new("P", (96, 64))
    image.putpalette([value for colour in COLOURS for value in colour])
    for index, at in enumerate(((0, 0), (48, 0), (0, 32), (48, 32))):
        image.paste(index, (*at, at[0] + 48, at[1] + 32))
    return encode(image, "PNG", transparency=bytes([255, 128, 0, 64]))


def gif_with_transparency() -> bytes:
    image = corners().quantize(4)
    return encode(image, "GIF", transparency=image.getpixel((10, 50)))


def deep(kind: str, *, order: str = ">", scale: int = 257) -> Image.Image:
    values = np.asarray(corners().convert("L")).astype(np.uint32) * scale
    if kind == "16":
        return Image.fromarray(values.astype(order + "u2"))
    if kind == "32":
        return Image.fromarray(values.astype(np.int32))
    return Image.fromarray((np.asarray(corners().convert("L")) / 255).astype(np.float32))


def png_16_bit(colour_type: int, samples: tuple) -> bytes:
    """A PNG of the four corners with 16 bits a sample, which Pillow cannot write."""
    values = np.asarray(corners()).astype(np.uint16)
    if colour_type in (0, 4):
        values = np.asarray(corners().convert("L")).astype(np.uint16)[..., None]
    values = np.concatenate([values * 257, np.full_like(values[..., :1], 0)], axis=-1)
    values[..., -1] = samples[0] * 257 if samples else 0
    values = values if samples else values[..., :-1]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = photos.chunk(b"IHDR", struct.pack(">IIBBBBB", 96, 64, 16, colour_type, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + photos.chunk(b"IDAT", photos.zlib.compress(rows))
        + photos.chunk(b"IEND", b"")
    )


def with_nan() -> bytes:
    values = np.asarray(deep("float")).copy()
    values[::7, ::5] = np.nan
    values[0, 0], values[0, 1] = np.inf, -np.inf
    return encode(Image.fromarray(values), "TIFF")


def white_is_zero() -> bytes:
    """A 16-bit TIFF which counts from white."""
    values = 65535 - np.asarray(deep("16"))
    return encode(Image.fromarray(values.astype("<u2")), "TIFF", tiffinfo={262: 0})


def black_and_white() -> Image.Image:
    image = Image.new("1", (96, 64), 1)
    image.paste(0, (0, 0, 48, 32))
    return image


def big_endian() -> bytes:
    values = np.asarray(deep("16")).astype(">u2")
    return encode(Image.frombytes("I;16B", (96, 64), values.tobytes()), "TIFF")


DARK_FIRST = ((0, 0, 0), WHITE, WHITE, WHITE)
HALF = tuple(over_white(colour, 128) for colour in COLOURS)
MODES = [
    ("jpeg-grey", lambda: encode(corners().convert("L"), "JPEG"), GREYS, 4),
    ("jpeg-cmyk", lambda: encode(corners().convert("CMYK"), "JPEG"), COLOURS, 6),
    ("jpeg-progressive", lambda: encode(corners(), "JPEG", progressive=True), COLOURS, 6),
    ("jpeg-without-subsampling", lambda: encode(corners(), "JPEG", subsampling=0), COLOURS, 4),
    ("png-grey", lambda: encode(corners().convert("L"), "PNG"), GREYS, 0.6),
    ("png-1-bit", lambda: encode(black_and_white(), "PNG"), DARK_FIRST, 0),
    ("png-palette", lambda: encode(corners().quantize(4), "PNG"), COLOURS, 0.6),
    ("png-palette-transparent", palette_with_transparency, ALPHA, 1.2),
    ("png-rgba", lambda: encode(see_through(), "PNG"), ALPHA, 1.2),
    ("png-la", lambda: encode(see_through(mode="LA"), "PNG"), GREY_ALPHA, 1.2),
    (
        "png-key-colour",
        lambda: encode(corners(), "PNG", transparency=BLUE),
        (RED, GREEN, WHITE, YELLOW),
        0.6,
    ),
    ("png-16-grey", lambda: encode(deep("16"), "PNG"), GREYS, 1),
    ("png-16-grey-made", lambda: png_16_bit(0, ()), GREYS, 1),
    ("png-16-rgb", lambda: png_16_bit(2, ()), COLOURS, 1),
    ("png-16-grey-alpha", lambda: png_16_bit(4, (128,)), [over_white(g, 128) for g in GREYS], 2),
    ("png-16-rgba", lambda: png_16_bit(6, (128,)), HALF, 2),
    ("webp-rgba", lambda: encode(see_through(), "WebP", lossless=True), ALPHA, 1.2),
    ("avif-rgba", lambda: encode(see_through(), "AVIF"), ALPHA, 8),
    ("heic-rgba", lambda: encode(see_through(), "HEIC"), ALPHA, 8),
    ("heic-grey", lambda: encode(corners().convert("L"), "HEIC"), GREYS, 6),
    ("gif-transparent", gif_with_transparency, (RED, GREEN, WHITE, YELLOW), 0.6),
    ("bmp-1-bit", lambda: encode(black_and_white(), "BMP"), DARK_FIRST, 0),
    ("bmp-palette", lambda: encode(corners().quantize(4), "BMP"), COLOURS, 0.6),
    ("tiff-1-bit", lambda: encode(black_and_white(), "TIFF"), DARK_FIRST, 0),
    ("tiff-palette", lambda: encode(corners().quantize(4), "TIFF"), COLOURS, 0.6),
    ("tiff-rgba", lambda: encode(see_through(), "TIFF"), ALPHA, 1.2),
    ("tiff-la", lambda: encode(see_through(mode="LA"), "TIFF"), GREY_ALPHA, 1.2),
    ("tiff-cmyk", lambda: encode(corners().convert("CMYK"), "TIFF"), COLOURS, 1),
    ("tiff-ycbcr", lambda: encode(corners(), "TIFF", compression="jpeg"), COLOURS, 8),
    ("tiff-lzw", lambda: encode(corners(), "TIFF", compression="tiff_lzw"), COLOURS, 0.6),
    ("tiff-fax", lambda: encode(black_and_white(), "TIFF", compression="group4"), DARK_FIRST, 0),
    ("tiff-large", lambda: encode(corners(), "TIFF", big_tiff=True), COLOURS, 0.6),
    ("tiff-lab", lambda: encode(corners().convert("LAB"), "TIFF"), COLOURS, 8),
    ("tiff-16", lambda: encode(deep("16", order="<"), "TIFF"), GREYS, 1),
    ("tiff-16-big-endian", big_endian, GREYS, 1),
    ("tiff-16-white-is-zero", white_is_zero, GREYS, 1),
    ("tiff-32", lambda: encode(deep("32"), "TIFF"), GREYS, 1),
    ("tiff-32-of-8", lambda: encode(deep("32", scale=1), "TIFF"), GREYS, 1),
    ("tiff-float", lambda: encode(deep("float"), "TIFF"), GREYS, 1),
]


@pytest.mark.parametrize(
    ("make", "colours", "within"), [mode[1:] for mode in MODES], ids=[mode[0] for mode in MODES]
)
def test_every_mode(make, colours: tuple, within: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = open_photo(make())
    assert opened.size == (96, 64)
    assert_colours(opened.image, *colours, within=within + 0.5)


def test_holes_in_a_float_picture_are_black() -> None:
    values = np.asarray(open_photo(with_nan()).image)[..., 0]
    assert values[0, 0] == values[0, 1] == values[7, 5] == 0
    assert abs(int(values[9, 9]) - GREYS[0][0]) <= 1


def test_transparency_is_white_after_reduction_too() -> None:
    """Colours hidden under alpha 0 must not bleed into the edge."""
    image = see_through((255, 255, 0, 255)).resize((960, 640), Image.Resampling.NEAREST)
    small = np.asarray(open_photo(encode(image, "PNG"), longest=96).image).astype(int)
    edge = small[40:60, 47:49]  # between blue under alpha 0 and yellow
    assert (edge[..., 2] - edge[..., 0] <= 1).all()


# Colour profiles


def profile(matrix: list[list[float]], gamma: float = 2.2) -> bytes:
    """An ICC profile of three primaries (rows are the XYZ of red, green and blue) and a gamma."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: list[float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
    name = b"Wide"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + bytes(1 + 78 + 1),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz([0.9642, 1.0, 0.8249]),
        b"rXYZ": xyz(matrix[0]),
        b"gXYZ": xyz(matrix[1]),
        b"bXYZ": xyz(matrix[2]),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        value += bytes(-len(value) % 4)
        table += tag + struct.pack(">II", start + len(body), len(value))
        body += value
    head = struct.pack(">I", start + len(body)) + b"lcms\2\x10\0\0mntrRGB XYZ " + bytes(12)
    head += b"acsp" + bytes(28) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return head.ljust(128, b"\0") + table + body


# The primaries of Display P3 and of sRGB, adapted to D50; both sum to its white.
P3 = [[0.51512, 0.24120, -0.00105], [0.29198, 0.69225, 0.04189], [0.15710, 0.06657, 0.78407]]
SRGB = [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]]


def as_srgb(colour: tuple[int, int, int]) -> np.ndarray:
    """What a P3 colour is in sRGB, by the book."""
    linear = (np.array(colour) / 255) ** 2.2 @ np.array(P3) @ np.linalg.inv(SRGB)
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "AVIF", "TIFF", "HEIC"])
def test_wide_colours_are_shown_as_they_were_meant(kind: str) -> None:
    opened = open_photo(encode(corners(), kind, icc_profile=profile(P3)))
    expected = [as_srgb(colour) for colour in COLOURS]
    assert np.abs(np.array(expected) - np.array(COLOURS)).max() > 15, "the profile matters"
    assert_colours(opened.image, *expected, within=7)


@pytest.mark.parametrize(
    "spoilt",
    [b"nonsense", profile(P3)[:200], bytes(500), profile(P3).replace(b"RGB ", b"CMYK")],
    ids=["text", "cut", "zeros", "another-space"],
)
def test_a_spoilt_profile_does_not_cost_the_photo(spoilt: bytes) -> None:
    assert_upright(open_photo(encode(corners(), "JPEG", icc_profile=spoilt)))
    greys = open_photo(encode(corners().convert("L"), "PNG", icc_profile=profile(P3)))
    assert_colours(greys.image, *GREYS)


# Size


@pytest.mark.parametrize(
    ("size", "longest", "reduced"),
    [
        ((1, 1), 1600, (1, 1)),
        ((1, 20_000), 1600, (1, 1600)),
        ((20_000, 1), 1600, (1600, 1)),
        ((1600, 1200), 1600, (1600, 1200)),
        ((1601, 1), 1600, (1600, 1)),
        ((300, 200), 100, (100, 67)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_longest_side(kind: str, size: tuple, longest: int, reduced: tuple) -> None:
    opened = open_photo(encode(Image.new("RGB", size, GREEN), kind), longest=longest)
    assert opened.size == size
    assert opened.image.size == reduced


def test_forty_megapixels_are_the_limit() -> None:
    assert open_photo(photos.png(8000, 5000, rows=bytes(8001 * 5000))).size == (8000, 5000)
    assert refusal(photos.png(8001, 5000)).hint == "photo-too-many-pixels"


@pytest.mark.parametrize(
    ("side", "longest", "decoded", "left"),
    [
        (4000, 1600, 1000, 1000),
        (3264, 1600, 816, 816),
        (2000, 1600, 1000, 1000),
        (1600, 1600, 1600, 1600),
        (4000, 1024, 1000, 1000),
        (3000, 1024, 1500, 1024),  # 750 would be left
        (4000, 800, 1000, 800),
        (4000, 500, 500, 500),
    ],
)
@pytest.mark.parametrize("code", [1, 6])
def test_a_large_jpeg_is_decoded_at_reduced_size_and_resized_only_where_too_little_is_left(
    side: int, longest: int, decoded: int, left: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    load = JpegImageFile.load_end

    def spy(image: JpegImageFile) -> None:
        seen.append((image.size, image.im.size))
        load(image)

    monkeypatch.setattr(JpegImageFile, "load_end", spy)
    whole, size = corners(side, side * 3 // 4), (side, side * 3 // 4)
    if code == 6:
        whole, size = stored(6, corners(*size[::-1])), size[::-1]
    opened = open_photo(encode(whole, "JPEG", exif=exif(code)), longest=longest)
    assert seen == [((decoded, decoded * 3 // 4),) * 2]
    assert opened.size == size
    assert max(opened.image.size) == left
    assert_colours(opened.image, *COLOURS)


def test_what_is_no_jpeg_is_reduced_to_what_was_asked_for() -> None:
    opened = open_photo(encode(Image.new("RGB", (2000, 1500), GREEN), "PNG"))
    assert opened.image.size == (1600, 1200)


def test_bytes_that_were_read_before_open_as_they_would_have(tmp_path) -> None:
    path = tmp_path / "photo.png"
    data = encode(corners(), "PNG")
    path.write_bytes(data)
    known = read_photo(path)
    assert (known.data, known.sha256) == (data, sha256(data).hexdigest())
    path.unlink()
    opened = open_photo(known)
    assert opened.sha256 == known.sha256
    assert opened.ms > 0
    assert_upright(opened)


# More than one picture in a file


def film(kind: str, **options) -> bytes:
    frames = [Image.new("RGB", (96, 64), RED), Image.new("RGB", (96, 64), BLUE)] * 2
    return encode(corners(), kind, save_all=True, append_images=frames, **options)


@pytest.mark.parametrize("kind", ["GIF", "WebP", "PNG", "TIFF", "AVIF"])
def test_only_the_first_frame_counts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = film(kind)

    def count(_image: object) -> int:
        pytest.fail("the frames were counted")

    monkeypatch.setattr(GifImageFile, "n_frames", property(count))
    monkeypatch.setattr(photo.TiffImageFile, "n_frames", property(count))
    assert_upright(open_photo(data))


def test_what_follows_the_first_picture_is_not_read() -> None:
    stream = io.BytesIO()
    corners().save(stream, "MPO", save_all=True, append_images=[Image.new("RGB", (96, 64))])
    opened = open_photo(stream.getvalue())
    assert opened.format == "JPEG"
    assert_upright(opened)
    assert_upright(open_photo(encode(corners(), "JPEG") + b"\0\0\0\x18ftypmp42" + bytes(999)))


def test_heic_gives_its_primary_picture() -> None:
    pictures = photos.pillow_heif.from_pillow(Image.new("RGB", (96, 64), RED))
    pictures.add_from_pillow(corners())
    stream = io.BytesIO()
    pictures.save(stream, quality=95, primary_index=1)
    assert_upright(open_photo(stream.getvalue()))


# Anything at all

STARTS = (*photo_header._MAGIC, *photo_header._FOREIGN, b"RIFF\x40\0\0\0WEBPVP8 ", b"")
STARTS += (b"\0\0\0\x18ftypheic\0\0\0\0mif1", b"\0\0\0\x18ftypavif\0\0\0\0mif1")
GOOD = {
    **{kind: encode(noise(24, 16), kind) for kind in FORMATS},
    "palette": palette_with_transparency(),
    "progressive": encode(corners(24, 16), "JPEG", progressive=True, exif=exif(6)),
    "film": film("GIF"),
    "profile": encode(corners(24, 16), "WebP", icc_profile=profile(P3), exif=exif(6)),
    "float": encode(deep("float"), "TIFF"),
    "lzw": encode(corners(24, 16), "TIFF", compression="tiff_lzw"),
}


def assert_photo_or_sentence(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            opened = open_photo(data, longest=64)
        except HerbError:
            return
    assert opened.image.mode == "RGB"
    assert 1 <= min(opened.image.size) <= max(opened.image.size) <= 64


@given(st.sampled_from(STARTS), st.binary(max_size=300))
@settings(max_examples=200)
def test_random_bytes_raise_nothing_else(start: bytes, rest: bytes) -> None:
    assert_photo_or_sentence(start + rest)


@given(
    st.sampled_from(sorted(GOOD)),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=6),
    st.booleans(),
)
@example("JPEG", 1.0, [], False)
@settings(max_examples=400)
def test_spoilt_photos_raise_nothing_else(
    name: str, part: float, flips: list[tuple[float, int]], early: bool
) -> None:
    data = bytearray(GOOD[name])
    reach = min(len(data), 200) if early else len(data)  # headers are where the mischief is
    for place, bits in flips:
        data[min(int(place * reach), len(data) - 1)] ^= bits
    assert_photo_or_sentence(bytes(data[: int(part * len(data))] if part < 1 else data))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_length_of_a_photo_raises_nothing_else(kind: str) -> None:
    data = encode(corners(8, 8), kind)
    step = max(1, len(data) // 60)
    for length in range(0, len(data), step):
        assert_photo_or_sentence(data[:length])


# Many at once


def test_eight_threads_see_what_one_sees() -> None:
    turned = ("PNG", "WebP", "TIFF", "HEIC", "AVIF")
    files = [
        encode(corners(), "JPEG", icc_profile=profile(P3)),
        *(encode(stored(6), kind, exif=exif(6)) for kind in turned),
        photos.cut("PNG", 0.5),
        encode(see_through(), "PNG"),
        encode(corners().convert("CMYK"), "JPEG"),
        b"",
    ]

    def answer(index: int) -> tuple:
        try:
            opened = open_photo(files[index % len(files)])
        except HerbError as error:
            return (error.hint,)
        return opened.size, opened.format, opened.image.tobytes()

    alone = [answer(index) for index in range(len(files))]
    barrier = threading.Barrier(8)

    def many(_worker: int) -> list[tuple]:
        barrier.wait()
        return [answer(index) for index in range(50)]

    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(many, range(8)):
            assert answers == [alone[index % len(files)] for index in range(50)]


def test_photos_of_the_world_open(data: Path) -> None:
    """A sample of real photos agrees with Pillow's own way to open them."""
    from PIL import ImageOps

    paths = sorted((data / "herbs").rglob("*.jpg"))[::60]
    assert paths
    for path in paths:
        opened = open_photo(path)
        with Image.open(path) as image:
            other = ImageOps.exif_transpose(image)
            assert opened.size == other.size
            if max(other.size) <= 1600 and other.mode == "RGB" and "icc_profile" not in other.info:
                assert opened.image.tobytes() == other.tobytes()
