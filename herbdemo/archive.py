"""A zip of class folders -> a temporary folder, or a HerbError that names what is wrong.

Everything is judged from the zip's directory before a byte is unpacked: names, kinds, sizes. What
the directory says is checked again while unpacking, since it may lie.
"""

import copy
import functools
import os
import re
import stat
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from herbdemo import zips
from herbdemo.dataset import PHOTO_SUFFIXES, is_litter
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors, is_portable, shown
from herbdemo.herbs import find
from herbdemo.photo import MAX_BYTES

MAX_TOTAL = 4 << 30  # bytes, packed or not, for photos hardly shrink: 1,000 as phones take them
MAX_ENTRIES = 50_000  # 908 herbs with 50 photos each, and the folders
MAX_DIRECTORY = 8 << 20  # bytes; zipfile reads it whole, and makes 1 kB of each 46 bytes
MAX_RATIO = 100  # unpacked to packed; BMPs of plain paper reach 50, bombs 1,000
RATIO_FREE = 1 << 20  # bytes up to which the ratio does not matter
MAX_PATH = 1024  # bytes of a whole name; most systems take no more
MAX_DEPTH = 16  # folders in one another
_CHUNK = 1 << 20
_NESTED = frozenset(".zip .rar .7z .tar .gz .tgz .bz2 .xz .zst .cab .iso".split())
_UTF8_FLAG, _ENCRYPTED_FLAGS = 0x800, 0x1 | 0x40 | 0x2000

_SENTENCES = {
    "zip-missing": (
        "找不到这个压缩包。请确认文件还在原处，然后重新选择。",
        "The zip was not found. Check that the file is still there and choose it again.",
    ),
    "zip-damaged": (
        "这个文件不是 zip 压缩包，或者已损坏。请重新打包或重新下载。",
        "This file is no zip, or it is damaged. Pack it or download it again.",
    ),
    "zip-entry-damaged": (
        "压缩包里的“{name}”已损坏。请重新打包或重新下载。",
        "“{name}” in the zip is damaged. Pack the zip or download it again.",
    ),
    "zip-too-large": (
        "压缩包或其内容超过 {limit} GB 的上限。请分成几个压缩包。",
        "The zip, or what it holds, exceeds the limit of {limit} GB. Split it into several.",
    ),
    "zip-too-many": (
        "压缩包里的文件超过 {limit} 个的上限。请分成几个压缩包。",
        "The zip holds more files than the limit of {limit}. Split it into several.",
    ),
    "zip-photo-too-large": (
        "压缩包里的“{name}”超过每张照片 {limit} MB 的上限。请缩小或移除它，再重新打包。",
        "“{name}” in the zip exceeds the limit of {limit} MB for a photo. "
        "Shrink it or take it out, and pack the zip again.",
    ),
    "zip-bomb": (
        "压缩包里的“{name}”解压后会大得反常，不予解压。请移除它，再重新打包。",
        "“{name}” in the zip would unpack to a suspicious size and is not unpacked. "
        "Take it out and pack the zip again.",
    ),
    "zip-encrypted": (
        "压缩包里的“{name}”有密码。请不加密码重新打包。",
        "“{name}” in the zip is encrypted. Pack the zip again without a password.",
    ),
    "zip-escape": (
        "压缩包里的“{name}”指向压缩包以外。请用系统自带的压缩功能重新打包。",
        "“{name}” in the zip points outside of it. Pack the zip again with your system's own tool.",
    ),
    "zip-link": (
        "压缩包里的“{name}”是链接或特殊文件。请放入照片本身，再重新打包。",
        "“{name}” in the zip is a link or a special file. "
        "Put the photo itself there and pack the zip again.",
    ),
    "zip-name": (
        "压缩包里的“{name}”名字太长，或不是每个系统都能用。请改名后重新打包。",
        "“{name}” in the zip has a name that is too long or that not every system can have. "
        "Rename it and pack the zip again.",
    ),
    "zip-twins": (
        "压缩包里的“{name}”出现两次，或有另一个名字只差大小写。请合并或改名，再重新打包。",
        "“{name}” is in the zip twice, or beside a name that differs only in case. "
        "Merge or rename them and pack the zip again.",
    ),
    "zip-nested": (
        "压缩包里还有压缩包“{name}”。请先把它解压，再重新打包。",
        "The zip holds another archive, “{name}”. Unpack that first, then pack the zip again.",
    ),
    "zip-method": (
        "压缩包里的“{name}”用了少见的压缩方法。请用系统自带的压缩功能重新打包。",
        "“{name}” in the zip is packed with a rare method. "
        "Pack the zip again with your system's own tool.",
    ),
    "zip-no-photos": (
        "压缩包里没有照片。请放入照片，再重新打包。",
        "The zip holds no photos. Put photos into it and pack it again.",
    ),
    "zip-empty": (
        "压缩包里没有放在药材文件夹中的照片。请为每种药材建一个文件夹，放入照片，再打包。",
        "The zip holds no photos in folders of herbs. "
        "Make one folder per herb, put its photos there, and pack them again.",
    ),
}


class _Photo(NamedTuple):
    parts: tuple[str, ...]  # folders and file name, as they are meant to be read
    info: zipfile.ZipInfo


class _Seen(NamedTuple):
    name: str
    is_file: bool


@contextmanager
def unpacked(path: str | Path, *, inside: Path | None = None) -> Iterator[Path]:
    """A temporary folder with the class folders of a zip and the photos in them, nothing else.

    They may lie at the top of the zip or below one wrapping folder. Photos beside the class
    folders lie beside them here, too.

    Args:
        inside: where to make the folder; the system's place for such things by default.

    Raises:
        HerbError: something about the zip is not as it must be; nothing is left on the disk.
    """
    with _opened(Path(path)) as archive:
        photos = _unwrapped(_judged(archive.infolist(), Path(path).stat().st_size))
        with disk_errors():
            temporary = tempfile.TemporaryDirectory(prefix=".unpacking-", dir=inside)
        with temporary as name:
            with disk_errors():
                for photo in photos:
                    _unpack(archive, photo, Path(name))
            yield Path(name)


@contextmanager
def photos_in(path: str | Path) -> Iterator[list[tuple[str, Callable[[], bytes]]]]:
    """The photos anywhere in a zip, sorted: each one's name there, and what reads its bytes.

    Nothing is unpacked to the disk. Several threads may read at a time; a photo that turns out to
    be damaged raises HerbError when it is read.

    Raises:
        HerbError: something about the zip is not as it must be.
    """
    with _opened(Path(path)) as archive:
        photos = _judged(archive.infolist(), Path(path).stat().st_size)
        if not photos:
            raise _refusal("zip-no-photos")
        yield [
            ("/".join(photo.parts), functools.partial(_bytes, archive, photo))
            for photo in sorted(photos, key=lambda photo: photo.parts)
        ]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if not os.path.isfile(path):  # reading a pipe may wait for ever; pathlib raises on a NUL
        raise _refusal("zip-missing")
    if path.stat().st_size > MAX_TOTAL:
        raise _refusal("zip-too-large", limit=MAX_TOTAL >> 30)
    with zips.opened(
        path,
        largest=MAX_DIRECTORY,
        too_large=_refusal("zip-too-many", limit=MAX_ENTRIES),
        damaged=_refusal("zip-damaged"),
    ) as archive:
        yield archive


def _judged(entries: Sequence[zipfile.ZipInfo], size: int) -> list[_Photo]:
    """The photos among the entries of a zip of `size` bytes, if nothing is wrong with any entry."""
    if len(entries) > MAX_ENTRIES:
        raise _refusal("zip-too-many", limit=MAX_ENTRIES)
    photos, total, packed = [], 0, 0
    seen: dict[str, _Seen] = {}  # every folder and file, by its name without case
    for info, name in zip(entries, _names(entries), strict=True):
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if name.startswith("/") or "\\" in name or ".." in parts or re.match("[A-Za-z]:", name):
            raise _refusal("zip-escape", name=shown(name))
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refusal("zip-link", name=shown(name))
        if any(map(is_litter, parts)):
            continue
        if (
            len(name.encode("utf-8", "replace")) > MAX_PATH
            or len(parts) > MAX_DEPTH
            or not all(map(is_portable, parts))
        ):
            raise _refusal("zip-name", name=shown(name))
        _check_twins(parts, seen, is_file=not name.endswith("/"))
        if name.endswith("/"):
            continue
        suffix = Path(name).suffix.lower()
        if suffix in _NESTED:
            raise _refusal("zip-nested", name=shown(name))
        if info.flag_bits & _ENCRYPTED_FLAGS:
            raise _refusal("zip-encrypted", name=shown(name))
        if suffix not in PHOTO_SUFFIXES:
            continue
        _check_size(info, name)
        packed += info.compress_size
        if packed > size:  # entries that share their bytes, to unpack them many times
            raise _refusal("zip-bomb", name=shown(name))
        total += info.file_size
        if total > MAX_TOTAL:
            raise _refusal("zip-too-large", limit=MAX_TOTAL >> 30)
        photos.append(_Photo(parts, info))
    return photos


def _names(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The names as they were meant, in NFC.

    A zip without the flag for UTF-8 may hold it nevertheless (macOS), or GBK (Windows in China).
    That is told from all names together: the two bytes of 小 in GBK are one letter in UTF-8, too.
    """
    raw = [None if e.flag_bits & _UTF8_FLAG else e.orig_filename.encode("cp437") for e in entries]
    unflagged = b"/".join(filter(None, raw))
    encoding = "utf-8" if _decoded(unflagged, "utf-8") is not None else "gb18030"
    names = []
    for entry, data in zip(entries, raw, strict=True):
        name = None if data is None else _decoded(data, encoding)
        names.append(unicodedata.normalize("NFC", entry.orig_filename if name is None else name))
    return names


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _check_twins(parts: tuple[str, ...], seen: dict[str, _Seen], *, is_file: bool) -> None:
    """Refuse a file that comes twice, and names that are one where case does not count."""
    for depth in range(1, len(parts) + 1):
        name = "/".join(parts[:depth])
        new = _Seen(name, is_file and depth == len(parts))
        known = seen.setdefault(name.casefold(), new)
        if known is not new and (known != new or new.is_file):
            raise _refusal("zip-twins", name=shown(name))


def _check_size(info: zipfile.ZipInfo, name: str) -> None:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refusal("zip-method", name=shown(name))
    if info.file_size > max(RATIO_FREE, MAX_RATIO * info.compress_size):
        raise _refusal("zip-bomb", name=shown(name))
    if info.file_size > MAX_BYTES:
        raise _refusal("zip-photo-too-large", name=shown(name), limit=MAX_BYTES >> 20)


def _unwrapped(photos: Sequence[_Photo]) -> list[_Photo]:
    """The photos without a wrapping folder: the only one at the top, if it has folders in it.

    One that bears the name of a herb is no wrapping, but that herb, its photos sorted further.
    """
    tops = {photo.parts[0] for photo in photos}
    if len(tops) == 1 and any(len(photo.parts) > 2 for photo in photos) and not find(*tops):
        photos = [_Photo(photo.parts[1:], photo.info) for photo in photos]
    if not any(len(photo.parts) > 1 for photo in photos):
        raise _refusal("zip-empty")
    return list(photos)


def _unpack(archive: zipfile.ZipFile, photo: _Photo, folder: Path) -> None:
    target = folder.joinpath(*photo.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        for chunk in _chunks(archive, photo):
            file.write(chunk)


def _bytes(archive: zipfile.ZipFile, photo: _Photo) -> bytes:
    return b"".join(_chunks(archive, photo))


def _chunks(archive: zipfile.ZipFile, photo: _Photo) -> Iterator[bytes]:
    """The photo's bytes, as many as the directory promises."""
    # zipfile stops at the promised size: asked for a byte more, it shows whether there is more.
    info = copy.copy(photo.info)
    info.file_size += 1
    size = 0
    try:
        with archive.open(info) as source:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                yield chunk
        if size != photo.info.file_size:
            raise zipfile.BadZipFile
    except Exception as error:  # on hostile bytes zipfile raises nearly everything there is
        raise _refusal("zip-entry-damaged", name=shown("/".join(photo.parts))) from error


def _refusal(hint: str, **facts: object) -> HerbError:
    zh, en = _SENTENCES[hint]
    return HerbError(zh.format(**facts), en.format(**facts), hint=hint)
