"""Where a user's own things are kept, and how they are written so that no half of one is left."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from herbdemo.errors import HerbError


def home() -> Path:
    """Where a user's own models, library and runs are kept."""
    return Path(os.environ.get("HERBDEMO_HOME") or Path.home() / ".herbdemo")


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file that a power cut cannot empty once it is renamed to its final name."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut, where the system can."""
    with contextlib.suppress(OSError):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turns a disk that is full or may not be written to into a sentence.

    Raises:
        HerbError: "disk-full" or "disk-unwritable", for any OSError within.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HerbError(
                "磁盘已满，没有保存。请腾出空间，然后再试一次。",
                "The disk is full, and nothing was saved. Make room on it and try again.",
                hint="disk-full",
            ) from error
        raise HerbError(
            "无法写入数据文件夹。请检查它的权限，或换一个 HERBDEMO_HOME，然后再试一次。",
            "The data folder cannot be written to. Check its permissions, "
            "or choose another HERBDEMO_HOME, and try again.",
            hint="disk-unwritable",
        ) from error
