"""Zips of photos, and bytes that make a zip lie."""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random

from PIL import Image

from benchmarks.fuzzing.photos import encoded, photo_seeds, picture
from benchmarks.fuzzing.target import NoSync, Seeds
from benchmarks.mutate import mutated, text


def entries_of(data: bytes) -> list[dict]:
    """What `zip_of` makes a zip of again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [{"name": info.filename, "data": archive.read(info)} for info in archive.infolist()]


def zip_of(
    entries: Sequence[dict], rng: Random, *, comments: Sequence[bytes] = (b"", b"", b"x" * 20)
) -> bytes:
    """A zip of the entries, some of whose fields may be lies, with one of the comments if any."""
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
    count, comment = min(len(entries), 0xFFFF), rng.choice(comments) if comments else b""
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
    files.os = atomic.os = NoSync(os)
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
