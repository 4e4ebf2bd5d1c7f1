"""Photos that a new model has not learned from, and what the old and the new one say of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample
from herbdemo.evaluate import Features, engine_for, extract
from herbdemo.proof import Judged, proof
from herbdemo.scores import Head


def held_out(checkpoint: Checkpoint) -> tuple[np.ndarray, np.ndarray]:
    """The kept features (n, D) and labels (n,) of the base model's validation photos."""
    known = checkpoint.statistics
    size = checkpoint.network.fc.in_features
    held = known.get("val", torch.zeros(0, size)).float().numpy()
    return held, known.get("val_labels", torch.zeros(0, dtype=torch.long)).numpy()


def judged(
    checkpoint: Checkpoint,
    samples: Sequence[Sample],
    **options: Any,
) -> Judged:
    """What a model says of the photos of its own herbs that open; `options` are `extract`'s."""
    mine = [sample for sample in samples if sample.herb in checkpoint.herbs]
    engine = engine_for(checkpoint.network, len(mine), sha256=checkpoint.sha256)
    head = Head.of(checkpoint)
    found = extract(engine, mine, checkpoint.herbs, checkpoint.preprocessing, tail=head.tail,
                    **options)  # fmt: skip
    failed = {path for path, _ in found.failures}
    opened = [sample for sample in mine if sample.path not in failed]
    return Judged(
        checkpoint.herbs,
        head.probabilities(found.pooled),
        [sample.herb for sample in opened],
        [photo_name(sample) for sample in opened],
    )


def kept(
    before: Checkpoint, after: Checkpoint, left_out: Judged, files: dict[str, str]
) -> dict[str, Any]:
    """Old herbs on kept features, new ones by leaving out.

    Args:
        left_out: what `after` says of each added photo when left out; its files are their sha256.
        files: by sha256, where the photos lie that were learned just now.
    """
    held, labels = held_out(after)
    truth = [after.herbs[k] for k in labels]
    blank = [""] * len(truth)
    rows = [
        i
        for i, (herb, photo) in enumerate(zip(left_out.truth, left_out.files, strict=True))
        if photo in files and herb not in before.herbs
    ]
    new = _at(left_out, rows)
    new = replace(new, files=[files[photo] for photo in new.files])
    return proof(
        Judged(before.herbs, Head.of(before).probabilities(held), truth, blank),
        _joined([Judged(after.herbs, Head.of(after).probabilities(held), truth, blank), new]),
        model=before.id,
        temperature=after.temperature,
        old="kept" if len(truth) else "",
        new="leave-one-out" if rows else "",
    )


def tested(before: Checkpoint, after: Checkpoint, test: Sequence[Sample]) -> dict[str, Any]:
    """Both on photos that neither learned from, through a network that they share."""
    is_ = judged(after, test)
    old = [i for i, herb in enumerate(is_.truth) if herb in before.herbs]
    new = [i for i, herb in enumerate(is_.truth) if herb not in before.herbs]
    return proof(
        judged(before, test),
        _joined([_at(is_, old), _at(is_, new)]),
        model=before.id,
        temperature=after.temperature,
        old="test" if old else "",
        new="test" if new else "",
    )


def trained(
    model: Checkpoint | None,
    before: Judged | None,
    after: Checkpoint,
    val: Sequence[Sample],
    remembered: Features | None,
    **options: Any,
) -> dict[str, Any]:
    """Both on the validation photos of a training; `options` are `extract`'s.

    Args:
        model: where the training started, if from a model; `before` is what it said of `val`.
        remembered: features of the old model's own validation photos, of herbs that have no photo
            in `val`. The new network would see these photos nearly so, not exactly, so what this
            says is too kind ("replay").
    """
    photos = judged(after, val, **options)
    known = model.herbs if model else ()
    old = [i for i, herb in enumerate(photos.truth) if herb in known]
    new = [i for i, herb in enumerate(photos.truth) if herb not in known]
    was, is_ = [before] if before else [], [_at(photos, old)]
    if model and remembered and len(remembered.labels):
        truth = [model.herbs[k] for k in remembered.labels]
        for checkpoint, parts in ((model, was), (after, is_)):
            told = Head.of(checkpoint).probabilities(remembered.pooled)
            parts.append(Judged(checkpoint.herbs, told, truth, [""] * len(truth)))
    sources = ("photos" if old else "", "replay" if len(is_) > 1 else "")
    return proof(
        _joined(was) if was else Judged((), np.zeros((0, 1)), (), ()),
        _joined([*is_, _at(photos, new)]),
        model=model.id if model else "",
        temperature=after.temperature,
        old=" + ".join(filter(None, sources)),
        new="val" if new else "",
    )


def _at(told: Judged, rows: list[int]) -> Judged:
    return Judged(
        told.herbs,
        told.probabilities[rows],
        [told.truth[i] for i in rows],
        [told.files[i] for i in rows],
    )


def _joined(parts: list[Judged]) -> Judged:
    return Judged(
        parts[0].herbs,
        np.concatenate([part.probabilities for part in parts]),
        [herb for part in parts for herb in part.truth],
        [file for part in parts for file in part.files],
    )


def photo_name(sample: Sample) -> str:
    """Where the photo lies below the folder of all herbs; no path of this computer."""
    return f"{sample.path.parent.name}/{sample.path.name}"
