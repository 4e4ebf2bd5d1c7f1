"""A model as one zip: taken along from one computer, put among the models of another.

The zip holds `<id>/card.json` and `<id>/model.safetensors`, nothing else. A foreign one is judged
from its directory before anything is unpacked, and is listed only once it has been loaded.
"""

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from herbdemo import zips
from herbdemo.atomic import whole_file, whole_folder
from herbdemo.checkpoint import CARD, LIMITS, WEIGHTS, card_named, load_checkpoint
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors
from herbdemo.from_hub import is_on_hub
from herbdemo.registry import Registry, check_id

MAX_DIRECTORY = 1 << 16  # bytes; two files need 200, and zipfile reads it whole
MAX_RATIO = 100  # unpacked to packed; pruned weights reach 5, bombs 1,000
_ENCRYPTED = 0x1 | 0x40 | 0x2000


def export_zip(registry: Registry, model_id: str, target: Path) -> Path:
    """Write the model as a zip to `target`, in place of what was there.

    Raises:
        HerbError: there is no such model, it lies on the Hub, is damaged or cannot be read, or
            `target` cannot be written.
    """
    if is_on_hub(model_id):
        raise HerbError(
            "这个模型在 Hugging Face 上，不必打包：在别的电脑上用同一个名字就能使用它。",
            "This model is on Hugging Face and needs no zip: other computers can use it by the "
            "same name.",
            hint="model-on-hub",
        )
    folder = registry.folder(check_id(model_id))
    card = card_named(load_checkpoint(folder).card, model_id)  # nobody could import a damaged one
    # Level 1 takes out the zeros of pruned weights; no level finds more.
    packing = partial(zipfile.ZipFile, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    unwritable = HerbError(
        "这个 zip 写不进去。请另选一个位置和文件名。",
        "The zip cannot be written there. Choose another place and name for it.",
        hint="zip-unwritable",
    )
    with disk_errors(unwritable), whole_file(target) as file, packing(file, "w") as archive:
        archive.writestr(f"{model_id}/{CARD}", card)
        with archive.open(f"{model_id}/{WEIGHTS}", "w", force_zip64=True) as entry:
            for piece in _pieces(folder / WEIGHTS):
                entry.write(piece)
    return target


def _pieces(weights: Path) -> Iterator[bytes]:
    """The file of weights, in pieces. That it cannot be read is another matter than the zip's."""
    try:
        with weights.open("rb") as file:
            while piece := file.read(1 << 20):
                yield piece
    except OSError as error:
        raise HerbError(
            "这个模型的权重文件读不出来。请检查它是否还在、能否读取，再试一次。",
            "The model's file of weights cannot be read. See whether it is still there and may be "
            "read, and try again.",
            hint="weights-unreadable",
        ) from error


def import_zip(registry: Registry, file: Path, *, name: str | None = None) -> str:
    """Put the model in a zip of `export_zip` among the user's own, not in use; returns its id.

    Args:
        name: its new id; the one it had by default.

    Raises:
        HerbError: there is no such zip, it may not be read, it is hostile or damaged, or the name
            is taken.
    """
    with _opened(file) as archive:
        entries = _judged(archive.infolist())
        card = _read(archive, entries[CARD])
        target = registry.new_folder(name or _id(card))
        with disk_errors(), whole_folder(target) as temporary:
            (temporary / CARD).write_bytes(card)
            with (temporary / WEIGHTS).open("wb") as weights:
                _copy(archive, entries[WEIGHTS], weights)
            load_checkpoint(temporary)
    return target.name


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if not os.path.isfile(path):  # reading a pipe may wait for ever
        raise HerbError(
            "找不到这个 zip 文件。请检查路径。",
            "There is no such zip file. Check its path.",
            hint="zip-missing",
        )
    if path.stat().st_size > sum(LIMITS.values()):
        raise _too_large()
    strange = _no_model()
    with zips.opened(
        path, largest=MAX_DIRECTORY, too_large=strange, damaged=strange, plain=True
    ) as archive:
        yield archive


def _judged(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The entries of the two files by their names, if there is nothing else and nothing wrong."""
    # `is_dir` of an entry fails where the name is empty.
    files = [e for e in entries if not e.filename.endswith("/") and not _litter(e.filename)]
    found = {entry.filename.rpartition("/")[2]: entry for entry in files}
    folders = {entry.filename.rpartition("/")[0] for entry in files}
    # Names go nowhere near the disk, but one that is up to something is not unpacked all the same.
    strange = any("/" in folder or "\\" in folder or folder == ".." for folder in folders)
    if set(found) != {CARD, WEIGHTS} or len(files) != 2 or len(folders) != 1 or strange:
        raise _no_model()
    for name, entry in found.items():
        if entry.flag_bits & _ENCRYPTED:
            raise HerbError(
                "这个 zip 有密码。请不加密码重新打包。",
                "This zip is encrypted. Pack it again without a password.",
                hint="zip-encrypted",
            )
        if (
            stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG)
            or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            or entry.file_size > MAX_RATIO * max(entry.compress_size, 1 << 12)
        ):
            raise _no_model()
        if entry.file_size > LIMITS[name]:
            raise _too_large()
    return found


def _litter(name: str) -> bool:
    """What systems add to a zip that was unpacked and packed again."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts[:1] or parts[-1:] == (".DS_Store",)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)  # never more than the size that was judged
    except Exception as error:
        raise _damaged() from error


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: BinaryIO) -> None:
    try:
        source = archive.open(entry)
    except Exception as error:
        raise _damaged() from error
    with source:
        try:
            shutil.copyfileobj(source, target, 1 << 20)
        except OSError:
            raise  # of the disk
        except Exception as error:
            raise _damaged() from error


def _id(card: bytes) -> str:
    try:
        model_id = json.loads(card)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        model_id = None
    if not isinstance(model_id, str):
        raise _no_model()
    return model_id


def _no_model() -> HerbError:
    return HerbError(
        f"这不是模型的 zip：里面只能有 {CARD} 和 {WEIGHTS}，可放在一个文件夹里。"
        "请用 python -m herbdemo models export 重新导出。",
        f"This is no model's zip: it may hold {CARD} and {WEIGHTS} only, in one folder at most. "
        "Export the model again with python -m herbdemo models export.",
        hint="zip-no-model",
    )


def _too_large() -> HerbError:
    return HerbError(
        f"这个 zip 或其内容超过模型的上限（{CARD} 16 MB，{WEIGHTS} 2 GB）。请重新导出。",
        f"This zip, or what it holds, is larger than a model may be ({CARD} 16 MB, {WEIGHTS} 2 GB)."
        " Export the model again.",
        hint="zip-too-large",
    )


def _damaged() -> HerbError:
    return HerbError(
        "这个 zip 已损坏。请重新导出或重新下载。",
        "This zip is damaged. Export it or download it again.",
        hint="zip-damaged",
    )
