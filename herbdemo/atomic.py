"""Written whole or not at all, also when the process is killed halfway.

What is being written has a temporary name on the same disk, which no list shows, until it is
complete and flushed; what is being deleted has one, too.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from herbdemo.errors import HerbError
from herbdemo.files import home, sync_folder

TEMPORARY = (".saving-", ".deleting-", ".writing-")
STALE = 3600  # seconds; nothing takes an hour to write, so older leftovers are of killed processes


def taken(model_id: str) -> HerbError:
    """What to say where a new model would have the name of another."""
    return HerbError(
        f"已有名为“{model_id}”的模型。请换一个名字。",
        f"There is a model named “{model_id}” already. Choose another name.",
        hint="model-exists",
    )


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes the model's folder `target` when the block ends.

    Raises:
        HerbError: `target` exists already.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    temporary = Path(tempfile.mkdtemp(prefix=".saving-", dir=target.parent))
    try:
        yield temporary
        for path in temporary.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError as error:
            if not target.exists():
                raise
            raise taken(target.name) from error
        sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which becomes `path` when the block ends, in place of an older one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file of HERBDEMO_HOME anew; readers find all of the old content or of the new."""
    if path.parent.is_dir():
        sweep(path.parent)
    with whole_file(path) as file:
        file.write(content)


def remove_folder(folder: Path) -> None:
    """Delete a folder so that a crash halfway leaves a hidden one, not half of it."""
    sweep(folder.parent)
    doomed = Path(tempfile.mkdtemp(prefix=".deleting-", dir=folder.parent))
    folder.rename(doomed / folder.name)
    sync_folder(folder.parent)
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written in `folder` more than an hour ago.

    Only below `home()`: elsewhere such names may be other programs'.
    """
    if not folder.resolve().is_relative_to(home().resolve()):
        return
    for path in folder.glob(".*-*"):
        with contextlib.suppress(OSError):  # another process sweeps too
            if path.name.startswith(TEMPORARY) and path.stat().st_mtime < time.time() - STALE:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
