"""Photos on their way into the library: from a zip, from files, from a folder on the server.

Whatever comes in waits as a batch in `HERBDEMO_HOME/incoming/<id>/` until its owner accepts or
discards it. A batch has the layout of the library and is there whole or not at all. Photos that do
not open are set aside with the reason; they do not stop the others.

Every function takes `root`, another home than the usual one, such as a visitor's sandbox.
"""

import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from herbdemo.archive import unpacked
from herbdemo.dataset import photos_below, scan
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors, home, sync_folder, write_synced
from herbdemo.library import Library, herb_folder, reduced

THREADS = 4  # photos at a time; one of 40 megapixels takes 160 MB while it is decoded
KEPT_SECONDS = 24 * 3600  # an owner who has not decided by then has forgotten the batch
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Refused:
    """A file that was set aside, by its name as given, and why."""

    file: str
    error: HerbError


@dataclass(frozen=True)
class Batch:
    """Photos that wait for their owner's decision.

    Attributes:
        folder: `folder/<herb>/<sha256>.jpg`, as in the library.
        herbs: photos of each herb.
        names: each name that the owner gave, of a folder or typed, and the herb it was taken for.
        merged: photos of each herb that were given more than once, and are kept once.
    """

    id: str
    folder: Path
    herbs: dict[str, int]
    refused: tuple[Refused, ...]
    names: Mapping[str, str]
    merged: Mapping[str, int]


class _Item(NamedTuple):
    file: str  # as the owner knows it
    source: Path | bytes
    herb: str  # any name of it


def take_zip(
    path: str | Path,
    *,
    root: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Batch:
    """A batch of the class folders in a zip, see `archive.unpacked`.

    Raises:
        HerbError: the zip is refused, a folder's name cannot be a herb's, or the disk is full.
    """
    with unpacked(path, inside=_incoming(root)) as folder:
        return _take(_items(folder), root, progress, refused=loose_photos(folder))


def take_files(
    sources: Sequence[str | Path | bytes],
    herb: str,
    *,
    root: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Batch:
    """A batch of photos that all show one herb, such as those of a webcam.

    Raises:
        HerbError: the name cannot be a herb's, or the disk is full.
    """
    items = [
        _Item(f"{number}", source, herb)
        if isinstance(source, bytes)
        else _Item(Path(source).name, Path(source), herb)
        for number, source in enumerate(sources, start=1)
    ]
    return _take(items, root, progress)


def take_folder(
    name: str,
    *,
    root: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Batch:
    """A batch of the class folders in `HERBDEMO_DATA/name`, a folder on the server.

    Raises:
        HerbError: there is no such folder, it lies elsewhere, or it holds no photos.
    """
    base, folder = offered_folder(name)
    items, escaping = [], []
    for item in _items(folder):
        assert isinstance(item.source, Path)
        if item.source.resolve().is_relative_to(base):
            items.append(item)
        else:
            escaping.append(Refused(item.file, escapes()))
    return _take(items, root, progress, refused=(*loose_photos(folder), *escaping))


def offered_folder(name: str) -> tuple[Path, Path]:
    """The folder of data that the server offers, HERBDEMO_DATA, and `name` below it.

    Raises:
        HerbError: the server offers none, or there is no such folder in it.
    """
    offered = os.environ.get("HERBDEMO_DATA")
    if not offered:
        raise HerbError(
            "服务器没有开放数据文件夹。请在启动前设置 HERBDEMO_DATA，或上传压缩包。",
            "The server offers no folder of data. Set HERBDEMO_DATA before it starts, "
            "or upload a zip.",
            hint="data-not-offered",
        )
    base = Path(offered).resolve()
    try:
        folder = (base / name).resolve()
        inside = folder.is_relative_to(base) and folder.is_dir()
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, links in a circle
        inside = False
    if not inside:
        raise HerbError(
            "数据文件夹里没有这个文件夹。请输入相对于数据文件夹的名字。",
            "The folder of data has no such folder in it. Give its name as seen from there.",
            hint="folder-missing",
        )
    return base, folder


def open_batch(batch_id: str, *, root: Path | None = None) -> Batch:
    """The batch of that id.

    Raises:
        HerbError: it was accepted, discarded or forgotten, or never was.
    """
    folder = (root or home()) / "incoming" / batch_id
    try:
        if not _ID.fullmatch(batch_id):
            raise FileNotFoundError
        facts = json.loads((folder / "batch.json").read_text("utf-8"))
        refused = [
            Refused(r["file"], HerbError(r["zh"], r["en"], hint=r["hint"]))
            for r in facts["refused"]
        ]
        return Batch(batch_id, folder, Library(folder).herbs(), tuple(refused), facts["names"],
                     facts.get("merged", {}))  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HerbError(
            "这批照片已经不在了。请重新添加。",
            "This batch of photos is no longer there. Add the photos again.",
            hint="batch-missing",
        ) from error


def waiting(*, root: Path | None = None) -> list[str]:
    """The ids of the batches that wait for a decision, the newest first."""
    folders = (root or home()).glob("incoming/*")
    return sorted((f.name for f in folders if _ID.fullmatch(f.name)), reverse=True)


def accept(batch_id: str, *, root: Path | None = None) -> int:
    """Move a batch into the library; returns how many of its photos are new there.

    A photo that the library has already, under whichever herb, stays as it is. Killed halfway, it
    goes on when called again.
    """
    batch = open_batch(batch_id, root=root)
    new = Library((root or home()) / "library").adopt(Library(batch.folder))
    discard(batch_id, root=root)
    return new


def discard(batch_id: str, *, root: Path | None = None) -> None:
    """Delete a batch; one that is gone already is no error."""
    with suppress(HerbError):
        _delete(open_batch(batch_id, root=root).folder)


def sweep(*, root: Path | None = None) -> None:
    """Delete batches that nobody has decided on for a day, and what a crash has left."""
    for folder in (root or home()).glob("incoming/*"):
        with suppress(FileNotFoundError):  # another process was quicker
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                _delete(folder)


@contextmanager
def class_folders(source: str | Path) -> Iterator[Path]:
    """The folder `source` itself, or the class folders of the zip `source`, for a while.

    Raises:
        HerbError: the zip is refused.
    """
    if os.path.isfile(source):
        with unpacked(source) as folder:
            yield folder
    else:
        yield Path(source)


def loose_photos(folder: Path) -> tuple[Refused, ...]:
    """The photos beside the class folders: nothing says which herb they show."""
    error = HerbError(
        "这张照片不在药材文件夹里，不知道是哪种药材。请把它放进一个以药材命名的文件夹。",
        "This photo lies in no herb's folder, so its herb is not known. "
        "Put it into a folder named like its herb.",
        hint="photo-no-herb",
    )
    names = (path.name for path in photos_below(folder) if path.parent == folder)
    return tuple(Refused(name, error) for name in names)


def _incoming(root: Path | None) -> Path:
    folder = (root or home()) / "incoming"
    with disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _items(folder: Path) -> list[_Item]:
    names = [sample.path.relative_to(folder) for sample in scan(folder)]
    return [_Item(name.as_posix(), folder / name, name.parts[0]) for name in names]


def _take(
    items: Sequence[_Item],
    root: Path | None,
    progress: Progress,
    *,
    refused: Sequence[Refused] = (),
) -> Batch:
    sweep(root=root)
    names = {item.herb: herb_folder(item.herb) for item in items}  # an unusable one stops here
    with disk_errors():
        making = Path(tempfile.mkdtemp(prefix=".taking-", dir=_incoming(root)))

    def store(item: _Item) -> Refused | None:
        try:
            sha256, data = reduced(item.source)
        except HerbError as error:
            return Refused(item.file, error)
        write_synced(making / names[item.herb] / f"{sha256}.jpg", data)
        return None

    found, given = list(refused), Counter[str]()
    try:
        with disk_errors(), ThreadPoolExecutor(THREADS) as pool:
            for herb in names.values():
                (making / herb).mkdir(exist_ok=True)
            results = zip(items, pool.map(store, items), strict=True)
            for done, (item, result) in enumerate(results, start=1):
                found += [result] if result else []
                given[names[item.herb]] += not result
                progress(done, len(items))
            merged = given - Counter(Library(making).herbs())
            return open_batch(_named(making, names, found, merged), root=root)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _named(
    making: Path,
    names: Mapping[str, str],
    refused: Sequence[Refused],
    merged: Mapping[str, int],
) -> str:
    """Give a batch that is complete its facts and its id, by which it is found from now on."""
    facts = {
        "names": dict(names),
        "refused": [
            {"file": r.file, "zh": r.error.zh, "en": r.error.en, "hint": r.error.hint}
            for r in refused
        ],
        "merged": merged,
    }
    write_synced(making / "batch.json", json.dumps(facts, ensure_ascii=False).encode())
    batch_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    making.chmod(0o755)  # mkdtemp's are their maker's alone
    making.rename(making.parent / batch_id)
    sync_folder(making.parent)
    return batch_id


def _delete(folder: Path) -> None:
    """Delete a batch; renamed first, so that a crash halfway leaves no half of it."""
    doomed = folder.with_name(f".deleting-{folder.name.lstrip('.')}")
    with suppress(OSError):  # another process was quicker
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def escapes() -> HerbError:
    """What to say of a link out of the folder of data."""
    return HerbError(
        "这是指向数据文件夹以外的链接，没有读取。请放入照片本身。",
        "This is a link out of the folder of data and was not read. Put the photo itself there.",
        hint="photo-escapes",
    )
