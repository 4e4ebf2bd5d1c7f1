"""What a pre-flight report can say of a set of photos: one rule per kind, and its sentences."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from herbdemo.dataset import near_pairs
from herbdemo.errors import HerbError
from herbdemo.files import shown
from herbdemo.herbs import find, namesakes

ERROR, WARNING, NOTE = "error", "warning", "note"
MAX_FILES = 50  # listed with a finding; the count goes on
# px, the shorter side. Of 122 validation photos the default model tells 97 % as they are (256 px),
# 93 % when reduced to 64, 84 % when reduced to 48.
SMALLEST = 64
FEWEST = 5  # photos of a herb; with fewer, which ones they are decides more than the method
IMBALANCE = 10  # times as many photos of one herb as of another
_SAME = ("exact-copy", "copy-other-herb")  # under its own herb, and under another
_NEAR = ("near-copy", "near-copy-other-herb")
SURE = 0.9  # probability from which on another answer of the model is worth a look

# kind, or kind/case -> level, Chinese, English. {photos} is "1 photo" or "7 photos", so no verb may
# go with it.
_SENTENCES = {
    "unreadable": (
        WARNING,
        "{n} 张照片将被跳过：{reason_zh}",
        "{photos} set aside: {reason_en}",
    ),
    "too-small": (
        WARNING,
        "“{herb}”有 {n} 张照片的短边不足 {smallest} 像素，看不清细节。请换用更大的照片。",
        "“{herb}”: {photos} less than {smallest} pixels high or wide, too small to show details. "
        "Use larger ones.",
    ),
    "exact-copy": (
        WARNING,
        "“{herb}”有 {n} 张照片与同一药材的另一张完全相同，只用其中一张。",
        "“{herb}”: {photos} the very same as another one of this herb. One of each is used.",
    ),
    "exact-copy/merged": (
        NOTE,
        "“{herb}”有 {n} 张照片重复，相同的只留一张。",
        "“{herb}”: {photos} given twice. One of each is kept.",
    ),
    "exact-copy/library": (
        WARNING,
        "照片库的“{herb}”里已有其中 {n} 张照片，不会重复放入。",
        "“{herb}”: {photos} that the library holds already. They are not added again.",
    ),
    "copy-other-herb": (
        ERROR,
        "同一张照片既放在“{herb}”又放在“{other}”，共 {n} 张。请确认是哪种药材，删除另一份。",
        "{photos} both in “{herb}” and in “{other}”. "
        "Decide which herb it is and delete the other copy.",
    ),
    "copy-other-herb/library": (
        ERROR,
        "“{herb}”有 {n} 张照片已在照片库的“{other}”里。请确认是哪种药材，删除错的一份。",
        "“{herb}”: {photos} that the library holds under “{other}”. "
        "Decide which herb it is and delete the wrong copy.",
    ),
    "near-copy": (
        WARNING,
        "“{herb}”有 {n} 张照片与另一张几乎相同，例如连拍或重新压缩。不同的照片更有用。",
        "“{herb}”: {photos} nearly the same as another one, such as of one burst or recompressed. "
        "Different photos teach more.",
    ),
    "near-copy/library": (
        WARNING,
        "“{herb}”有 {n} 张照片与照片库里的几乎相同，例如连拍或重新压缩。不同的照片更有用。",
        "“{herb}”: {photos} nearly the same as one in the library, such as of one burst or "
        "recompressed. Different photos teach more.",
    ),
    "near-copy-other-herb": (
        WARNING,
        "“{herb}”与“{other}”有 {n} 张几乎相同的照片。请检查它们是否放对了文件夹。",
        "{photos} nearly the same in “{herb}” and in “{other}”. "
        "Check that they lie in the right folders.",
    ),
    "near-copy-other-herb/library": (
        WARNING,
        "“{herb}”有 {n} 张照片与照片库“{other}”里的几乎相同。请检查是哪种药材。",
        "“{herb}”: {photos} nearly the same as photos of “{other}” in the library. "
        "Check which herb they show.",
    ),
    "held-out": (
        WARNING,
        "“{herb}”有 {n} 张照片与检验模型用的照片几乎相同。用来训练会使检验结果偏高，请移除。",
        "“{herb}”: {photos} nearly the same as photos that the model is tested on. "
        "Trained on, they would flatter the model: take them out.",
    ),
    "known-herb": (
        NOTE,
        "“{name}”就是“{herb}”，模型已经认识。这些照片会改进它。",
        "“{name}” is “{herb}”, which the model knows already. Its photos improve that herb.",
    ),
    "ambiguous-name": (
        WARNING,
        "“{name}”可能指{names_zh}，所以被当作另一种药材。请改用其中一个名字。",
        "“{name}” may mean {names_en}, so it is taken for a herb of its own. "
        "Use one of these names.",
    ),
    "same-herb-twice": (
        NOTE,
        "{names_zh}是同一种药材“{herb}”，合在一起。",
        "{names_en} are one herb, “{herb}”, and are put together.",
    ),
    "imbalance": (
        WARNING,
        "“{herb}”有 {n} 张照片，“{other}”只有 {least} 张，相差 {times} 倍以上。"
        "请为照片少的药材补充照片。",
        "“{herb}” has {photos} and “{other}” only {least}: more than {times} times as many. "
        "Add photos of the herbs that have few.",
    ),
    "few-photos": (
        WARNING,
        "“{herb}”只有 {n} 张照片。请至少放入 {fewest} 张，10 张更好。",
        "“{herb}” has only {photos}. Give at least {fewest}; 10 are better.",
    ),
    "few-photos/none": (
        ERROR,
        "“{herb}”没有可用的照片。请补充照片，或删除这个文件夹。",
        "“{herb}” has no photo that can be used. Add some, or delete its folder.",
    ),
    "called-otherwise": (
        WARNING,
        "模型有九成以上把握，认为“{herb}”的 {n} 张照片是“{other}”。请检查是否放错了文件夹。",
        "“{herb}”: {photos} that the model is more than 90 % sure show “{other}”. "
        "Check that they lie in the right folder.",
    ),
    "called-otherwise/new": (
        NOTE,
        "“{herb}”是新药材。模型现在有九成以上把握把其中 {n} 张认作别的：{names_zh}。"
        "学会以后会改变。",
        "“{herb}” is new. The model is more than 90 % sure of something else in {photos}: "
        "{names_en}. That changes once it has learnt.",
    ),
    "called-otherwise/most": (
        WARNING,
        "“{herb}”是新药材，而模型有九成以上把握认为大半照片是“{other}”（{n} 张）。"
        "如果是同一种药材，请改用这个名字。",
        "“{herb}” is new, but the model is more than 90 % sure that most of it shows “{other}” "
        "({photos}). If it is that herb, give it that name.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that an owner should know before training.

    Attributes:
        level: "error" stops a training, "warning" asks, "note" only tells.
        kind: a stable slug, such as "near-copy".
        herb: the one it is about; "" where it is about no one in particular.
        files: at most `MAX_FILES` of the photos it is about; count: all of them.
    """

    level: str
    kind: str
    zh: str
    en: str
    herb: str = ""
    files: tuple[str, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Photos:
    """What was seen of the photos that opened; all fields are equally long and in one order.

    Attributes:
        files: names to show. herbs: what they are said to show.
        sides: the shorter side in pixels, of the original, (n,). sha256: of the file.
        prints: fingerprints, int64 (n,). answers: the herb that the model is `SURE` of, or "".
    """

    files: Sequence[str]
    herbs: Sequence[str]
    sides: np.ndarray
    sha256: Sequence[str]
    prints: np.ndarray
    answers: Sequence[str]


@dataclass(frozen=True)
class Kept:
    """What is known of the n photos of a library, in one order; `prints` is int64 (n,)."""

    herbs: Sequence[str] = ()
    sha256: Sequence[str] = ()
    prints: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))


def unreadable(refused: Iterable[tuple[str, str, HerbError]]) -> Iterator[Finding]:
    """The photos (file, herb, why) that were set aside, by herb and reason."""
    groups = _grouped(((herb, why.zh, why.en), file) for file, herb, why in refused)
    for (herb, zh, en), files in groups.items():
        yield _finding("unreadable", herb, files, reason_zh=zh, reason_en=en)


def too_small(photos: Photos) -> Iterator[Finding]:
    """Photos whose shorter side is below `SMALLEST` pixels."""
    small = np.flatnonzero(photos.sides < SMALLEST)
    for herb, files in _grouped((photos.herbs[i], photos.files[i]) for i in small.tolist()).items():
        yield _finding("too-small", herb, files, smallest=SMALLEST)


def exact_copies(photos: Photos) -> Iterator[Finding]:
    """The same file twice: within a herb, and under two herbs."""
    first: dict[tuple[str, str], str] = {}
    within: dict[str, list[str]] = defaultdict(list)
    across: dict[tuple[str, str], list[str]] = defaultdict(list)
    for herb, sha256, file in zip(photos.herbs, photos.sha256, photos.files, strict=True):
        if first.setdefault((sha256, herb), file) != file:
            within[herb].append(file)
    by_sha256 = _grouped((sha256, (herb, file)) for (sha256, herb), file in first.items())
    for places in by_sha256.values():
        (herb, file), *others = places
        for other, copy in others:
            across[herb, other] += [file, copy]
    for herb, files in within.items():
        yield _finding("exact-copy", herb, files)
    for (herb, other), files in across.items():
        yield _finding("copy-other-herb", herb, files, n=len(files) // 2, other=other)


def near_copies(photos: Photos) -> Iterator[Finding]:
    """Photos that look the same but are other files: within a herb, and under two herbs."""
    rows = np.unique(photos.sha256, return_index=True)[1]  # the same file is another rule's
    herbs, herb = np.unique(np.array(photos.herbs)[rows], return_inverse=True)
    beside = np.zeros((len(rows), len(herbs)), bool)  # whether a photo has a copy in a herb
    for i, j in near_pairs(photos.prints[rows]):
        beside[i, herb[j]] = beside[j, herb[i]] = True
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for photo, other in np.argwhere(beside):
        alike[min(herb[photo], other), max(herb[photo], other)].append(rows[photo])
    for (a, b), found in sorted(alike.items()):
        files = [photos.files[row] for row in sorted(found)]
        if a == b:
            yield _finding("near-copy", str(herbs[a]), files)
        else:
            yield _finding("near-copy-other-herb", str(herbs[a]), files, other=str(herbs[b]))


def library_copies(photos: Photos, kept: Kept) -> Iterator[Finding]:
    """Photos that a library holds, the very same or nearly so: under their herb, and another."""
    herb_of = dict(zip(kept.sha256, kept.herbs, strict=True))
    herbs, herb_at = np.unique(np.array(kept.herbs, str), return_inverse=True)
    beside = np.zeros((len(photos.files), len(herbs)), bool)  # whether a photo has a copy in a herb
    for i, j in near_pairs(photos.prints, kept.prints):
        beside[i, herb_at[j]] = True
    found = defaultdict(list)
    for row, (herb, sha256) in enumerate(zip(photos.herbs, photos.sha256, strict=True)):
        same = sha256 in herb_of
        for other in [herb_of[sha256]] if same else map(str, herbs[beside[row]]):
            kind = _SAME if same else _NEAR
            found[kind[other != herb], herb, other].append(photos.files[row])
    for (rule, herb, other), files in found.items():
        yield _finding(f"{rule}/library", herb, files, other=other)


def merged(copies: Mapping[str, int]) -> Iterator[Finding]:
    """How many photos of each herb were given more than once, and are kept once."""
    for herb, count in copies.items():
        yield _finding("exact-copy/merged", herb, n=count)


def held_out(photos: Photos, known: np.ndarray) -> Iterator[Finding]:
    """Near-copies of the photos (fingerprints, int64) that the model is tested on."""
    rows = sorted({row for i, _ in near_pairs(photos.prints, known) for row in np.unique(i)})
    for herb, files in _grouped((photos.herbs[i], photos.files[i]) for i in rows).items():
        yield _finding("held-out", herb, files)


def names(given: Mapping[str, str], known: Iterable[str]) -> Iterator[Finding]:
    """What the names that the owner gave, and the herbs they were taken for, are worth saying.

    Args:
        given: name -> herb. known: the herbs of the model.
    """
    known = set(known)
    for name, herb in given.items():
        if herb in known and name != herb:
            yield _finding("known-herb", herb, name=shown(name))
        if not find(name) and len(meant := namesakes(name)) > 1:
            listed = [other.zh for other in meant]
            yield _finding("ambiguous-name", herb, name=shown(name), names=listed)
    for herb, folders in _grouped((herb, name) for name, herb in given.items()).items():
        if len(folders) > 1:
            listed = [f"“{shown(folder)}”" for folder in folders]
            yield _finding("same-herb-twice", herb, names=listed)


def numbers(
    counts: Mapping[str, int], library: Mapping[str, int] | None = None
) -> Iterator[Finding]:
    """Herbs with few photos, and with many times as many as others.

    Args:
        counts: photos of the herbs that this is about. library: more photos, also of others.
    """
    library = library or {}
    counts = {herb: count + library.get(herb, 0) for herb, count in counts.items()}
    for herb, count in counts.items():
        if not count:
            yield _finding("few-photos/none", herb)
        elif count < FEWEST:
            yield _finding("few-photos", herb, n=count, fewest=FEWEST)
    some = {herb: count for herb, count in {**library, **counts}.items() if count}
    if some:
        most, least = max(some, key=some.__getitem__), min(some, key=some.__getitem__)
        if some[most] > IMBALANCE * some[least] and {most, least} & counts.keys():
            yield _finding("imbalance", most, n=some[most], other=least, least=some[least],
                           times=IMBALANCE)  # fmt: skip


def called_otherwise(photos: Photos, known: Iterable[str]) -> Iterator[Finding]:
    """Photos that the model is sure show another herb than the one they are said to show."""
    known, total = set(known), Counter(photos.herbs)
    seen = zip(photos.herbs, photos.answers, photos.files, strict=True)
    by_herb = _grouped((herb, (other, file)) for herb, other, file in seen if other)
    for herb, answers in by_herb.items():
        others = _grouped((other, file) for other, file in answers if other != herb)
        rest = {}
        for other, files in others.items():
            if herb in known:
                yield _finding("called-otherwise", herb, files, other=other)
            elif 2 * len(files) > total[herb]:
                yield _finding("called-otherwise/most", herb, files, other=other)
            else:
                rest[other] = files
        if rest:  # all that is new resembles something, so this is worth one line
            listed = [f"{other} {len(files)}" for other, files in rest.items()]
            yield _finding("called-otherwise/new", herb, [*chain(*rest.values())], names=listed)


def _finding(
    kind: str,
    herb: str = "",
    files: Sequence[str] = (),
    *,
    n: int | None = None,
    names: Sequence[str] = (),
    **facts: object,
) -> Finding:
    level, zh, en = _SENTENCES[kind]
    n = len(files) if n is None else n
    facts |= {
        "herb": herb,
        "n": n,
        "photos": f"{n} photo" if n == 1 else f"{n} photos",
        "names_zh": "、".join(names),
        "names_en": ", ".join(names),
    }
    return Finding(
        level=level,
        kind=kind.partition("/")[0],
        zh=zh.format(**facts),
        en=en.format(**facts),
        herb=herb,
        files=tuple(files[:MAX_FILES]),
        count=len(files),
    )


def _grouped(pairs: Iterable[tuple]) -> dict:
    """{key: [value, …]} of (key, value) pairs, in the order in which the keys come."""
    groups = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
