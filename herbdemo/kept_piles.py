"""Piles of photos that are recognised for someone who looks at a page meanwhile.

Each lies in `HERBDEMO_HOME/piles/<id>/` with its photos, its rows and its thumbnails, so that it
outlives the server, and goes when nobody has touched it for hours. Its id cannot be guessed; who
knows it may see the pile, and nobody lists them.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from herbdemo.errors import HerbError
from herbdemo.files import disk_errors, home, sync_folder, write_synced
from herbdemo.given import Given, in_folder, in_zip
from herbdemo.intake import escapes, offered_folder
from herbdemo.journal import Journal

KEPT_SECONDS = 12 * 3600  # after the last row, a look or a download; a night's work is found
MOST_KEPT = 60  # piles on the disk at a time
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Limits:
    """How much one pile may hold: so many photos, of so many bytes together."""

    photos: int
    bytes: int


@dataclass(frozen=True)
class Pile:
    """Photos given together.

    Attributes:
        title: the name of the zip or of the folder; "" for photos given one by one.
        total: how many photos there are.
        kind: "photos", "zip" or "folder".
        source: for a folder its name below HERBDEMO_DATA.
    """

    id: str
    folder: Path
    title: str
    total: int
    kind: str
    source: str = ""

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "rows.jsonl")

    def thumb(self, number: int) -> Path:
        """Where the small picture of a photo is: with its heatmap, once it has an answer."""
        return self.folder / "thumbs" / f"{number:06d}.jpg"

    @contextmanager
    def photos(self) -> Iterator[Iterable[Given]]:
        """The photos in order, by their names as they were given.

        Raises:
            HerbError: they are not there any more.
        """
        if self.kind == "zip":
            with in_zip(self.folder / "given.zip") as photos:
                yield photos
        elif self.kind == "folder":
            base, folder = offered_folder(self.source)
            yield (one._replace(read=partial(_inside, base, one)) for one in in_folder(folder))
        else:
            names = sorted(path.name for path in (self.folder / "photos").iterdir())
            yield (Given(name, partial(Path, self.folder / "photos" / name)) for name in names)

    def touch(self) -> None:
        """Someone cares: begin anew to count the hours that it is kept."""
        with contextlib.suppress(OSError):
            os.utime(self.folder)


def keep_photos(files: Sequence[Path], limits: Limits | None) -> Pile:
    """A new pile of single photos, under their own names.

    Args:
        limits: None for none but those of every zip and photo.

    Raises:
        HerbError: too many, too large together, or the disk is full.
    """
    _check(len(files), sum(file.stat().st_size for file in files), limits)

    def fill(folder: Path) -> int:
        (folder / "photos").mkdir()
        for file in files:
            target = folder / "photos" / file.name
            number = 1
            while target.exists():  # two photos of one name, from two folders
                number += 1
                target = target.with_name(f"{file.stem} ({number}){file.suffix}")
            _link(file, target)
        return len(files)

    return _kept(fill, kind="photos")


def keep_zip(file: Path, title: str, limits: Limits | None) -> Pile:
    """A new pile of the photos in a zip.

    Raises:
        HerbError: the zip is refused, holds too much, or the disk is full.
    """

    def fill(folder: Path) -> int:
        with in_zip(file) as photos:
            _check(len(photos), file.stat().st_size, limits)
        _link(file, folder / "given.zip")
        return len(photos)

    return _kept(fill, kind="zip", title=title)


def keep_folder(name: str) -> Pile:
    """A new pile of the photos in `HERBDEMO_DATA/name`, which stay where they are.

    Raises:
        HerbError: there is no such folder, it lies elsewhere, or it holds no photos.
    """
    _, found = offered_folder(name)
    total = sum(1 for _ in in_folder(found))
    _check(total, 0, None)
    return _kept(lambda folder: total, kind="folder", title=found.name, source=name)


def open_pile(pile_id: str) -> Pile:
    """The pile of that id.

    Raises:
        HerbError: it was deleted or forgotten, or never was.
    """
    folder = home() / "piles" / pile_id
    try:
        if not _ID.fullmatch(pile_id):
            raise FileNotFoundError
        facts = json.loads((folder / "pile.json").read_text("utf-8"))
        return Pile(pile_id, folder, **facts)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise HerbError(
            "这批照片已经不在了。请重新添加。",
            "These photos are no longer there. Give them again.",
            hint="pile-missing",
        ) from error


def delete(pile: Pile) -> None:
    """Delete a pile with all its photos; one that is gone already is no error."""
    _remove(pile.folder)


def sweep() -> None:
    """Delete piles that nobody has touched for hours, and what a crash has left of others."""
    for folder in (home() / "piles").glob("*"):
        with contextlib.suppress(OSError):  # another one was quicker
            touched = folder.stat().st_mtime
            with contextlib.suppress(FileNotFoundError):  # nothing of it was recognised yet
                touched = max(touched, (folder / "rows.jsonl").stat().st_mtime)
            if time.time() - touched > KEPT_SECONDS:
                _remove(folder)


def _kept(fill: Callable[[Path], int], *, kind: str, title: str = "", source: str = "") -> Pile:
    """Make a pile whose folder is there whole or not at all."""
    piles = home() / "piles"
    sweep()
    with disk_errors():
        piles.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in piles.iterdir()) >= MOST_KEPT:
        raise HerbError(
            "这里暂存的照片太多了。请过几个小时再来。",
            "Too many photos are kept here at the moment. Come back in a few hours.",
            hint="piles-full",
        )
    pile_id = secrets.token_hex(16)
    making = piles / f".making-{pile_id}"
    try:
        with disk_errors():
            making.mkdir(mode=0o700)
            (making / "thumbs").mkdir()
            total = fill(making)
            facts = {"title": title, "total": total, "kind": kind, "source": source}
            write_synced(making / "pile.json", json.dumps(facts, ensure_ascii=False).encode())
            making.rename(piles / pile_id)
            sync_folder(piles)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return open_pile(pile_id)


def _remove(folder: Path) -> None:
    """Delete a folder that nobody shall find half of."""
    doomed = folder.with_name(f".deleting-{folder.name.removeprefix('.deleting-')}")
    with contextlib.suppress(OSError):
        folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _check(photos: int, size: int, limits: Limits | None) -> None:
    if not photos:
        raise HerbError(
            "这里没有照片。请选择照片，或换一个文件夹。",
            "There are no photos here. Choose photos, or another folder.",
            hint="pile-empty",
        )
    if limits and photos > limits.photos:
        raise HerbError(
            f"一次最多 {limits.photos} 张照片，这里有 {photos} 张。请分批添加。",
            f"At most {limits.photos} photos at a time; these are {photos}. Give fewer at once.",
            hint="pile-too-many",
        )
    if limits and size > limits.bytes:
        raise HerbError(
            f"这些照片共超过 {limits.bytes >> 20} MB 的上限。请分批添加。",
            f"Together these photos exceed the limit of {limits.bytes >> 20} MB. "
            "Give fewer at once.",
            hint="pile-too-large",
        )


def _inside(base: Path, one: Given) -> Path:
    path = one.read()
    assert isinstance(path, Path)
    if not path.resolve().is_relative_to(base):
        raise escapes()
    return path


def _link(file: Path, target: Path) -> None:
    """The same file under another name, or a copy where that cannot be: uploads are deleted."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)
