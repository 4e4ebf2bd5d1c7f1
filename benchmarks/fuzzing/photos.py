"""Photos of every format."""

import io
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageCms

from benchmarks.fuzzing.target import Seeds
from benchmarks.mutate import mutated, parts_changed


def picture(width: int = 40, height: int = 28, *, seed: int = 0) -> Image.Image:
    """Noise over a gradient: what no format can make small, and what all of them can."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, width * height * 3).reshape(height, width, 3)
    return Image.fromarray((ramp + rng.integers(0, 56, ramp.shape)).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(image).save(stream, **options)
    else:
        image.save(stream, kind, **options)
    return stream.getvalue()


@cache
def photo_seeds() -> Seeds:
    """Small files of every format, in the ways that cameras, phones and programs write them."""
    rgb, grey = picture(), picture().convert("L")
    alpha = picture().convert("RGBA")
    alpha.putalpha(grey)
    palette = rgb.quantize(16)
    exif = Image.Exif()
    exif[274], exif[271], exif[306] = 6, "maker", "2026:11:26 10:00:00"
    exif.get_ifd(34665)[37500] = b"note" * 20
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    real = Image.fromarray(np.asarray(grey, np.float32) / 255)

    def film(kind: str) -> bytes:  # of new frames: Pillow leaves the settings of an encoder in them
        frames = [picture(seed=seed) for seed in range(3)]
        return encoded(frames[0], kind, save_all=True, append_images=frames[1:])

    seeds = [
        *(encoded(rgb, kind) for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")),
        encoded(rgb, "HEIF"),
        *(encoded(rgb, kind, exif=exif.tobytes()) for kind in ("JPEG", "PNG", "WEBP", "AVIF")),
        encoded(rgb, "HEIF", exif=exif.tobytes()),
        encoded(rgb, "JPEG", progressive=True, icc_profile=srgb),
        encoded(rgb.convert("CMYK"), "JPEG"),
        encoded(grey, "JPEG", icc_profile=lab),
        encoded(rgb, "JPEG", xmp=b'<x tiff:Orientation="6"/>'),
        film("MPO"),
        *(encoded(image, "PNG") for image in (grey, alpha, palette, deep, rgb.convert("1"))),
        encoded(palette, "PNG", transparency=3, icc_profile=srgb),
        film("PNG"),
        encoded(rgb, "WEBP", lossless=True, icc_profile=srgb),
        encoded(alpha, "WEBP"),
        film("WEBP"),
        film("GIF"),
        encoded(palette, "GIF", transparency=2, interlace=1),
        *(encoded(image, "BMP") for image in (grey, palette, alpha, rgb.convert("1"))),
        *(encoded(image, "TIFF") for image in (grey, deep, real, alpha, rgb.convert("CMYK"))),
        *(encoded(rgb, "TIFF", compression=f"tiff_{how}") for how in ("lzw", "adobe_deflate")),
        *(encoded(rgb, "TIFF", compression=how) for how in ("packbits", "jpeg")),
        encoded(rgb.convert("1"), "TIFF", compression="group4"),
        encoded(rgb, "TIFF", big_tiff=True),
        film("TIFF"),
        encoded(alpha, "AVIF"),
        encoded(alpha, "HEIF"),
    ]
    return tuple(seeds)


PHOTO_TOKENS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0",
    b"RIFF", b"WEBPVP8X", b"VP8 ", b"VP8L", b"ftypheic", b"ftypavif", b"ftypmif1", b"Exif\0\0",
    b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL",
    b"fdAT", b"ICC_PROFILE\0\1\1", b"Adobe\0", b"JFIF\0", b"MPF\0", b"NETSCAPE2.0", b"\x21\xf9\4",
    b"\x21\xff\x0b", b"\xff\xc0\0\x11\x08", b"\xff\xc2", b"\xff\xc4", b"\xff\xda", b"\xff\xd9",
    b"\xff\xdd\0\4", b"\xff\xfe\xff\xff", b"meta", b"iinf", b"iloc", b"ispe", b"hvcC", b"av1C",
    b"mdat", b"grid", b"irot\3", b"imir", b"pixi", b"auxC", b"http://ns.adobe.com/xap/1.0/\0",
)  # fmt: skip


@cache
def large_photos() -> Seeds:
    """Photos of 40 megapixels in a few kB: the most memory that any may take."""
    grey, rgb = (Image.new(mode, (6320, 6320), "white") for mode in ("L", "RGB"))
    return (
        encoded(grey, "PNG"),
        encoded(grey.convert("1"), "GIF"),
        encoded(rgb, "WEBP", lossless=True, method=0),
        encoded(grey.convert("CMYK"), "JPEG", quality=30),
        encoded(grey.convert("F"), "TIFF", compression="tiff_lzw"),
    )


def change_photo(data: bytes, others: Seeds, rng: Random) -> bytes:
    way = rng.random()
    if rng.random() < 0.004:  # they take a second
        data = rng.choice(large_photos())
        if way < 0.4:
            return data
    if way < 0.5:
        return mutated(data, others, PHOTO_TOKENS, rng)
    if way < 0.9:
        return parts_changed(data, others, rng)
    return mutated(parts_changed(data, others, rng), others, PHOTO_TOKENS, rng)


def take_photos(folder: Path) -> Callable[[bytes], object]:
    """Any bytes -> an upright RGB picture no larger than asked for, or a sentence."""
    from herbdemo.photo import MAX_MEGAPIXELS, open_photo

    warnings.simplefilter("ignore")

    def take(data: bytes) -> None:
        longest = (64, 256, 1600)[len(data) % 3]
        photo = open_photo(data, longest=longest)
        assert photo.image.mode == "RGB"
        assert 1 <= min(photo.image.size) <= max(photo.image.size) <= longest
        assert min(photo.size) >= 1
        assert photo.size[0] * photo.size[1] <= MAX_MEGAPIXELS * 1_000_000
        assert not photo.image.info
        photo.image.tobytes()

    return take
