"""Directories of tags, as a TIFF and EXIF have them, read without copying what they point to."""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

TIFF_MAGIC = re.compile(rb"II[*+]\0|MM\0[*+]")
STRIPS, STRIP_BYTES, TILES, TILE_BYTES = 273, 279, 324, 325
_ORIENTATION = 274
_NESTED = (34665, 34853, 40965)  # EXIF, GPS and interoperability have directories of their own
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES |= {16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}


class Entry(NamedTuple):
    """An entry of a TIFF directory: `count` values of a `kind`, see TIFF 6.0, section 2."""

    tag: int
    kind: int
    count: int  # type: ignore[assignment]  # tuples have a method of that name
    field: bytes  # the value, or where it is when it does not fit
    order: str  # of its bytes, "<" or ">"

    def integers(self, data: bytes) -> tuple[int, ...]:
        """Its values, which lie in the entry or elsewhere in `data`.

        Raises:
            KeyError, struct.error: they are no integers, or the file ends before them.
        """
        size = self.count * _BYTES[self.kind]
        value = self.field
        if size > len(value):
            start = int.from_bytes(value, "little" if self.order == "<" else "big")
            value = data[start : start + size]
        return struct.unpack(f"{self.order}{self.count}{_INTEGERS[self.kind]}", value[:size])


def directory(data: bytes, start: int | None = None) -> Iterator[Entry]:
    """The entries of the directory at `start` or of the first one; EOFError where it is cut."""
    order, large = ("<" if data[:2] == b"II" else ">"), 43 in data[2:4]
    offset, entries, entry = ("Q", "Q", "HHQ8s") if large else ("I", "H", "HHI4s")
    if start is None:
        (start,) = struct.unpack_from(order + offset, data, 8 if large else 4)
    (count,) = struct.unpack_from(order + entries, data, start)
    if count > 65_535:  # only the large kind can say so
        raise ValueError
    start += struct.calcsize(order + entries)
    size = struct.calcsize(order + entry)
    table = data[start : start + count * size]
    whole = table[: len(table) // size * size]
    for tag, kind, number, field in struct.iter_unpack(order + entry, whole):
        yield Entry(tag, kind, number, field, order)
    if len(table) < count * size:
        raise EOFError


def claimed_bytes(data: bytes) -> int:
    """How many bytes the tags of all directories want, those counted twice which two point to."""
    starts: list[int | None] = [None]
    claimed = 0
    for start in starts:
        with suppress(struct.error, EOFError):  # spoilt EXIF must not cost a good photo
            for entry in directory(data, start):
                size = entry.count * _BYTES.get(entry.kind, 0)
                claimed += size if size <= len(data) else 0  # a decoder stops at what is not there
                if entry.tag in _NESTED and entry.kind in _INTEGERS and len(starts) < 8:
                    with suppress(struct.error, IndexError):
                        starts.append(entry.integers(data)[0])
    return claimed


def orientation(info: dict) -> int:
    """The EXIF or XMP orientation, 1 to 8, from the `info` of a decoded picture; 1 if in doubt."""
    try:
        exif = info.get("exif") or b""
        if not exif and "Raw profile type exif" in info:  # as ImageMagick writes it, in hex
            exif = bytes.fromhex("".join(info["Raw profile type exif"].split("\n")[3:]))
        exif = exif.removeprefix(b"Exif\0\0")
        for entry in directory(exif) if exif else ():
            if entry.tag == _ORIENTATION:
                return entry.integers(exif)[0]
        xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
        xmp = xmp if isinstance(xmp, bytes) else xmp.encode()
        found = re.search(rb'tiff:Orientation(?:="|>)([1-8])', xmp)
        return int(found[1]) if found else 1
    except Exception:  # a good picture with spoilt EXIF is still a good picture
        return 1
