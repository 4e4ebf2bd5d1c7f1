"""Zips that no system's own tool makes, written byte by byte so that they can lie.

`HOSTILE` is the table: what it is, what is in it, the hint of the refusal it must get, and what the
refusal must name.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from toys import encoded, herb_picture

from herbdemo.archive import MAX_ENTRIES

STORED, DEFLATED, BZIP2, LZMA, DEFLATE64 = 0, 8, 12, 14, 9
UTF8, ENCRYPTED = 0x800, 0x1
FILE, LINK, FOLDER, PIPE = 0o100644, 0o120777, 0o040755, 0o010644


@dataclass(frozen=True)
class Entry:
    """A file in a zip; whatever is given in place of a default may be a lie.

    `size` and `packed` are what the directory says of the bytes unpacked and packed; `at` is the
    entry whose bytes this one claims for itself.
    """

    name: str | bytes
    data: bytes = b""
    method: int = DEFLATED
    flags: int | None = None
    mode: int = FILE
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    at: int | None = None
    other_name: bytes | None = None  # in front of the data, where the directory says `name`

    @property
    def raw(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def flag_bits(self) -> int:
        return self.flags if self.flags is not None else UTF8 * isinstance(self.name, str)


def zip_of(entries: Iterable[Entry], *, comment: bytes = b"") -> bytes:
    """A zip of `entries`, in their order."""
    body, directory, starts = io.BytesIO(), io.BytesIO(), []
    for e in entries:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(e.data) + packer.flush() if e.method == DEFLATED else e.data
        crc = zlib.crc32(e.data) if e.crc is None else e.crc
        sizes = (
            len(packed) if e.packed is None else e.packed,
            len(e.data) if e.size is None else e.size,
        )
        starts.append(body.tell() if e.at is None else starts[e.at])
        if e.at is None:
            name = e.raw if e.other_name is None else e.other_name
            head = (20, e.flag_bits, e.method, 0, 0x21, crc, *sizes, len(name), 0)
            body.write(b"PK\3\4" + struct.pack("<5H3L2H", *head) + name + packed)
        head = (0x314, 20, e.flag_bits, e.method, 0, 0x21, crc, *sizes, len(e.raw), 0, 0, 0, 0,
                e.mode << 16, starts[-1])  # fmt: skip
        directory.write(b"PK\1\2" + struct.pack("<6H3L5H2L", *head) + e.raw)
    listed = min(len(starts), 0xFFFF)
    end = struct.pack("<4H2LH", 0, 0, listed, listed, directory.tell(), body.tell(), len(comment))
    return body.getvalue() + directory.getvalue() + b"PK\5\6" + end + comment


def photo(seed: int = 0) -> bytes:
    return encoded(herb_picture("党参", seed))


def among_good(*bad: Entry) -> bytes:
    """The bad entries behind two good photos, which must not be left on the disk either."""
    return zip_of([*(Entry(f"党参/{seed}.png", photo(seed)) for seed in range(2)), *bad])


def nested() -> bytes:
    """A zip in a zip in a zip."""
    data = zip_of([Entry("党参/1.png", photo())])
    for _ in range(2):
        data = zip_of([Entry("党参/inner.zip", data)])
    return data


def many(count: int, *, length: int = 0) -> bytes:
    return zip_of(Entry(f"a/{i:0{length}}.png", method=STORED) for i in range(count))


def quine() -> bytes:
    """A bomb that is not nested: 500 entries that all unpack the same bytes (Fifield 2019)."""
    kernel = random.Random(0).randbytes(100_000) + bytes(5_000_000)  # 1 : 48, which may pass
    first = Entry("党参/0.png", kernel)
    size = len(zip_of([first]))
    again = (Entry(f"党参/{i}.png", size=len(kernel), packed=size - 120, crc=zlib.crc32(kernel),
                   at=0) for i in range(1, 500))  # fmt: skip
    return zip_of([first, *again])


def directory_elsewhere() -> bytes:
    """A directory said to start behind the end of the file."""
    data = bytearray(zip_of([Entry("党参/1.png", photo())]))
    data[-6:-2] = struct.pack("<L", len(data) * 2)
    return bytes(data)


def directory_huge(size: int) -> bytes:
    """A directory of `size` bytes, said by its end and really there."""
    data = zip_of([Entry("党参/1.png", photo())])
    start = struct.unpack("<L", data[-6:-2])[0]
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, size, start, 0)
    return data[:start] + bytes(size) + end


def cut(part: float) -> bytes:
    data = zip_of(Entry(f"党参/{seed}.png", photo(seed)) for seed in range(20))
    return data[: int(len(data) * part)]


def flipped() -> bytes:
    """One bit of a photo's packed bytes is another."""
    data = bytearray(zip_of([Entry("党参/1.png", photo(), method=STORED)]))
    data[len(data) // 2] ^= 1
    return bytes(data)


class Case(NamedTuple):
    """One hostile zip: its name, its bytes, the refusal's hint and what the refusal names."""

    name: str
    make: Callable[[], bytes]
    hint: str
    names: str = ""


def _bad(name: str, hint: str, entry: str | bytes, names: str | None = None, **lies) -> Case:
    data = lies.pop("data", photo(9))
    shown = names if names is not None else str(entry)
    return Case(name, lambda: among_good(Entry(entry, data, **lies)), hint, shown)


HOSTILE = (
    # No zip at all
    Case("empty", lambda: b"", "zip-damaged"),
    Case("photo", photo, "zip-damaged"),
    Case("rar", lambda: b"Rar!\x1a\7\0" + bytes(99), "zip-damaged"),
    Case("end-alone", lambda: b"PK\5\6" + bytes(18), "zip-empty"),
    Case("half", lambda: cut(0.5), "zip-damaged"),
    Case("nearly-all", lambda: cut(0.99), "zip-damaged"),
    Case("directory-elsewhere", directory_elsewhere, "zip-entry-damaged", "党参/1.png"),
    Case("directory-of-zeros", lambda: directory_huge(1 << 20), "zip-damaged"),
    Case("directory-huge", lambda: directory_huge(9 << 20), "zip-too-many"),
    Case("bit-flipped", flipped, "zip-entry-damaged", "党参/1.png"),
    Case("name-no-utf8", lambda: among_good(Entry(b"\xff.png", flags=UTF8)), "zip-damaged"),
    # Out of the folder
    _bad("slip", "zip-escape", "../x.png"),
    _bad("slip-deep", "zip-escape", "党参/../../../x.png"),
    _bad("slip-in-litter", "zip-escape", "__MACOSX/../../.x.png"),
    _bad("slip-no-photo", "zip-escape", "../../.ssh/authorized_keys"),
    _bad("absolute", "zip-escape", "/etc/x.png"),
    _bad("absolute-share", "zip-escape", "//server/x.png"),
    _bad("backslashes", "zip-escape", "..\\..\\x.png"),
    _bad("backslash-inside", "zip-escape", "党参\\x.png"),
    _bad("drive", "zip-escape", "C:/x.png"),
    _bad("drive-relative", "zip-escape", "c:x.png"),
    _bad("link", "zip-link", "党参/x.png", data=b"/etc/passwd", mode=LINK),
    _bad("link-to-folder", "zip-link", "枸杞", data=b"/", mode=LINK),
    _bad("pipe", "zip-link", "党参/pipe.png", data=b"", mode=PIPE),
    # Names that not every system can have
    _bad("300-characters", "zip-name", "a" * 296 + ".png", "a" * 20 + "…" + "a" * 16 + ".png"),
    _bad("300-characters-folder", "zip-name", "参" * 300 + "/1.png", "参" * 20),
    _bad("long-path", "zip-name", "/".join(["深" * 60] * 8) + "/1.png", "深" * 20),
    _bad("too-deep", "zip-name", "a/" * 40 + "1.png", "a/a/"),
    _bad("con", "zip-name", "CON/1.png"),
    _bad("con-file", "zip-name", "党参/con.png"),
    _bad("nul", "zip-name", "党参/nul.tar.png"),
    _bad("com1", "zip-name", "com1/1.png"),
    _bad("trailing-dot", "zip-name", "党参./1.png"),
    _bad("trailing-space", "zip-name", "党参 /1.png"),
    _bad("stream", "zip-name", "党参/1.png:evil.png"),
    _bad("wildcard", "zip-name", "党参/*.png"),
    _bad("control", "zip-name", "党参/\x1b[31m.png", "党参/�[31m.png"),
    _bad("nul-byte", "zip-name", "党参/x.png\0.exe", "党参/x.png�.exe"),
    _bad("right-to-left", "zip-name", "党参/\u202egnp.exe.png", "党参/�gnp.exe.png"),
    _bad("line-end", "zip-name", "党参/a\n.png", "党参/a�.png"),
    Case(
        "case-only-folders",
        lambda: among_good(Entry("党参/X/1.png", photo()), Entry("党参/x/2.png", photo())),
        "zip-twins",
        "党参/x",
    ),
    Case(
        "case-only-herbs",
        lambda: zip_of([Entry("Basil/1.png", photo()), Entry("basil/2.png", photo())]),
        "zip-twins",
        "basil",
    ),
    Case(
        "case-only-files",
        lambda: zip_of([Entry("党参/a.png", photo()), Entry("党参/A.PNG", photo())]),
        "zip-twins",
        "党参/A.PNG",
    ),
    Case(
        "composed-and-decomposed",
        lambda: zip_of([Entry("é/a.png", photo()), Entry("e\u0301/a.png", photo())]),
        "zip-twins",
        "é/a.png",
    ),
    _bad("twice", "zip-twins", "党参/1.png"),
    _bad("file-and-folder", "zip-twins", "党参/1.png/2.png", "党参/1.png"),
    # Too much
    _bad("ratio-bomb", "zip-bomb", "党参/x.png", data=bytes(30 << 20)),
    Case("shared-bytes-bomb", quine, "zip-bomb", "党参/1.png"),
    Case("nested-bomb", nested, "zip-nested", "党参/inner.zip"),
    _bad("nested-rar", "zip-nested", "党参/more.RAR"),
    Case("count-bomb", lambda: many(MAX_ENTRIES + 1), "zip-too-many"),
    Case("count-bomb-long-names", lambda: many(40_000, length=200), "zip-too-many"),
    Case(
        "photo-too-large",
        lambda: among_good(Entry("党参/x.png", bytes(51 << 20), method=STORED)),
        "zip-photo-too-large",
        "党参/x.png",
    ),
    # What cannot be unpacked
    _bad("encrypted", "zip-encrypted", "党参/x.png", flags=UTF8 | ENCRYPTED),
    _bad("encrypted-strongly", "zip-encrypted", "党参/x.png", flags=UTF8 | ENCRYPTED | 0x40),
    _bad("encrypted-text", "zip-encrypted", "notes.txt", flags=UTF8 | ENCRYPTED),
    _bad("bzip2", "zip-method", "党参/x.png", method=BZIP2),
    _bad("lzma", "zip-method", "党参/x.png", method=LZMA),
    _bad("deflate64", "zip-method", "党参/x.png", method=DEFLATE64),
    _bad("method-unheard-of", "zip-method", "党参/x.png", method=77),
    # Lies
    _bad("more-than-promised", "zip-entry-damaged", "党参/x.png", data=bytes(9000), size=4000,
         crc=zlib.crc32(bytes(4000))),
    _bad("less-than-promised", "zip-entry-damaged", "党参/x.png", size=90_000),
    _bad("wrong-checksum", "zip-entry-damaged", "党参/x.png", crc=5),
    Case(
        "not-deflated",
        lambda: among_good(Entry("党参/x.png", photo(), method=STORED)).replace(
            struct.pack("<2H", UTF8, STORED), struct.pack("<2H", UTF8, DEFLATED)
        ),
        "zip-entry-damaged",
        "党参/x.png",
    ),
    _bad("other-name-inside", "zip-entry-damaged", "党参/x.png", other_name=b"../../x.png"),
    # Nothing of use
    Case("no-photos", lambda: zip_of([Entry("党参/notes.txt", b"x")]), "zip-empty"),
    Case("no-folders", lambda: zip_of([Entry("1.png", photo())]), "zip-empty"),
    Case("no-entries", lambda: zip_of([]), "zip-empty"),
    Case("only-litter", lambda: zip_of([Entry("__MACOSX/党参/._1.png", b"x")]), "zip-empty"),
)  # fmt: skip


def written(folder: Path, data: bytes) -> Path:
    (folder / "given.zip").write_bytes(data)
    return folder / "given.zip"
