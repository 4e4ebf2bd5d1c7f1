"""What is wrong with a set of photos, said before anything is trained on it.

Each photo is opened once: its size, its sha256, its fingerprint and what the network sees all come
from the same decoded picture.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from herbdemo import findings
from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample, fingerprint, is_litter, photo_id
from herbdemo.decoded import DECODED
from herbdemo.engine import TorchEngine
from herbdemo.errors import HerbError
from herbdemo.evaluate import BATCH
from herbdemo.findings import ERROR, NOTE, SURE, WARNING, Finding, Kept, Photos
from herbdemo.herbs import find
from herbdemo.intake import Batch, Refused
from herbdemo.library import Library
from herbdemo.photo import open_photo
from herbdemo.scores import UNKNOWN, Head


@dataclass(frozen=True)
class Preflight:
    """The report. `photos` and `herbs` count what can be used; `new_herbs` the model lacks.

    `seconds` is how long the look took.
    """

    photos: int
    herbs: dict[str, int]
    new_herbs: tuple[str, ...]
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing stops a training."""
        return not any(finding.level == ERROR for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The report as `check --json` and the page give it."""
        return {"ok": self.ok, **asdict(self)}


def check(
    samples: Sequence[Sample],
    *,
    root: Path,
    checkpoint: Checkpoint | None = None,
    refused: Sequence[Refused] = (),
    names: Mapping[str, str] | None = None,
    library: Library | None = None,
    merged: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Preflight:
    """Look at photos before a model learns from them.

    Args:
        samples: as `scan(root)` gives them.
        root: the folder of class folders; files are named as seen from it.
        checkpoint: the model that is to learn; without one, nothing is said about models.
        refused: files that were set aside earlier.
        names: what the owner called each herb -> the herb; by default the folders of `root`.
        library: the photos to which these are to be added, unless these are its own.
        merged: photos of each herb that were given twice and are here once.
    """
    started = time.perf_counter()
    names = _folder_names(root) if names is None else names
    known = checkpoint.herbs if checkpoint else ()
    photos, unreadable = _seen(samples, root, checkpoint, progress)
    kept = _kept(library, root) if library else Kept()
    set_aside = [(r.file, names.get(r.file.split("/")[0], ""), r.error) for r in refused]
    counts = dict.fromkeys(sorted({*names.values(), *(s.herb for s in samples)}), 0)
    counts |= Counter(photos.herbs)
    there = set(kept.sha256)
    fresh = dict.fromkeys(counts, 0)
    fresh |= Counter(h for h, s in zip(photos.herbs, photos.sha256, strict=True) if s not in there)
    held_out = checkpoint.statistics.get("held_out") if checkpoint else None
    found = [
        *findings.unreadable([*set_aside, *unreadable]),
        *findings.too_small(photos),
        *findings.exact_copies(photos),
        *findings.near_copies(photos),
        *findings.library_copies(photos, kept),
        *findings.merged(merged or {}),
        *(findings.held_out(photos, held_out.numpy()) if held_out is not None else ()),
        *findings.names(names, known),
        *findings.numbers(fresh, Counter(kept.herbs)),
        *findings.called_otherwise(photos, known),
    ]
    return Preflight(
        photos=len(photos.files),
        herbs=counts,
        new_herbs=tuple(herb for herb in counts if herb not in known),
        findings=tuple(sorted(found, key=lambda f: (ERROR, WARNING, NOTE).index(f.level))),
        seconds=round(time.perf_counter() - started, 2),
    )


def check_batch(
    batch: Batch,
    *,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Preflight:
    """`check` of photos that wait for their owner's decision, under the names that they had.

    They are compared with those of the library that they would go into, too.
    """
    return check(
        [Sample(entry.path, entry.herb) for entry in Library(batch.folder).entries()],
        root=batch.folder,
        checkpoint=checkpoint,
        refused=batch.refused,
        names=batch.names,
        library=Library(batch.folder.parent.parent / "library"),
        merged=batch.merged,
        progress=progress,
    )


class _Look(NamedTuple):
    side: int
    sha256: str
    print: int
    tensor: torch.Tensor | None


def _seen(
    samples: Sequence[Sample],
    root: Path,
    checkpoint: Checkpoint | None,
    progress: Callable[[int, int], None],
) -> tuple[Photos, list[tuple[str, str, HerbError]]]:
    """The photos that open, and (file, herb, why) of those that do not."""
    answers_to = _answers(checkpoint) if checkpoint else lambda looks: [""] * len(looks)
    prepare = checkpoint.preprocessing.tensor if checkpoint else lambda image: None

    def look(sample: Sample) -> _Look | HerbError:
        try:
            photo = open_photo(sample.path, longest=DECODED)
        except HerbError as error:
            return error
        image = photo.image
        return _Look(min(photo.size), photo_id(sample.path), fingerprint(image), prepare(image))

    opened: list[tuple[str, str, int, str, int]] = []
    answers: list[str] = []
    unreadable = []
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(samples), BATCH):
            batch = samples[start : start + BATCH]
            looks = []
            for sample, seen in zip(batch, pool.map(look, batch), strict=True):
                file = sample.path.relative_to(root).as_posix()
                if isinstance(seen, HerbError):
                    unreadable.append((file, sample.herb, seen))
                else:
                    opened.append((file, sample.herb, *seen[:3]))
                    looks.append(seen)
            answers += answers_to(looks)
            progress(start + len(batch), len(samples))
    files, herbs, sides, sha256, prints = zip(*opened, strict=True) if opened else [()] * 5
    return Photos(files, herbs, np.array(sides), sha256, np.array(prints, np.int64),
                  answers), unreadable  # fmt: skip


def _kept(library: Library, root: Path) -> Kept:
    """What is known of a library's photos; nothing where `root` is that library."""
    entries = library.entries() if library.root.resolve() != root.resolve() else []
    with ThreadPoolExecutor(2) as pool:
        prints = pool.map(_kept_print, (entry.path for entry in entries))
        known = [(e, p) for e, p in zip(entries, prints, strict=True) if p is not None]
    return Kept(
        [_herb(entry.herb) for entry, _ in known],
        [entry.sha256 for entry, _ in known],
        np.array([p for _, p in known], np.int64),
    )


@lru_cache(maxsize=1 << 16)  # a photo of the library never changes; the first look takes 3 ms
def _kept_print(path: Path) -> int | None:
    try:
        return fingerprint(open_photo(path, longest=256).image)
    except HerbError:
        return None  # removed meanwhile, or a damaged disk


def _answers(checkpoint: Checkpoint) -> Callable[[Sequence[_Look]], list[str]]:
    """What the model is sure that each photo shows; "" where it is not, or finds it unfamiliar."""
    engine, head = TorchEngine(checkpoint.network), Head.of(checkpoint)

    def answers(looks: Sequence[_Look]) -> list[str]:
        if not looks:
            return []
        A = engine.features(torch.stack([look.tensor for look in looks if look.tensor is not None]))
        pooled = head.embed(A.mean(axis=(2, 3)))
        probabilities, familiarity = head.probabilities(pooled), head.familiarity(pooled)
        return [
            checkpoint.herbs[p.argmax()]
            if p.max() > SURE and head.verdict(p.max(), familiar) != UNKNOWN
            else ""
            for p, familiar in zip(probabilities, familiarity, strict=True)
        ]

    return answers


def _folder_names(root: Path) -> dict[str, str]:
    """The class folders of `root`, also the empty ones, and the herb that each is taken for."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    return {name: _herb(name) for name in folders if not is_litter(name)}


def _herb(name: str) -> str:
    """The herb that a folder of that name is taken for."""
    return herb.zh if (herb := find(name)) else name
