"""A foreign zip, opened only where its directory is no larger than it may be.

zipfile reads the directory in one go, however large it is, and makes a kilobyte of each entry. So
its size is watched here, for all who take zips; what the directory says is theirs to judge.
"""

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from herbdemo.errors import HerbError
from herbdemo.files import read_errors

# How a zip ends: where its directory is, in a large one, where that is said, and the same in any.
_TAIL = struct.Struct("<4s36xQQ4s4xQ4x4s8xLLH")
_END = 22  # bytes of the last of the three records; a small zip has it alone


@contextmanager
def opened(
    path: Path, *, largest: int, too_large: HerbError, damaged: HerbError, plain: bool = False
) -> Iterator[zipfile.ZipFile]:
    """The zip in a file that is there.

    Args:
        largest: bytes that its directory may have.
        too_large: what to raise where the directory is larger. damaged: where it is no zip.
        plain: whether to take only a zip in which every reader finds the same directory; people's
            own may have a comment behind it, or a program in front.

    Raises:
        HerbError: one of these, or the file may not be read.
    """
    with read_errors():
        file = _Guarded(path)
    with file:
        file.most = largest
        try:
            if plain and not _is_plain(file):
                raise damaged
            archive = zipfile.ZipFile(file)
        except HerbError:
            raise
        except _TooMuchError as error:
            raise too_large from error
        except Exception as error:  # on hostile bytes zipfile raises nearly everything there is
            raise damaged from error
        file.most = None
        with archive:
            yield archive


def _is_plain(file: io.FileIO) -> bool:
    """Whether the directory lies where the end says, right before it, and nothing comes after.

    zipfile takes what lies before the end for the directory; others, such as torch's reader, go to
    the place that the end names, where another one may be.
    """
    whole = file.seek(0, io.SEEK_END)
    file.seek(max(0, whole - _TAIL.size))
    tail = file.read(_TAIL.size).rjust(_TAIL.size, b"\0")
    large, size_64, start_64, locator, place, end, size, start, comment = _TAIL.unpack(tail)
    at = whole - _END
    if locator == b"PK\6\7":
        at, size, start = whole - _TAIL.size, size_64, start_64
        if large != b"PK\6\6" or place != at:
            return False
    return bool(end == b"PK\5\6" and not comment and start + size == at)


class _TooMuchError(Exception):
    """More was to be read at once than may be."""


class _Guarded(io.FileIO):
    """Refuses to read more than `most` bytes in one go."""

    most: int | None = None

    def read(self, size: int | None = -1) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise _TooMuchError
        return super().read(size)
