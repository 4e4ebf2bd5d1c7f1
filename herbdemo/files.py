"""Where a user's own things are kept, and how files are named and written to last."""

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from herbdemo.errors import HerbError, shortage

# Windows keeps con, nul, com1… for itself, with any ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])\s*(\.|$)", re.IGNORECASE)
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, bidi and joiners, half surrogates, lines


def home() -> Path:
    """Where a user's own models, library and runs are kept."""
    return Path(os.environ.get("HERBDEMO_HOME") or Path.home() / ".herbdemo")


def shipped(name: str) -> Path:
    """A folder that comes with the program: in the package, or in a checkout beside it."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def is_portable(name: str) -> bool:
    """Whether every system can keep a file of this name, and people see all of it."""
    return (
        0 < len(name.encode("utf-8", "replace")) <= 255
        and name[-1] not in ". "
        and not _RESERVED.match(name)
        and not any(c in '<>:"/\\|?*' or unicodedata.category(c) in _INVISIBLE for c in name)
    )


def shown(name: str, *, limit: int = 40) -> str:
    """`name` as a sentence may hold it: nothing invisible, and the middle of a long one left out.

    Its end stays, where the suffix is. `limit` is in characters.
    """
    clean = "".join("�" if unicodedata.category(c) in _INVISIBLE else c for c in name)
    half = limit // 2
    return clean if len(clean) <= limit else f"{clean[:half]}…{clean[-half:]}"


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
def read_errors() -> Iterator[None]:
    """Turns a file or folder of the user's that may not be read into a sentence.

    Raises:
        HerbError: "unreadable", or "memory-full", for any OSError within.
    """
    try:
        yield
    except OSError as error:
        raise (
            shortage(error)
            or HerbError(
                "文件或文件夹无法读取。请检查它的权限，然后再试一次。",
                "A file or folder cannot be read. Check its permissions and try again.",
                hint="unreadable",
            )
        ) from error


@contextlib.contextmanager
def disk_errors(unwritable: HerbError | None = None) -> Iterator[None]:
    """Turns a disk that is full or may not be written to into a sentence.

    Args:
        unwritable: what to say unless the disk is full; by default that it is the data folder.

    Raises:
        HerbError: "disk-full" or "disk-unwritable", or `unwritable`, for any OSError within.
    """
    try:
        yield
    except OSError as error:
        raise (
            shortage(error)
            or unwritable
            or HerbError(
                "无法写入数据文件夹。请检查它的权限，或换一个 HERBDEMO_HOME，然后再试一次。",
                "The data folder cannot be written to. Check its permissions, "
                "or choose another HERBDEMO_HOME, and try again.",
                hint="disk-unwritable",
            )
        ) from error
