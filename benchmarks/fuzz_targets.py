"""What is fuzzed: for each kind of input its good seeds, how they are changed, and who takes them.

A target is one entry of `TARGETS`. Its `taker(folder)` is called once in a process of its own and
gives the function that takes a case's bytes: it returns when they are accepted, raises HerbError
when they are refused, and whatever else it raises is a finding. It also checks what users rely on
when something is accepted.
"""

import contextlib
import importlib.util
import io
import json
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageCms

from benchmarks.mutate import (
    any_json,
    json_bytes,
    json_changed,
    mutated,
    parts_changed,
    text,
)
from herbdemo.errors import HerbError

Seeds = Sequence[bytes]
MB = 1 << 20


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        about: what takes it. seeds: makes the good ones. change: makes a case of a seed.
        taker: makes the function that takes a case, given an empty folder of its own.
        memory: bytes that one case may take at most, beyond what the process has before.
    """

    about: str
    seeds: Callable[[], Seeds]
    change: Callable[[bytes, Seeds, Random], bytes]
    taker: Callable[[Path], Callable[[bytes], object]]
    memory: int = 64 * MB


# Photos


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


# Zips


def entries_of(data: bytes) -> list[dict]:
    """What `zip_of` makes a zip of again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [{"name": info.filename, "data": archive.read(info)} for info in archive.infolist()]


def zip_of(entries: Sequence[dict], rng: Random) -> bytes:
    """A zip of the entries, some of whose fields may be lies."""
    body, directory, starts = io.BytesIO(), io.BytesIO(), [0]
    for entry in entries:
        data, method = entry["data"], entry.get("method", rng.choice((0, 8)))
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush() if method == 8 else data
        encoding = entry.get("encoding", "utf-8")
        lenient = "surrogatepass" if encoding == "utf-8" else "replace"
        name = entry["name"].encode(encoding, lenient)[:65535]
        inner = entry.get("inner", name)[:65535]
        flags = entry.get("flags", 0x800 if encoding == "utf-8" else 0)
        head = (20, flags, method, 0, 0x21, entry.get("crc", zlib.crc32(data)),
                entry.get("packed", len(packed)), entry.get("size", len(data)))  # fmt: skip
        at = starts[rng.randrange(len(starts))] if entry.get("shared") else body.tell()
        starts.append(body.tell())
        body.write(b"PK\3\4" + struct.pack("<5H3L2H", *head, len(inner), 0) + inner + packed)
        extra = entry.get("extra", b"")
        rest = (len(name), len(extra), 0, 0, 0, entry.get("mode", 0o100644) << 16, at)
        directory.write(b"PK\1\2" + struct.pack("<H5H3L5H2L", 0x314, *head, *rest) + name + extra)
    count, comment = min(len(entries), 0xFFFF), rng.choice((b"", b"", b"x" * 20))
    end = (0, 0, count, count, directory.tell(), body.tell(), len(comment))
    return (
        body.getvalue() + directory.getvalue() + b"PK\5\6" + struct.pack("<4H2LH", *end) + comment
    )


def lying(entries: list[dict], names: Callable[[str, Random], str], rng: Random) -> list[dict]:
    """The entries after one to four of them lie."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not entries:
            return entries
        at = rng.randrange(len(entries))
        entry, way = dict(entries[at]), rng.randrange(14)
        if way < 4:
            entry["name"] = names(entry["name"], rng)
        elif way == 4:
            entry["encoding"] = rng.choice(("gb18030", "utf-16-le", "utf-8"))
            entry["flags"] = rng.choice((0, 0x800))
        elif way == 5:
            entry["method"] = rng.choice((0, 8, 9, 12, 14, 77, 99))
        elif way == 6:
            entry["flags"] = rng.choice((0, 1, 8, 0x40, 0x800, 0x801, 0x2000, 0xFFFF))
        elif way == 7:
            entry["mode"] = rng.choice((0o120777, 0o040755, 0o010644, 0, 0xFFFF))
        elif way == 8:
            entry[rng.choice(("size", "packed", "crc"))] = rng.choice((0, 1, 99, 2**31, 2**32 - 1))
        elif way == 9:
            entry["shared"] = True
        elif way == 10:
            entry["data"] = mutated(entry["data"], [entry["data"]], (), rng)
        elif way == 11:
            entry["inner"] = rng.randbytes(rng.randrange(40))
        elif way == 12:  # the numbers of zip64
            entry["extra"] = struct.pack(
                "<HH3Q", 1, 24, *(rng.choice((0, 9, 2**40, 2**64 - 1)),) * 3
            )
            entry |= {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
        else:
            entries = [*entries, *[entry] * rng.choice((1, 2, 30))]
        entries = [*entries[:at], entry, *entries[at + 1 :]]
        if rng.random() < 0.1:
            del entries[rng.randrange(len(entries))]
    return entries


def path_changed(name: str, rng: Random) -> str:
    parts = name.split("/")
    parts[rng.randrange(len(parts))] = text(rng)
    name = "/".join(parts)
    return name if rng.random() < 0.3 else name + ".png"


@cache
def zip_seeds() -> Seeds:
    photo, photos = encoded(picture(12, 8), "PNG"), photo_seeds()[:8]
    suffixes = ("jpg", "png", "webp", "avif", "gif", "bmp", "tiff", "heic")
    many = {
        f"党参/{i}.{suffix}": data
        for i, (suffix, data) in enumerate(zip(suffixes, photos, strict=True))
    }
    trees = (
        {"党参/1.png": photo, "黨參/2.png": photo + b"\0", "枸杞子/a/b/3.PNG": photo},
        {
            "herbs/": b"",
            "herbs/dang shen/1.png": photo,
            "herbs/Basil/2.png": photo,
            "herbs/x.png": photo,
        },
        {
            "当归/1.png": photo,
            "__MACOSX/当归/._1.png": b"\0",
            "当归/notes.txt": b"x",
            ".DS_Store": b"1",
        },
        many,
    )
    seeds = []
    for tree in trees:
        entries = [{"name": name, "data": data} for name, data in tree.items()]
        seeds.append(zip_of(entries, Random(len(seeds))))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("党参/1.png", "w", force_zip64=True) as file:
            file.write(photo)
        archive.writestr("党参/large.bmp", encoded(Image.new("RGB", (400, 300)), "BMP"))
    return (*seeds, stream.getvalue())


ZIP_TOKENS = (b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08", b"../", b".png",
              b"/", b"\\", b"\0", b"\xff\xff\xff\xff", "党参/".encode(), "党参/".encode("gbk"))  # fmt: skip


def change_zip(data: bytes, others: Seeds, rng: Random) -> bytes:
    if rng.random() < 0.45:
        return mutated(data, others, ZIP_TOKENS, rng)
    made = zip_of(lying(entries_of(data), path_changed, rng), rng)
    return made if rng.random() < 0.8 else mutated(made, others, ZIP_TOKENS, rng)


def take_zips(folder: Path) -> Callable[[bytes], object]:
    """A zip -> the photos in it, in a folder and nowhere else, which is gone afterwards."""
    from herbdemo.archive import photos_in, unpacked
    from herbdemo.dataset import PHOTO_SUFFIXES
    from herbdemo.files import is_portable

    file, place = folder / "given.zip", folder / "place"
    place.mkdir()

    def take(data: bytes) -> None:
        file.write_bytes(data)
        try:
            with unpacked(file, inside=place) as found:
                for path in found.rglob("*"):
                    assert not path.is_symlink()
                    assert is_portable(path.name)
                    assert path.is_dir() or path.suffix.lower() in PHOTO_SUFFIXES
        finally:
            assert not any(place.iterdir()), "something was left"
            assert sorted(path.name for path in folder.iterdir()) == ["given.zip", "place"]
        with photos_in(file) as listed:
            for name, read in listed:
                name.encode()
                read()

    return take


def take_uploads(folder: Path) -> Callable[[bytes], object]:
    """A zip -> a batch of its photos, into the library and out again: all that the page does."""
    from herbdemo import atomic, files, intake
    from herbdemo.library import Library
    from herbdemo.preflight import check_batch

    # Waiting for the disk is no part of this, and takes nine tenths of the time.
    files.os = atomic.os = _NoSync(os)
    root = folder / "home"
    (folder / "given.zip").write_bytes(b"")

    def take(data: bytes) -> None:
        (folder / "given.zip").write_bytes(data)
        try:
            batch = intake.take_zip(folder / "given.zip", root=root)
            report = check_batch(batch).to_dict()
            json.dumps(report, ensure_ascii=False, allow_nan=False).encode()
            intake.accept(batch.id, root=root)
        finally:
            assert not intake.waiting(root=root)
            left = [*(root / "incoming").iterdir()] if root.exists() else []
            assert not left, left
        library = Library(root / "library")
        for herb in library.herbs():
            library.remove(herb)

    return take


class _NoSync:
    """The module `os` without `fsync`."""

    def __init__(self, module) -> None:
        self.module = module

    def __getattr__(self, name: str):
        return (lambda _: None) if name == "fsync" else getattr(self.module, name)


# Models, with a network that is a ten-thousandth of the real one's size


def shrink_networks() -> None:
    """Let the package make networks of 32 features, so that a model is 30 kB, all else as it is."""
    from torch import nn

    from herbdemo import architectures, network

    class Narrow(network.ResNet50):
        def __init__(self, num_classes: int) -> None:
            nn.Module.__init__(self)
            self.conv1, self.bn1 = nn.Conv2d(3, 4, 7, 2, padding=3, bias=False), nn.BatchNorm2d(4)
            self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)
            self.layer1 = nn.Sequential(network.Bottleneck(4, 1, 1))
            self.layer2 = nn.Sequential(network.Bottleneck(4, 2, 2))
            self.layer3 = nn.Sequential(network.Bottleneck(8, 4, 2))
            self.layer4 = nn.Sequential(network.Bottleneck(16, 8, 2))
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(32, num_classes)

    network.ResNet50 = architectures.ResNet50 = Narrow


def small_models(folder: Path) -> list[Path]:
    """A small model, one that a herb was added to, and an old one without statistics."""
    import torch

    from herbdemo import network
    from herbdemo.calibrate import calibrated, familiar_directions, feature_statistics
    from herbdemo.checkpoint import Checkpoint, Preprocessing, save_checkpoint
    from herbdemo.dataset import scan
    from herbdemo.engine import TorchEngine
    from herbdemo.evaluate import extract
    from herbdemo.extend import extend

    shrink_networks()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    herbs = ("党参", "枸杞子", "当归")
    for k, herb in enumerate((*herbs, "罗勒")):
        (folder / "photos" / herb).mkdir(parents=True)
        for seed in range(4):
            picture(40, 32, seed=9 * k + seed).rotate(40 * k).save(
                folder / "photos" / herb / f"{seed}.png"
            )
    net = network.ResNet50(len(herbs)).eval().requires_grad_(False)
    size = Preprocessing(size=32)
    samples = scan(folder / "photos")
    known = [sample for sample in samples if sample.herb in herbs]
    found = extract(TorchEngine(net), known, herbs, size)
    statistics = {
        **feature_statistics(found, len(herbs)),
        **familiar_directions(found),
        "val": torch.from_numpy(found.pooled).half(),
        "val_labels": torch.from_numpy(found.labels),
        "held_out": torch.arange(5),
    }
    statistics["basis"] = statistics["basis"][:, -8:].contiguous()
    statistics["bank"] = statistics["bank"][:, -8:].contiguous()
    card = {"data": {"train": 12}, "note": "small", "licence": "MIT", "history": [{"epoch": 1}]}
    model = calibrated(
        Checkpoint("small", net, herbs, size, statistics=statistics, card=card), found
    )
    more = extend(model, samples, name="more")
    old = replace(model, id="old", statistics={}, card={})
    return [folder / save_checkpoint(one, folder / one.id).id for one in (model, more, old)]


@cache
def model_seeds() -> Seeds:
    """Cards with the weights they belong to: the card's length in four bytes, card, weights."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return tuple(
            _packed((path / "card.json").read_bytes(), (path / "model.safetensors").read_bytes())
            for path in small_models(Path(folder))
        )


def card_seeds() -> Seeds:
    shipped = Path(__file__).parent.parent / "weights"
    cards = [card.read_bytes() for card in sorted(shipped.glob("*/card.json"))]
    return (*cards, *(_parted(seed)[0] for seed in model_seeds()))


def _packed(card: bytes, weights: bytes) -> bytes:
    return struct.pack("<I", len(card)) + card + weights


def _parted(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "little")
    return data[4 : 4 + size], data[4 + size :]


def tensors_changed(data: bytes, rng: Random) -> bytes:
    """Safetensors whose header was changed as JSON, or whose tensors were swapped or spoilt."""
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    names = [name for name in header if name != "__metadata__"]
    few = [name for name in names if name.startswith("statistics.")] or names
    name = rng.choice(few if rng.random() < 0.7 else names)
    way = rng.randrange(6)
    if way == 0:
        del header[name]
        header = {k: v for k, v in header.items() if k != name}
    elif way == 1:
        header[name]["shape"] = rng.choice(
            (header[name]["shape"][::-1], [], [int(np.prod(header[name]["shape"]))], [1, *header[name]["shape"]],
             [0], [2**32, 2**32], [-1]))  # fmt: skip
    elif way == 2:
        header[name]["dtype"] = rng.choice(
            ("F32", "I32", "U8", "BF16", "F16", "I64", "BOOL", "F8_E4M3", "X", 7)
        )
    elif way == 3:
        header = json_changed(header, rng)
    elif way == 4:
        first, last = header[name]["data_offsets"]
        value = rng.choice((b"\xff", b"\0\x7c", b"\0\0\x80\x7f", b"\x7f", b"\0", rng.randbytes(4)))
        size = last - first if rng.random() < 0.5 else min(8, last - first)
        body = body[:first] + (value * size)[:size] + body[first + size :]
    else:
        header[text(rng)] = header.pop(name)
    text_ = json_bytes(header)
    if rng.random() < 0.2:
        text_ = mutated(text_, [text_], (), rng)
    return struct.pack("<Q", len(text_)) + text_ + body


def change_model(data: bytes, others: Seeds, rng: Random) -> bytes:
    """Spoilt weights, a spoilt card, or both; the card mostly has the sha256 of the weights."""
    import hashlib

    card, weights = _parted(data)
    way = rng.random()
    if way < 0.6:
        weights = tensors_changed(weights, rng)
    elif way < 0.75:
        weights = mutated(weights, [_parted(other)[1] for other in others], TENSOR_TOKENS, rng)
    elif way < 0.8:
        weights = _parted(rng.choice(others))[1]
    card = json.loads(card)
    if way > 0.7:
        card = json_changed(card, rng)
    if isinstance(card, dict) and rng.random() < 0.95:
        card["sha256"] = hashlib.sha256(weights).hexdigest()
    return _packed(json_bytes(card), weights)


TENSOR_TOKENS = (
    b"\x80\x04",
    b"PK\3\4",
    b"F32",
    b"BF16",
    b"data_offsets",
    b"__metadata__",
    b"[]",
    b"{",
)


def take_models(folder: Path) -> Callable[[bytes], object]:
    """A model's folder -> a model that answers, explains itself, is extended and passed on."""
    from herbdemo.checkpoint import load_checkpoint
    from herbdemo.engine import said
    from herbdemo.extend import forget
    from herbdemo.held_out import held_out
    from herbdemo.photo import open_photo
    from herbdemo.recognise import Recogniser
    from herbdemo.replay import remember
    from herbdemo.specimen import least_familiarity

    shrink_networks()
    np.seterr(all="ignore")
    photo = open_photo(photo_seeds()[1])

    def take(data: bytes) -> None:
        card, weights = _parted(data)
        (folder / "card.json").write_bytes(card)
        (folder / "model.safetensors").write_bytes(weights)
        model = load_checkpoint(folder)
        recogniser = Recogniser(model)
        answer = recogniser.recognise([photo])[0]
        json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False).encode()
        assert abs(sum(answer.probability(herb) for herb in model.herbs) - 1) < 1e-3
        heat = answer.heatmap(model.herbs[0])
        assert 0 <= heat.min() <= heat.max() <= 1
        answer.contrast(model.herbs[0], model.herbs[-1])
        least_familiarity(model, recogniser.head, 2)
        said(model.card)
        held_out(model)
        for use in (
            lambda: remember(model, set()),
            lambda: forget(model, model.herbs[0], name="x"),
        ):
            with contextlib.suppress(HerbError):  # not every model can
                use()

    return take


def change_card(data: bytes, others: Seeds, rng: Random) -> bytes:
    way = rng.random()
    if way < 0.7:
        return json_bytes(json_changed(json.loads(data), rng))
    if way < 0.95:
        return mutated(data, others, JSON_TOKENS, rng)
    return json_bytes(any_json(rng, depth=5))


JSON_TOKENS = (b"null", b"NaN", b"Infinity", b"1e999", b"[" * 3000, b'{"a":' * 3000, b"\\ud800", b"\\u0000",
               b'"', b"9" * 5000, b"-0", b"true", b",", b"}", b"\xff", b"\xef\xbb\xbf")  # fmt: skip


def take_cards(folder: Path) -> Callable[[bytes], object]:
    """card.json -> a card that can be shown, written again and read back; all the page shows of it."""
    from herbdemo.checkpoint import card_named, read_card
    from herbdemo.dossier import dossier
    from herbdemo.engine import said
    from herbdemo.registry import Registry
    from herbdemo.ui.herbs_view import page_html
    from herbdemo.ui.models_view import Row, models_html
    from herbdemo.ui.proof_view import plain_html, proof_html

    model = folder / "models" / "small"
    model.mkdir(parents=True)
    registry = Registry(shipped=folder / "none", own=folder)

    def take(data: bytes) -> None:
        (model / "card.json").write_bytes(data)
        (info,) = registry.list()
        card = read_card(model)
        assert not info.problem
        json.dumps({"herbs": info.herbs, "metrics": info.metrics}, allow_nan=False)
        (model / "card.json").write_bytes(card_named(card, "again"))
        assert read_card(model) == card | {"id": "again"}
        said(card)
        shown = models_html([Row("small", False, False, 1, card)])
        assert 'class="problem"' not in shown, "the card was read, and cannot be drawn"
        if card.get("proof"):
            proof_html("small", card["proof"], active=False)
        else:
            plain_html("small", card.get("metrics", {}), active=False)
        for herb in card["herbs"][:3]:
            page_html(dossier(herb, card), card["herbs"], photos=None)

    return take


@cache
def model_zip_seeds() -> Seeds:
    seeds = []
    for data in model_seeds()[:2]:
        card, weights = _parted(data)
        for folder, litter in (("small/", {}), ("", {"__MACOSX/._x": b"1", ".DS_Store": b"1"})):
            tree = {f"{folder}card.json": card, f"{folder}model.safetensors": weights, **litter}
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in tree.items():
                    archive.writestr(name, content)
            seeds.append(stream.getvalue())
    return tuple(seeds)


def change_model_zip(data: bytes, others: Seeds, rng: Random) -> bytes:
    if rng.random() < 0.4:
        return mutated(data, others, ZIP_TOKENS, rng)
    entries = entries_of(data)
    if rng.random() < 0.3:
        parts = {entry["name"].rpartition("/")[2]: entry for entry in entries}
        both = _packed(parts["card.json"]["data"], parts["model.safetensors"]["data"])
        parts["card.json"]["data"], parts["model.safetensors"]["data"] = _parted(
            change_model(both, [both], rng)
        )
    else:
        entries = lying(
            entries, lambda name, rng: text(rng) if rng.random() < 0.5 else "x/" + name, rng
        )
    return zip_of(entries, rng)


def take_model_zips(folder: Path) -> Callable[[bytes], object]:
    """A model's zip -> a model in the registry, or a sentence and nothing left behind."""
    from herbdemo import atomic
    from herbdemo.portable import export_zip, import_zip
    from herbdemo.registry import Registry

    shrink_networks()
    atomic.os = _NoSync(os)
    registry = Registry(shipped=folder / "none", own=folder / "own")
    models = folder / "own" / "models"
    models.mkdir(parents=True)

    def take(data: bytes) -> None:
        (folder / "given.zip").write_bytes(data)
        try:
            name = import_zip(registry, folder / "given.zip")
            export_zip(registry, name, folder / "again.zip")
            registry.activate(name)
            (folder / "own" / "active.json").unlink()
            (folder / "again.zip").unlink()
            for file in (models / name).iterdir():
                file.unlink()
            (models / name).rmdir()
        finally:
            assert not any(models.iterdir()), "something was left"
            assert not (folder / "again.zip").exists()
            assert len(list(folder.iterdir())) == 2

    return take


# What other programs wrote


def label_seeds() -> Seeds:
    """Lists of a head's outputs, in the shapes in which people keep them."""
    names = ("党参", "枸杞子", "Rosemary", "dang gui")
    shapes = [
        *("\n".join(line.format(i, name) for i, name in enumerate(names))
          for line in ("{1}", "{0} {1}", "{1},{0}", "{0}\t{1}", "{0}: {1}", '"{0}","{1}"')),
        "id,name\n" + "\n".join(f"{i + 1},{name}" for i, name in enumerate(names)),
        *(json.dumps(shape, ensure_ascii=False) for shape in (
            list(names), dict(enumerate(names)), {name: i for i, name in enumerate(names)},
            {"class_to_idx": {name: i for i, name in enumerate(names)}}, {"classes": names},
        )),
    ]  # fmt: skip
    codes = ("utf-8", "gb18030", "utf-16", "utf-8-sig")
    return tuple(shape.encode(code) for shape in shapes for code in codes)


LABEL_TOKENS = (b",", b"\t", b";", b"\n", b"\r\n", b"0", b"999999", b"-1", b"[", b"{", b'"', b":", b"\0",
                b"\xff\xfe", b"\xef\xbb\xbf", b"classes", b"[" * 3000)  # fmt: skip


def change_labels(data: bytes, others: Seeds, rng: Random) -> bytes:
    if data[:1] in (b"[", b"{") and rng.random() < 0.5:
        with contextlib.suppress(ValueError):
            return json_bytes(json_changed(json.loads(data), rng))
    if rng.random() < 0.3:
        return data + text(rng).encode("utf-8", "surrogatepass")
    return mutated(data, others, LABEL_TOKENS, rng)


def take_labels(folder: Path) -> Callable[[bytes], object]:
    """A list of names -> herbs, each once, that can be folders."""
    from herbdemo.labels import herbs_called, labels_of

    def take(data: bytes) -> None:
        (folder / "labels").write_bytes(data)
        labels = labels_of(folder / "labels")
        herbs = herbs_called(labels)
        assert len(herbs) == len(labels) == len(set(herbs))

    return take


@cache
def pth_seeds() -> Seeds:
    """Checkpoints of PyTorch: bare, wrapped, prefixed, old and new; and two with code in them."""
    import pickle

    import torch

    from herbdemo import network

    shrink_networks()
    torch.manual_seed(0)
    net = network.ResNet50(3)
    state, seeds = dict(net.state_dict()), []
    prefixed = {f"module.{name}": value for name, value in state.items()}
    whole = {"epoch": 3, "state_dict": prefixed, "classes": ["党参", "当归", "x"], "loss": 0.5}
    for held, new in ((state, True), (state, False), (whole, True), ({"model": state}, False),
                      ([1, "x", None, state], True)):  # fmt: skip
        stream = io.BytesIO()
        torch.save(held, stream, _use_new_zipfile_serialization=new)
        seeds.append(stream.getvalue())
    return (*seeds, pickle.dumps(_Bomb(), 2), pickle.dumps({"state_dict": _Bomb()}, 4))


class _Bomb:
    """Unpickling it makes a folder."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("it-ran",)


PTH_TOKENS = (*ZIP_TOKENS, b"\x80\2", b"\x80\4", b"cposix\nsystem\n", b"c__builtin__\neval\n", b"R", b"b", b"(", b"t.",
              b"ctorch._utils\n_rebuild_tensor_v2\n", b"data.pkl", b"byteorder", b"QK\0", b"\x8a\x09")  # fmt: skip


def change_pth(data: bytes, others: Seeds, rng: Random) -> bytes:
    if data[:2] == b"PK" and rng.random() < 0.6:
        entries = entries_of(data)
        inner = [e for e in entries if e["name"].endswith(("data.pkl", "version", "byteorder"))]
        for entry in entries:
            entry["method"] = 0
        if inner and rng.random() < 0.8:
            one = rng.choice((inner[0], rng.choice(inner)))
            one["data"] = mutated(one["data"], [one["data"]], PTH_TOKENS, rng)
            return zip_of(entries, rng)
        return zip_of(lying(entries, lambda name, rng: name[:7] + text(rng), rng), rng)
    return mutated(data, others, PTH_TOKENS, rng)


def take_pths(folder: Path) -> Callable[[bytes], object]:
    """A checkpoint of someone else's -> the network in it; nothing in it runs."""
    from herbdemo.foreign import read_foreign

    shrink_networks()
    os.chdir(folder)

    def take(data: bytes) -> None:
        (folder / "given.pth").write_bytes(data)
        try:
            foreign = read_foreign(folder / "given.pth")
        finally:
            assert not (folder / "it-ran").exists()
        assert foreign.network.fc.out_features >= 2

    return take


@cache
def keras_seeds() -> Seeds:
    """Files of HDF5 in the three layouts of Keras, of a stem, one block and a head."""
    import h5py

    rng = np.random.default_rng(0)
    kernels = ((7, 7, 3, 4), (1, 1, 4, 2), (3, 3, 2, 2), (1, 1, 2, 8), (3, 3, 4, 8))
    layers = [("zero_padding2d", ())]
    for number, shape in enumerate(kernels):
        end = f"_{number}" if number else ""
        layers += [
            (f"conv2d{end}", (shape, shape[-1:])),
            (f"batch_normalization{end}", (shape[-1:],) * 4),
        ]
    layers.append(("dense", ((8, 3), (3,))))
    seeds = []
    for layout in ("weights", "whole", "three"):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            root = file.create_group("model_weights") if layout == "whole" else file
            if layout != "three":
                root.attrs["layer_names"] = [name.encode() for name, _ in layers]
            for name, shapes in layers:
                if layout == "three" and not shapes:
                    continue
                group = root.create_group(f"layers/{name}/vars" if layout == "three" else name)
                names = [
                    str(i) if layout == "three" else f"{name}/w{i}:0" for i in range(len(shapes))
                ]
                if layout != "three":
                    group.attrs["weight_names"] = [name.encode() for name in names]
                for path, shape in zip(names, shapes, strict=True):
                    group.create_dataset(path, data=rng.random(shape, np.float32))
        seeds.append(stream.getvalue())
    return tuple(seeds)


KERAS_TOKENS = (b"\x89HDF\r\n\x1a\n", b"OHDR", b"TREE", b"SNOD", b"HEAP", b"GCOL", b"FRHP", b"layer_names",
                b"weight_names", b"conv2d_1", b"\xff" * 8, b"\0" * 8)  # fmt: skip


def change_keras(data: bytes, others: Seeds, rng: Random) -> bytes:
    return mutated(data, others, KERAS_TOKENS, rng)


def take_kerases(folder: Path) -> Callable[[bytes], object]:
    """A file of Keras -> the numbers of the network that is looked for, here one of a block."""
    from herbdemo import keras_h5

    shrink_networks()
    shapes = {
        "conv1": (1, 1, 4, 2),
        "conv2": (3, 3, 2, 2),
        "conv3": (1, 1, 2, 8),
        "shortcut": (3, 3, 4, 8),
    }
    place = keras_h5._Place
    stem, block = (
        [place("stem", (7, 7, 3, 4), 2)],
        [place(f"layer1.0.{n}", s) for n, s in shapes.items()],
    )
    keras_h5._places, keras_h5.FEATURES = lambda: iter((stem, block)), 8

    def take(data: bytes) -> None:
        (folder / "given.h5").write_bytes(data)
        state = keras_h5.read_keras(folder / "given.h5")
        assert state["fc.weight"].shape[1] == 8

    return take


# Text


def name_seeds() -> Seeds:
    from herbdemo.herbs import catalogue

    names = [name for herb in catalogue().values()
             for name in (herb.zh, herb.zh_hant, herb.pinyin, herb.latin, herb.en, *herb.aliases)]  # fmt: skip
    return tuple(name.encode() for name in names if name)


def change_text(data: bytes, others: Seeds, rng: Random) -> bytes:
    way = rng.random()
    if way < 0.3:
        return text(rng).encode("utf-8", "surrogatepass")
    name = data.decode()
    at = rng.randrange(len(name) + 1)
    inserted = rng.choice(("", text(rng), rng.choice(others).decode()))
    cut = at + rng.choice((0, 0, 1, 3, 200))
    found = name[:at] + inserted + name[cut:]
    return rng.choice((str, str.upper, str.title, str.casefold))(found).encode(
        "utf-8", "surrogatepass"
    )


def take_names(folder: Path) -> Callable[[bytes], object]:
    """Any text as the name of a herb, a folder, a model; in results in every format and back."""
    import csv

    from herbdemo import journal as journals
    from herbdemo.files import is_portable, shown
    from herbdemo.herbs import Herb, find, herb_named, namesakes, search
    from herbdemo.journal import Journal
    from herbdemo.library import herb_folder
    from herbdemo.piles_out import WRITERS
    from herbdemo.registry import Registry

    registry = Registry(shipped=folder / "none", own=folder)
    journal = folder / "rows"
    journals.os = _NoSync(os)

    def take(data: bytes) -> None:
        name = data.decode("utf-8", "surrogatepass")
        found = find(name)
        assert found is None or isinstance(found, Herb)
        assert all(isinstance(herb, Herb) for herb in (*search(name), *namesakes(name)))
        assert len(shown(name)) <= 41
        herb_named(name).initials.encode("utf-8", "surrogatepass")
        safe = name.encode("utf-8", "replace").decode()  # as `given.text_of` has it
        herb = {"zh": safe, "pinyin": "", "latin": safe, "en": "", "probability": 0.5}
        row = {"file": safe, "verdict": "certain", "candidates": [herb | {"herb": safe}], "model": "m",
               "sha256": "0"}  # fmt: skip
        journal.unlink(missing_ok=True)
        Journal(journal).append([row])
        assert list(Journal(journal).rows()) == [row]
        for kind in ("csv", "json", "jsonl"):
            stream = io.BytesIO()
            WRITERS[kind]([row], stream)
            said = stream.getvalue().decode("utf-8-sig")
            if kind == "csv":
                (line,) = csv.DictReader(io.StringIO(said, newline=""))
                assert line["file"].removeprefix("'") == safe.removeprefix("'")
                assert not line["file"].startswith(tuple("=+-@\t\r"))
            else:
                kept = json.loads(said)
                assert (kept["answers"][0] if kind == "json" else kept)["file"] == safe
        with contextlib.suppress(HerbError):
            registry.new_folder(name)
        kept = herb_folder(name)  # the last: what it refuses is refused
        assert is_portable(kept)
        assert herb_folder(kept) == kept

    return take


def state_seeds() -> Seeds:
    """Files of HERBDEMO_HOME, which a crash, a disk or an editor may have spoilt."""
    row = {"file": "", "verdict": "certain", "candidates": [], "model": "m", "sha256": "0" * 64}
    rows = b"".join(json_bytes(row | {"file": f"{i}.jpg"}) + b"\n" for i in range(5))
    events = b"".join(
        json_bytes({"kind": kind, "zh": "x", "en": "x"}) + b"\n" for kind in ("start", "error")
    )
    job = {"id": "small", "kind": "train", "who": "", "started": 1.0, "pid": 999999, "before": 0,
           "stopping": False}  # fmt: skip
    shared = {"made": 1.0, "ends": 1e12, "secret": "", "herb": "", "candidates": [["党参", 0.9]],
              "verdict": "certain", "model": "m", "sha256": "0", "device": "cpu", "stages": {"network": 1.0},
              "herbs": ["党参"], "bias": [0.0], "temperature": 1.0}  # fmt: skip
    pile = {"kind": "photos", "title": "x", "source": "", "total": 1, "started": 1.0}
    batch = {"names": {"党参": "党参"}, "refused": [{"file": "x", "zh": "x", "en": "x", "hint": "x"}],
             "merged": {}}  # fmt: skip
    choice = {"precision": "int8", "same": 0.99, "cpu": "x", "limits": {}}
    others = ({"trail": ["small", "more"]}, job, shared, pile, batch, choice)
    return (rows, events, *map(json_bytes, others))


def change_state(data: bytes, others: Seeds, rng: Random) -> bytes:
    if rng.random() < 0.5 and b"\n" not in data:
        return json_bytes(json_changed(json.loads(data), rng))
    return mutated(data, others, JSON_TOKENS, rng)


def take_states(folder: Path) -> Callable[[bytes], object]:
    """The program's own files: read as far as they are whole, or as if they were not there."""
    from herbdemo import intake, kept_piles
    from herbdemo.engine import said
    from herbdemo.jobs import Jobs
    from herbdemo.journal import Journal
    from herbdemo.kept import open_kept
    from herbdemo.registry import Registry

    os.environ["HERBDEMO_HOME"], os.environ["HERBDEMO_ENGINE"] = str(folder), "auto"
    shared, batch, pile = "0" * 32, "20260101-000000-00000000", "0" * 32
    for name in ("models/small", "runs/small", f"shared/{shared}", f"incoming/{batch}/党参", f"piles/{pile}",
                 f"openvino/{shared * 2}"):  # fmt: skip
        (folder / name).mkdir(parents=True)
    picture().save(folder / "shared" / shared / "photo.jpg")
    np.save(folder / "shared" / shared / "evidence.npy", np.zeros((1, 2, 2), np.float32))
    places = [folder / name for name in (
        "active.json", "job.json", "rows", "runs/small/events.jsonl", "runs/small/result.json",
        f"shared/{shared}/answer.json", f"incoming/{batch}/batch.json", f"piles/{pile}/pile.json",
        f"openvino/{shared * 2}/choice.json",
    )]  # fmt: skip
    registry, jobs, journal = Registry(shipped=folder / "none"), Jobs(), Journal(folder / "rows")

    def take(data: bytes) -> None:
        for place in places:
            place.write_bytes(data)
        assert registry.active_id() == "small"
        rows = list(journal.rows())
        journal.page(0, 5, verdict="certain")
        jobs.latest()
        jobs.events()
        jobs.result()
        said({"sha256": shared * 2})
        for use in (
            lambda: open_kept(shared),
            lambda: intake.open_batch(batch),
            lambda: kept_piles.open_pile(pile),
            lambda: journal.resume((f"{i}.jpg" for i in range(9)), sha256="0" * 64, batch=2),
        ):
            with contextlib.suppress(HerbError):
                use()
        left = list(journal.rows())
        assert left == rows[: len(left)]

    return take


# The command line


def call_seeds() -> Seeds:
    """Calls of every command that work."""
    calls = """
        recognise good.png photos --json
        recognise pile.zip --out rows.csv --heatmaps maps
        recognise bad.jpg good.png --model more --out rows.jsonl
        evaluate photos --unknown empty --json
        evaluate photos
        check photos --json
        check pile.zip
        extend photos --name new --test photos --activate --json
        extend pile.zip --name new --model more
        train photos --name new --init active --preset quick --epochs 1 --batch 4 --json
        train photos --name new --init scratch --patience 0 --resume
        models
        models list --json
        models activate more
        models rollback
        models delete more
        models export small out.zip
        models import model.zip --name again
        models publish small somebody/herbs --private
        import weights.pth --name new --herbs labels.txt --json
        import weights.pth --name new --herbs photos --photos photos --preprocessing unit --activate
        models forget more 罗勒 --name less
        serve --host 127.0.0.1 --port 7860 --share
        --help
        recognise --help
    """
    return tuple(json_bytes(line.split()) for line in calls.strip().splitlines())


CALL_WORDS = (
    "--json", "--out", "--heatmaps", "--model", "--name", "--help", "--unknown", "--test", "--activate", "--init",
    "--preset", "--network", "--epochs", "--patience", "--batch", "--resume", "--private", "--herbs", "--photos", "--preprocessing", "weights.pth", "labels.txt", "bytes", "--host", "--port", "--",
    "-", "--version", "-v", "--no-json", "recognise", "models", "import", "small", "more", "nobody", "good.png", "bad.jpg",
    "photos", "empty", "pile.zip", "evil.zip", "model.zip", "notes.txt", "nowhere", "rows.csv", "rows.parquet",
    "rows.xyz", "maps", "photos/党参", "0", "1", "-1", "1e9", "99999999999999999999", "nan", "0x10", "党参", "dangshen",
)  # fmt: skip


def change_call(data: bytes, others: Seeds, rng: Random) -> bytes:
    words = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, way = rng.randrange(len(words) + 1), rng.randrange(6)
        # Nothing that leads out of the folder: what works is really done.
        odd = text(rng).replace("/", "").replace("..", "").replace("~", "").replace("\0", "")[:300]
        word = rng.choice(CALL_WORDS) if rng.random() < 0.7 else odd
        if way == 0:
            words[at:at] = [word]
        elif way == 1:
            words[at : at + 1] = [word]
        elif way == 2:
            del words[at : at + 1]
        elif way == 3:
            words[at:at] = words[at : at + 2]
        elif way == 4:
            words[at:] = json.loads(rng.choice(others))[at:]
        elif words and at < len(words):
            words[at] = f"{words[at]}={word}"
    return json_bytes(words)


def take_calls(folder: Path) -> Callable[[bytes], object]:
    """`python -m herbdemo WORDS`, in this process: exit status 0, 1, 2 or 130, and no traceback.

    All is done but what takes minutes or a network: training, downloading, publishing, serving.
    """
    import shutil
    import sys
    import types
    from urllib.error import URLError

    import torch.hub

    here = Path.cwd()
    os.environ |= {"HERBDEMO_HOME": str(folder / "now" / "home"), "HERBDEMO_ENGINE": "torch", "HF_HUB_OFFLINE": "1",
                   "COLUMNS": "80"}  # fmt: skip
    os.environ.pop("HF_TOKEN", None)
    template, now = folder / "template", folder / "now"
    (template / "empty").mkdir(parents=True)
    for path in small_models(template):
        if path.name != "old":
            shutil.copytree(path, template / "home" / "models" / path.name)
        shutil.rmtree(path)
    (template / "home" / "active.json").write_text('{"trail": ["small"]}')
    picture().save(template / "good.png")
    (template / "bad.jpg").write_bytes(b"\xff\xd8\xff spoilt")
    (template / "notes.txt").write_text("notes")
    (template / "weights.pth").write_bytes(pth_seeds()[0])
    (template / "labels.txt").write_text("党参\n枸杞子\n当归\n")
    (template / "pile.zip").write_bytes(zip_seeds()[0])
    (template / "evil.zip").write_bytes(zip_of([{"name": "../x.png", "data": b"x"}], Random(0)))
    (template / "model.zip").write_bytes(model_zip_seeds()[0])

    import herbdemo.ui as ui
    from herbdemo import atomic, cli, files, registry, train

    def no_network(*given, **options):
        raise URLError("no network")

    def no_training(*given, **options):
        raise HerbError("不训练。", "No training.", hint="no-training")

    torch.hub.load_state_dict_from_url = no_network
    train.train = no_training
    registry.Registry.__init__.__kwdefaults__["shipped"] = folder / "none"
    files.os = atomic.os = _NoSync(os)
    ui.app = sys.modules["herbdemo.ui.app"] = types.SimpleNamespace(
        build=lambda: None, serve=no_training
    )

    def take(data: bytes) -> None:
        words = json.loads(data.decode("utf-8", "surrogatepass"))
        shutil.rmtree(now, ignore_errors=True)
        shutil.copytree(template, now)
        os.chdir(now)
        sys.argv = ["herbdemo", *words]
        out, err, status = io.StringIO(), io.StringIO(), 0
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                cli.main()
        except SystemExit as end:
            status = end.code or 0
        finally:
            os.chdir(here)
        assert status in (0, 1, 2, 130), status
        assert "Traceback" not in err.getvalue()
        assert not list((now / "home").rglob(".saving-*"))
        assert sorted(path.name for path in folder.iterdir()) == ["now", "template"]
        if status:
            assert (out.getvalue() + err.getvalue()).strip(), "no word of what is wrong"
            raise HerbError("", "", hint=f"exit status {status}")

    return take


# One line each. `memory` bounds what one case may take: a photo of 40 megapixels is 160 MB in RGBA
# and passes through three such arrays on its way; a zip may hold one.
TARGETS: dict[str, Target] = {
    "photo": Target("`open_photo`", photo_seeds, change_photo, take_photos, 700 * MB),
    "zip": Target("`archive`: unpacked, read", zip_seeds, change_zip, take_zips, 300 * MB),
    "upload": Target(
        "`intake`: a zip, report, library", zip_seeds, change_zip, take_uploads, 300 * MB
    ),
    "model-zip": Target("`portable`: in, out", model_zip_seeds, change_model_zip, take_model_zips),
    "model": Target("`load_checkpoint`, all uses", model_seeds, change_model, take_models),
    "card": Target("`read_card`, all the page shows", card_seeds, change_card, take_cards),
    "label": Target("`labels`: a head's outputs", label_seeds, change_labels, take_labels),
    "pth": Target("`read_foreign`: PyTorch", pth_seeds, change_pth, take_pths, 128 * MB),
    "keras": Target("`read_keras`: HDF5", keras_seeds, change_keras, take_kerases, 128 * MB),
    "name": Target("`herbs`, folders, CSV and JSON", name_seeds, change_text, take_names, 100 * MB),
    "state": Target("files of `HERBDEMO_HOME`", state_seeds, change_state, take_states),
    "call": Target("the command line", call_seeds, change_call, take_calls, 200 * MB),
}
if importlib.util.find_spec("h5py") is None:  # who imports no file of Keras does without
    del TARGETS["keras"]
