"""Folders of photos: which file shows which herb, and a split that no near-copy crosses."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import imagehash
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from herbdemo.errors import HerbError
from herbdemo.herbs import find
from herbdemo.photo import open_photo

PHOTO_SUFFIXES = frozenset(
    ".jpg .jpeg .jfif .png .webp .avif .gif .bmp .tif .tiff .heic .heif".split()
)
HASH_DISTANCE = 6  # bits of 64: photos closer than this are copies of one another


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
        and not any(map(_is_litter, path.relative_to(folder).parts))
        and path.is_file()
    )


def scan(folder: str | Path) -> list[Sample]:
    """The photos of `folder/<any name of a herb>/**`, each with its herb.

    A folder named 党参, 黨參, dangshen or Codonopsis Radix is the same herb; a name that the
    catalogue does not know is a herb of its own.

    Raises:
        HerbError: there is no such folder, or no photo in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise HerbError(
            "没有这个文件夹。请检查路径。",
            "There is no such folder. Check its path.",
            hint="folder-missing",
        )
    samples = []
    for herb_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        if _is_litter(herb_folder.name):
            continue
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


def train_and_val(folder: str | Path, *, seed: int = 0) -> tuple[list[Sample], list[Sample]]:
    """`folder/train` and `folder/val` where they exist, else a leak-free split of `folder`.

    Raises:
        HerbError: no photos, or `val` has herbs that `train` lacks.
    """
    folder = Path(folder)
    if not ((folder / "train").is_dir() and (folder / "val").is_dir()):
        return split(scan(folder), seed=seed)
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
    samples: Sequence[Sample], *, val_share: float = 0.15, seed: int = 0
) -> tuple[list[Sample], list[Sample]]:
    """Split each herb's photos so that near-copies stay on one side.

    Copies are found by perceptual hash and grouped; whole groups are dealt to `val` until it holds
    `val_share` of the herb. A herb with a single group stays in train. Photos that do not open
    are left out.
    """
    rng = random.Random(seed)
    by_herb: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_herb[sample.herb].append(sample)
    train: list[Sample] = []
    val: list[Sample] = []
    for herb in sorted(by_herb):
        groups = _near_copies(by_herb[herb])
        rng.shuffle(groups)
        wanted = round(val_share * len(by_herb[herb]))
        taken = 0
        for index, group in enumerate(groups):
            fits = taken + len(group) <= wanted and index < len(groups) - 1
            (val if fits else train).extend(group)
            taken += len(group) if fits else 0
    return train, val


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name in ("__MACOSX", "@eaDir")


def _near_copies(samples: Sequence[Sample]) -> list[list[Sample]]:
    groups: list[list[tuple[imagehash.ImageHash, Sample]]] = []
    for sample in samples:
        try:
            fingerprint = imagehash.phash(open_photo(sample.path, longest=256).image)
        except HerbError:
            continue
        # A copy of a copy may be no copy of the first: one photo can join several groups.
        linked, apart = [], []
        for group in groups:
            near = any(fingerprint - known <= HASH_DISTANCE for known, _ in group)
            (linked if near else apart).append(group)
        groups = [*apart, [*chain.from_iterable(linked), (fingerprint, sample)]]
    return [[sample for _, sample in group] for group in groups]


class PhotoDataset(Dataset):
    """Samples as (tensor, index of the herb in `herbs`); -1 for a herb that is not among them.

    The next photo stands in for one that does not open: a broken file must not end a training.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        herbs: Sequence[str],
        transform: Callable[[Image.Image], Tensor],
        *,
        longest: int = 512,
    ) -> None:
        self.samples = list(samples)
        self.index = {herb: position for position, herb in enumerate(herbs)}
        self.transform = transform
        self.longest = longest  # decoding more than the network sees is time lost

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        sample, tried = self.samples[position], 1
        while True:
            try:
                image = open_photo(sample.path, longest=self.longest).image
            except HerbError:
                if tried == len(self.samples):
                    raise
                sample, tried = self.samples[(position + tried) % len(self.samples)], tried + 1
            else:
                return self.transform(image), self.index.get(sample.herb, -1)
