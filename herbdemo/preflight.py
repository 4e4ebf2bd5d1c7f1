"""What is wrong with a set of photos, said before anything is trained on it.

Each photo is opened once: its size, its sha256, its fingerprint and what the network sees all come
from the same decoded picture.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from herbdemo import findings
from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample, fingerprint, is_litter
from herbdemo.engine import TorchEngine
from herbdemo.errors import HerbError
from herbdemo.evaluate import BATCH, DECODED
from herbdemo.findings import ERROR, NOTE, SURE, WARNING, Finding, Photos
from herbdemo.herbs import find
from herbdemo.intake import Batch, Refused
from herbdemo.library import Library
from herbdemo.photo import open_photo
from herbdemo.scores import UNKNOWN, Head


@dataclass(frozen=True)
class Preflight:
    """The report. `photos` and `herbs` count what can be used; `new_herbs` the model lacks."""

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
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Preflight:
    """Look at photos before a model learns from them.

    Args:
        samples: as `scan(root)` gives them.
        root: the folder of class folders; files are named as seen from it.
        checkpoint: the model that is to learn; without one, nothing is said about models.
        refused: files that were set aside earlier.
        names: what the owner called each herb -> the herb; by default the folders of `root`.
    """
    started = time.perf_counter()
    names = _folder_names(root) if names is None else names
    known = checkpoint.herbs if checkpoint else ()
    photos, unreadable = _seen(samples, root, checkpoint, progress)
    set_aside = [(r.file, names.get(r.file.split("/")[0], ""), r.error) for r in refused]
    counts = dict.fromkeys(sorted({*names.values(), *(s.herb for s in samples)}), 0)
    counts |= Counter(photos.herbs)
    held_out = checkpoint.statistics.get("held_out") if checkpoint else None
    found = [
        *findings.unreadable([*set_aside, *unreadable]),
        *findings.too_small(photos),
        *findings.exact_copies(photos),
        *findings.near_copies(photos),
        *(findings.held_out(photos, held_out.numpy()) if held_out is not None else ()),
        *findings.names(names, known),
        *findings.numbers(counts),
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
    """`check` of photos that wait for their owner's decision, under the names that they had."""
    samples = [Sample(entry.path, entry.herb) for entry in Library(batch.folder).entries()]
    return check(samples, root=batch.folder, checkpoint=checkpoint, refused=batch.refused,
                 names=batch.names, progress=progress)  # fmt: skip


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
        return _Look(min(photo.size), photo.sha256, fingerprint(image), prepare(image))

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


def _answers(checkpoint: Checkpoint) -> Callable[[Sequence[_Look]], list[str]]:
    """What the model is sure that each photo shows; "" where it is not, or finds it unfamiliar."""
    engine, head = TorchEngine(checkpoint.network), Head.of(checkpoint)

    def answers(looks: Sequence[_Look]) -> list[str]:
        if not looks:
            return []
        pooled = engine.features(torch.stack([look.tensor for look in looks])).mean(axis=(2, 3))
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
    found = {name: find(name) for name in folders if not is_litter(name)}
    return {name: herb.zh if herb else name for name, herb in found.items()}
