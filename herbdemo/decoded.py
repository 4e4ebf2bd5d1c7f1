"""Photos reduced to what networks look at, and a place on disk where that is done once for each."""

import contextlib
import hashlib
import os
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from herbdemo.photo import open_photo

DECODED = 512  # px: twice what the network sees, so that the one resize decides the pixels
MOST = 8 << 30  # bytes on disk: some 13,000 photos of the shape of a camera's
SPARED = 4 << 30  # bytes of the disk that are left free, for the state of the training and others
_HEADER = struct.Struct("<32sHH")  # which file it was, width, height


def reduced(path: Path) -> Image.Image:
    """The photo at `path`, its longest side at most `DECODED` pixels.

    Raises:
        HerbError: it does not open.
    """
    return open_photo(path, longest=DECODED).image


class Decoded:
    """`reduced`, which opens each file once: 12 megapixels take 50 ms, their copy on disk 0.2.

    The copies are plain pixels, so a training that finds them and one that does not see the same;
    a JPEG would take a sixth of the space, and not be the same. A file that has changed is opened
    again. Several processes may share a folder. Where the disk is full nothing is kept. Leaving
    the `with` block removes the folder.

    Args:
        folder: for the copies; made here.
        paths: the photos; those beyond what `MOST` holds are opened each time.
    """

    def __init__(self, folder: Path, paths: Iterable[Path]) -> None:
        self.folder = folder
        room = MOST // (3 * DECODED**2)
        self.number = {path: n for n, path in enumerate(dict.fromkeys(paths)) if n < room}

    def __enter__(self) -> "Decoded":
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def __call__(self, path: Path) -> Image.Image:
        """See `reduced`."""
        number, which = self.number.get(path), _which(path)
        if number is None or which is None:
            return reduced(path)
        copy = self.folder / str(number)
        with contextlib.suppress(OSError, ValueError, struct.error):  # none yet, or cut short
            data = copy.read_bytes()
            of, *size = _HEADER.unpack_from(data)
            if of == which:
                return Image.frombytes("RGB", tuple(size), memoryview(data)[_HEADER.size :])
        image = reduced(path)
        temporary = copy.with_suffix(f".{os.getpid()}")
        try:
            if shutil.disk_usage(self.folder).free > SPARED:
                temporary.write_bytes(_HEADER.pack(which, *image.size) + image.tobytes())
                os.replace(temporary, copy)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return image


def _which(path: Path) -> bytes | None:
    """Tells a file from others and from its own earlier and later contents; None: there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    words = f"{path}\0{status.st_size}\0{status.st_mtime_ns}"
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).digest()
