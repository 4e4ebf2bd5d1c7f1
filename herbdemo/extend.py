"""New herbs in seconds, none forgotten: the network stays, and only the head is solved again.

    python -m herbdemo extend FOLDER --name ID

What the base model learned is kept as sums (`calibrate.feature_statistics`); of each photo that was
added later its pooled features are kept as they are. Head, temperature and thresholds are a pure
function of these two (`solve`). So the order of the photos cannot matter, adding A and then B is
adding both, and a herb that is taken away again leaves the model as it was.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample
from herbdemo.engine import TorchEngine
from herbdemo.errors import HerbError
from herbdemo.evaluate import Features, extract_together
from herbdemo.proof import Judged, proof
from herbdemo.scores import Head
from herbdemo.solve import Added, base_of, held_out, solved, without_herb


def extend(
    checkpoint: Checkpoint,
    samples: Sequence[Sample],
    *,
    name: str,
    test: Sequence[Sample] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Checkpoint:
    """The model that also knows the herbs of `samples`, unsaved, with the proof in its card.

    One forward pass per photo. Photos that the model has learned before are passed over; those of
    herbs that it knows improve these herbs.

    Args:
        test: photos for the proof. Without them old herbs are judged on the kept features of the
            base model's validation photos, and new ones by leaving out each photo in turn.

    Raises:
        HerbError: no new photo that opens, a photo in two herbs, or a model that kept no sums.
    """
    base, known = base_of(checkpoint), Added.of(checkpoint)
    fresh, photos = _fresh(samples, known)
    names = sorted({sample.herb for sample in fresh})
    engine = TorchEngine(checkpoint.network)
    features = extract_together(engine, fresh, names, checkpoint.preprocessing, progress=progress)
    failed = {path for path, _ in features.failures}
    opened = [i for i, sample in enumerate(fresh) if sample.path not in failed]
    if not opened:
        raise HerbError(
            "没有新的照片可学：照片都打不开，或者都已经学过。请加入新的照片。",
            "There is no new photo to learn from: none opens, or all were learned before. "
            "Add new photos.",
            hint="no-new-photo",
        )
    new = Added(
        features.pooled.astype(np.float16).astype(np.float32),  # as they are kept
        tuple(fresh[i].herb for i in opened),
        tuple(photos[i] for i in opened),
    )
    after, left_out = solved(base, known.joined(new), name=name)
    if test:
        judged = extract_together(engine, test, after.herbs, checkpoint.preprocessing)
        report = _tested(checkpoint, after, judged, test)
    else:
        files = dict(
            zip(photos, (f"{s.path.parent.name}/{s.path.name}" for s in fresh), strict=True)
        )
        report = _kept(checkpoint, after, left_out, {p: files[p] for p in new.photos})
    return replace(after, card={**after.card, "parent": checkpoint.id, "proof": report})


def forget(checkpoint: Checkpoint, herb: str, *, name: str) -> Checkpoint:
    """The model without one herb, unsaved; the exact inverse of `extend` for a herb it added.

    The shared covariance keeps the share of a herb that the base model was trained on.

    Raises:
        HerbError: the model does not know the herb, or would know fewer than two.
    """
    if herb not in checkpoint.herbs:
        raise HerbError(
            f"这个模型不认识“{herb[:40]}”。请从它的药材里选一种。",
            f"This model does not know “{herb[:40]}”. Choose one of its herbs.",
            hint="herb-not-in-model",
        )
    if len(checkpoint.herbs) <= 2:
        raise HerbError(
            "模型至少要认识两种药材，不能再删。",
            "A model must know at least two herbs; no more can be removed.",
            hint="too-few-herbs",
        )
    base = base_of(checkpoint)
    if herb in base.herbs:
        base = without_herb(base, base.herbs.index(herb))
    after, _ = solved(base, Added.of(checkpoint).without(herb), name=name)
    return replace(after, card={**after.card, "parent": checkpoint.id})


def _fresh(samples: Sequence[Sample], known: Added) -> tuple[list[Sample], list[str]]:
    """The photos that are to be learned, each once, and their sha256."""
    learned, herb_of = set(known.photos), {}
    fresh, photos = [], []
    for sample in samples:
        with sample.path.open("rb") as file:
            photo = hashlib.file_digest(file, "sha256").hexdigest()
        if herb_of.setdefault(photo, sample.herb) != sample.herb:
            raise HerbError(
                f"同一张照片（{sample.path.name}）既在“{herb_of[photo]}”里，又在“{sample.herb}”里。"
                "请删去错的一张。",
                f"One photo ({sample.path.name}) is both in “{herb_of[photo]}” and in "
                f"“{sample.herb}”. Remove the wrong one.",
                hint="photo-other-herb",
            )
        if photo not in learned:
            learned.add(photo)
            fresh.append(sample)
            photos.append(photo)
    return fresh, photos


# The proof


def _kept(
    before: Checkpoint, after: Checkpoint, left_out: Judged, files: dict[str, str]
) -> dict[str, Any]:
    """Old herbs on kept features, new ones by leaving out; `files` of the photos just learned."""
    held, labels = held_out(after)
    truth = [after.herbs[k] for k in labels]
    old = Judged(before.herbs, Head.of(before).probabilities(held), truth, [""] * len(truth))
    new = [
        i
        for i, (herb, photo) in enumerate(zip(left_out.truth, left_out.files, strict=True))
        if photo in files and herb not in before.herbs
    ]
    both = Judged(
        after.herbs,
        np.concatenate([Head.of(after).probabilities(held), left_out.probabilities[new]]),
        [*truth, *(left_out.truth[i] for i in new)],
        [*old.files, *(files[left_out.files[i]] for i in new)],
    )
    return proof(
        old,
        both,
        model=before.id,
        temperature=after.temperature,
        old="kept" if len(truth) else "",
        new="leave-one-out" if new else "",
    )


def _tested(
    before: Checkpoint, after: Checkpoint, features: Features, test: Sequence[Sample]
) -> dict[str, Any]:
    """Both on photos that neither learned from."""
    failed = {path for path, _ in features.failures}
    files = [f"{s.path.parent.name}/{s.path.name}" for s in test if s.path not in failed]
    order = np.array(
        [i for i, k in enumerate(features.labels) if k >= 0 and after.herbs[k] in before.herbs]
        + [
            i
            for i, k in enumerate(features.labels)
            if k >= 0 and after.herbs[k] not in before.herbs
        ],
        dtype=int,
    )
    truth = [after.herbs[features.labels[i]] for i in order]
    names = [files[i] for i in order]
    old = sum(herb in before.herbs for herb in truth)
    pooled = features.pooled[order]
    return proof(
        Judged(before.herbs, Head.of(before).probabilities(pooled[:old]), truth[:old], names[:old]),
        Judged(after.herbs, Head.of(after).probabilities(pooled), truth, names),
        model=before.id,
        temperature=after.temperature,
        old="test" if old else "",
        new="test" if old < len(truth) else "",
    )
