"""The photos that owners gave, by herb: what a model learns from, and what keeps growing.

`HERBDEMO_HOME/library/<herb>/<sha256>.jpg`, upright, at most 1024 px. The name is the sha256 of
the file as it was given, so the same photo is kept once. A photo is there whole or not at all.
"""

import io
import os
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from herbdemo.atomic import replace_file
from herbdemo.dataset import KEPT_PHOTO, is_litter
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors, home, is_portable, shown, sync_folder
from herbdemo.herbs import find
from herbdemo.photo import open_photo

LONGEST = 1024  # px: more than four times what the networks see, so a larger one may come
QUALITY = 92  # of the JPEG: higher only adds bytes
MAX_NAME = 40  # characters of a herb's name; the longest in the catalogue has 8


@dataclass(frozen=True)
class Entry:
    """A photo of the library; `new` says whether `add` has just put it there."""

    herb: str
    sha256: str
    path: Path
    new: bool = False


def herb_folder(name: str) -> str:
    """The folder of a herb by any of its names: the id where the catalogue knows it.

    Any other name is a herb of its own, in NFC and without spaces around it.

    Raises:
        HerbError: not every system can have a folder of that name.
    """
    if herb := find(name):
        return herb.zh
    clean = unicodedata.normalize("NFC", name).strip()
    if (
        len(clean) > MAX_NAME
        or not is_portable(clean)
        or is_litter(clean)
        or not any(map(str.isalnum, clean))
    ):
        raise HerbError(
            f"“{shown(name)}”不能用作药材名。请用 1 到 {MAX_NAME} 个字符的名字，"
            "不以点开头或结尾，不含斜杠、冒号、引号之类的符号，也不是 con、nul 之类的系统保留名。",
            f"“{shown(name)}” cannot be the name of a herb. Use 1 to {MAX_NAME} characters, "
            "no dot at either end, no slash, colon, quotation mark or the like, "
            "and none of the names such as con or nul that Windows keeps for itself.",
            hint="herb-name",
        )
    return clean


def reduced(source: Path | bytes) -> tuple[str, bytes]:
    """The sha256 of a photo as given, and the JPEG that is kept of it.

    Raises:
        HerbError: the photo does not open.
    """
    photo = open_photo(source, longest=LONGEST)
    stream = io.BytesIO()
    photo.image.save(stream, "JPEG", quality=QUALITY)
    return photo.sha256, stream.getvalue()


class Library:
    """Photos by herb in a folder.

    Args:
        root: the folder; `home()/library` by default.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home() / "library"

    def add(self, source: Path | bytes, herb: str, *, move: bool = False) -> Entry:
        """Keep a photo of `herb`, by any of its names. Adding it again changes nothing.

        Args:
            move: this is a correction: take the photo away from the herb that it is kept under.

        Raises:
            HerbError: the photo does not open, the name is unusable, the disk is full, or, without
                `move`, the photo is kept under another herb.
        """
        herb = herb_folder(herb)
        sha256, data = reduced(source)
        known = next((entry for entry in self._places(sha256) if entry.path.is_file()), None)
        if known and known.herb == herb:
            return known
        if known and not move:
            raise HerbError(
                f"这张照片已在“{known.herb}”之下。如果那里放错了，请用“更正”把它移过来。",
                f"This photo is kept under “{known.herb}” already. "
                "If that is wrong, move it here with a correction.",
                hint="photo-other-herb",
            )
        with disk_errors():
            if known:
                return self._place(known.path, herb, sha256)
            entry = Entry(herb, sha256, self.root / herb / f"{sha256}.jpg", new=True)
            replace_file(entry.path, data)
        return entry

    def adopt(self, other: "Library") -> int:
        """Move the photos of `other`, on the same disk, in here; returns how many were new.

        Those that are here already, under whichever herb, stay where they are on both sides.
        """
        known = {entry.sha256 for entry in self.entries()}
        moved = []
        with disk_errors():
            for entry in other.entries():
                if entry.sha256 not in known:
                    moved.append(self._place(entry.path, herb_folder(entry.herb), entry.sha256))
                    known.add(entry.sha256)
            for folder in {entry.path.parent for entry in moved}:  # once each: 4 ms a time
                sync_folder(folder)
        return len(moved)

    def herbs(self) -> dict[str, int]:
        """The number of photos of each herb that has any."""
        counts = {folder.name: sum(1 for _ in _photos(folder)) for folder in self._folders()}
        return {herb: count for herb, count in counts.items() if count}

    def photos(self, herb: str) -> list[Entry]:
        """The photos of `herb`: as `herbs` lists it, or by any of its names."""
        return list(_photos(self._folder(herb)))

    def entries(self) -> list[Entry]:
        """All photos, by herb."""
        return [entry for folder in self._folders() for entry in _photos(folder)]

    def remove(self, herb: str, sha256: str | None = None) -> int:
        """Delete one photo of `herb`, or all of them; returns how many there were."""
        doomed = [entry for entry in self.photos(herb) if sha256 in (None, entry.sha256)]
        with disk_errors():
            for entry in doomed:
                entry.path.unlink(missing_ok=True)
            with suppress(OSError):  # other photos are left in it
                self._folder(herb).rmdir()
        return len(doomed)

    def _folder(self, herb: str) -> Path:
        """Where its photos lie; a folder that an owner put here by hand keeps its name."""
        listed = {folder.name: folder for folder in self._folders()}
        return listed.get(herb) or self.root / herb_folder(herb)

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return sorted(f for f in self.root.iterdir() if not is_litter(f.name) and f.is_dir())

    def _places(self, sha256: str) -> Iterator[Entry]:
        """Where a photo would lie under each of the herbs."""
        for folder in self._folders():
            yield Entry(folder.name, sha256, folder / f"{sha256}.jpg")

    def _place(self, file: Path, herb: str, sha256: str) -> Entry:
        folder = self.root / herb
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(file, folder / f"{sha256}.jpg")
        return Entry(herb, sha256, folder / f"{sha256}.jpg")


def _photos(folder: Path) -> Iterator[Entry]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if KEPT_PHOTO.fullmatch(path.name):
                yield Entry(folder.name, path.stem, path)
