"""Folders of photos: which file shows which herb, and a split that no near-copy crosses."""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import imagehash
import numpy as np
from PIL import Image

from herbdemo.decoded import reduced
from herbdemo.errors import HerbError
from herbdemo.files import read_errors
from herbdemo.herbs import find
from herbdemo.photo import open_photo

if TYPE_CHECKING:  # the page imports this module, and does not wait for torch
    from torch import Tensor

PHOTO_SUFFIXES = frozenset(
    ".jpg .jpeg .jfif .png .webp .avif .gif .bmp .tif .tiff .heic .heif".split()
)
KEPT_PHOTO = re.compile(r"[0-9a-f]{64}\.jpg")  # the name of a photo of the library
HASH_DISTANCE = 6  # bits of 64: photos no further apart than this are copies of one another
_HASH_ROWS = 256  # compared with all others at once: 40 MB for 20,000 photos
_LITTER = frozenset(("__MACOSX", "@eaDir", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Icon\r"))


@dataclass(frozen=True)
class Sample:
    """A photo on disk, and the herb it shows (simplified Chinese; "" when not stated)."""

    path: Path
    herb: str


def photos_below(folder: str | Path) -> list[Path]:
    """All files below `folder` that are named like a photo, in a stable order.

    Hidden ones, and what systems leave beside photos, are passed over.
    """
    folder = Path(folder)
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PHOTO_SUFFIXES
        and not any(map(is_litter, path.relative_to(folder).parts))
        and path.is_file()
    )


def scan(folder: str | Path) -> list[Sample]:
    """The photos of `folder/<any name of a herb>/**`, each with its herb.

    A folder named 党参, 黨參, dangshen or Codonopsis Radix is the same herb; a name that the
    catalogue does not know is a herb of its own.

    Raises:
        HerbError: there is no such folder, it or a herb's may not be read, or no photo is in it.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):  # pathlib raises where a name is too long
        raise HerbError(
            "没有这个文件夹。请检查路径。",
            "There is no such folder. Check its path.",
            hint="folder-missing",
        )
    samples = []
    with read_errors():
        for herb_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
            if is_litter(herb_folder.name):
                continue
            next(herb_folder.iterdir(), None)  # one that may not be listed, `rglob` passes over
            herb = find(herb_folder.name)
            name = herb.zh if herb else herb_folder.name
            samples += [Sample(path, name) for path in photos_below(herb_folder)]
    if not samples:
        raise HerbError(
            "文件夹里没有照片。请为每种药材建一个子文件夹，把照片放进去。",
            "The folder holds no photos. Make one sub-folder per herb and put its photos there.",
            hint="folder-empty",
        )
    return samples


def train_and_val(
    folder: str | Path,
    *,
    seed: int = 0,
    learned: Collection[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Sample], list[Sample]]:
    """`folder/train` and `folder/val` where they exist, else a leak-free `split` of `folder`.

    Raises:
        HerbError: no photos, or `val` has herbs that `train` lacks.
    """
    folder = Path(folder)
    if not all(os.path.isdir(folder / part) for part in ("train", "val")):
        return split(scan(folder), seed=seed, learned=learned, progress=progress)
    train, val = scan(folder / "train"), scan(folder / "val")
    if strange := sorted({sample.herb for sample in val} - {sample.herb for sample in train}):
        names = "、".join(strange[:3])
        raise HerbError(
            f"val 里有 train 里没有的药材：{names}。请检查子文件夹的名字。",
            f"val holds herbs that train lacks: {names}. Check the names of the sub-folders.",
            hint="val-other-herbs",
        )
    return train, val


def split(
    samples: Sequence[Sample],
    *,
    val_share: float = 0.15,
    seed: int = 0,
    learned: Collection[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Sample], list[Sample]]:
    """Split each herb's photos so that near-copies stay on one side.

    Copies are found by perceptual hash and grouped; whole groups are dealt to `val` until it holds
    `val_share` of the herb. A herb with a single group stays in train. Photos that do not open
    are left out.

    Args:
        val_share: of each herb's photos, 0..1. seed: deals groups out another way.
        learned: sha256 of files that a model has learned from; they and their copies stay in train.
        progress: told how many photos are done, of how many.
    """
    by_herb: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_herb[sample.herb].append(sample)
    train: list[Sample] = []
    val: list[Sample] = []
    seen = 0
    for herb in sorted(by_herb):
        groups = _near_copies(
            by_herb[herb],
            lambda done, _, seen=seen: progress(seen + done, len(samples)),  # type: ignore[misc]
        )
        seen += len(by_herb[herb])
        # By what a group shows: photos that are added later leave the order of the others alone.
        order = sorted(groups, key=lambda first: hashlib.sha256(b"%d %d" % (seed, first)).digest())
        wanted = round(val_share * len(by_herb[herb]))
        taken = 0
        for index, first in enumerate(order):
            group = groups[first]
            fits = taken + len(group) <= wanted and index < len(groups) - 1
            fits = fits and not (learned and any(photo_id(s.path) in learned for s in group))
            (val if fits else train).extend(group)
            taken += len(group) if fits else 0
    return train, val


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or something that systems leave behind."""
    return name.startswith(".") or name in _LITTER


def fingerprint(image: Image.Image) -> int:
    """What an RGB image looks like in 64 bits (pHash, Zauner 2010), as a signed integer.

    Photos that differ in at most `HASH_DISTANCE` bits are copies: recompressed, resized, brighter.
    """
    # Shrunk roughly first, which is four times as fast; pHash goes on to 32 x 32.
    small = image.resize((96, 96), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return int(np.packbits(imagehash.phash(small).hash).view(">i8")[0])


def near_pairs(
    a: np.ndarray, b: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The copies among fingerprints, block by block: positions i in `a` and j in `b`, equally long.

    Without `b` each pair within `a` comes once, with i < j. 20,000 photos take half a second.

    Args:
        a: fingerprints (N,), int64. b: others (M,).
    """
    # Unsigned: of a negative number, numpy would count the bits of its absolute value.
    a, others = (np.asarray(x, np.int64).view(np.uint64) for x in (a, a if b is None else b))
    for start in range(0, len(a), _HASH_ROWS):
        first = start if b is None else 0
        bits = np.bitwise_count(a[start : start + _HASH_ROWS, None] ^ others[None, first:])
        i, j = np.nonzero(bits <= HASH_DISTANCE)
        wanted = i < j if b is None else slice(None)
        yield i[wanted] + start, j[wanted] + first


def copy_groups(prints: np.ndarray) -> np.ndarray:
    """The number of each photo's group (N,); a copy of a copy is in the same group."""
    from scipy.sparse import coo_array  # imported late: half a second, and the page has no use
    from scipy.sparse.csgraph import connected_components

    different, which = np.unique(prints, return_inverse=True)
    i, j = (np.concatenate(x) for x in zip(*near_pairs(different), strict=True))
    n = len(different)
    return connected_components(coo_array((np.ones(len(i)), (i, j)), shape=(n, n)))[1][which]


def fingerprints(
    samples: Sequence[Sample],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[np.ndarray, list[Sample]]:
    """The fingerprints (N,), int64, of the photos that open, and these photos."""
    prints, readable = [], []
    for done, sample in enumerate(samples, start=1):
        with suppress(HerbError):
            prints.append(fingerprint(open_photo(sample.path, longest=256).image))
            readable.append(sample)
        progress(done, len(samples))
    return np.array(prints, np.int64), readable


def _near_copies(
    samples: Sequence[Sample], progress: Callable[[int, int], None]
) -> dict[int, list[Sample]]:
    """The groups of copies among the photos that open, each by its smallest fingerprint."""
    prints, readable = fingerprints(samples, progress=progress)
    if not readable:
        return {}
    groups: dict[int, list[Sample]] = defaultdict(list)
    numbers = copy_groups(prints)
    for number, sample in zip(numbers, readable, strict=True):
        groups[number].append(sample)
    return {int(prints[numbers == number].min()): group for number, group in groups.items()}


def photo_id(path: Path) -> str:
    """The sha256 that a photo goes by: of its file, or of the file given for one of the library.

    The library keeps photos smaller than they were, under the sha256 of what was given.
    """
    if KEPT_PHOTO.fullmatch(path.name):
        return path.stem
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PhotoDataset:
    """Samples as (tensor, index of the herb in `herbs`); -1 for a herb that is not among them.

    What a torch `DataLoader` asks of a data set, without importing torch. The next photo stands in
    for one that does not open: a broken file must not end a training.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        herbs: Sequence[str],
        transform: Callable[[Image.Image], "Tensor"],
        opened: Callable[[Path], Image.Image] = reduced,
    ) -> None:
        self.samples = list(samples)
        self.index = {herb: position for position, herb in enumerate(herbs)}
        self.transform = transform
        self.opened = opened

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> tuple["Tensor", int]:
        sample, tried = self.samples[position], 1
        while True:
            try:
                image = self.opened(sample.path)
            except HerbError:
                if tried == len(self.samples):
                    raise
                sample, tried = self.samples[(position + tried) % len(self.samples)], tried + 1
            else:
                return self.transform(image), self.index.get(sample.herb, -1)
