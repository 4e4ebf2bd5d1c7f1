"""Photos as they are given: one by one, in folders, in zips. None is opened here."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from herbdemo.archive import photos_in
from herbdemo.dataset import PHOTO_SUFFIXES, is_litter


class Given(NamedTuple):
    """A photo to be recognised: its name as whoever gave it knows it, and where it comes from."""

    name: str
    read: Callable[[], Path | bytes]


@contextmanager
def given(paths: Iterable[str | Path]) -> Iterator[Iterator[Given]]:
    """The photos that `paths` name, in order: photos, folders with all below them, zips.

    Folders are walked while the photos are used, in the order of `dataset.photos_below`. Names
    begin with the path as given.

    Raises:
        HerbError: a zip is refused. A photo that is missing is only found out later, by its row.
    """
    with ExitStack() as zips:
        yield chain.from_iterable([_below(Path(path), zips) for path in paths])


def _below(path: Path, zips: ExitStack) -> Iterable[Given]:
    found: Iterable[Given]
    if os.path.isdir(path):  # pathlib raises where a name is too long
        found = in_folder(path)
    elif path.suffix.lower() == ".zip":
        found = zips.enter_context(in_zip(path))
    else:
        return (Given(text_of(path), lambda: path),)
    return (one._replace(name=text_of(path / one.name)) for one in found)


def in_folder(folder: Path) -> Iterator[Given]:
    """The photos below a folder, by their names as seen from there."""
    for name in walked(folder):
        yield Given(text_of(name), partial(Path, folder / name))


@contextmanager
def in_zip(path: Path) -> Iterator[list[Given]]:
    """The photos in a zip, by their names there.

    Raises:
        HerbError: the zip is refused.
    """
    with photos_in(path) as entries:
        yield [Given(name, read) for name, read in entries]


def text_of(path: Path) -> str:
    """A path as text that any file can hold: names on a disk need not be UTF-8."""
    return path.as_posix().encode("utf-8", "replace").decode()


def walked(folder: Path, inside: Path = Path()) -> Iterator[Path]:
    """What `dataset.photos_below` lists, relative to `folder`; one folder's names in memory."""
    try:
        with os.scandir(folder / inside) as entries:
            found = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries)
    except OSError:  # it may not be read, or was removed meanwhile
        return
    for name, is_folder in found:
        if is_litter(name):
            continue
        if is_folder:
            yield from walked(folder, inside / name)
        elif Path(name).suffix.lower() in PHOTO_SUFFIXES and (folder / inside / name).is_file():
            yield inside / name
