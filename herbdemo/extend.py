"""New herbs in seconds, none forgotten: the network stays, and only the head is solved again.

    python -m herbdemo extend FOLDER --name ID

What the base model learned is kept as sums (`calibrate.feature_statistics`); of each photo that was
added later its pooled features are kept as they are. Head, temperature and thresholds are a pure
function of these two (`solve`). So the order of the photos cannot matter, adding A and then B is
adding both, and a herb that is taken away again leaves the model as it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from herbdemo.checkpoint import Checkpoint
from herbdemo.dataset import Sample, fingerprints, photo_id
from herbdemo.errors import HerbError
from herbdemo.evaluate import engine_for, extract
from herbdemo.held_out import kept, photo_name, tested
from herbdemo.scores import Tail
from herbdemo.solve import Added, base_of, solved, without_herb


def extend(
    checkpoint: Checkpoint,
    samples: Sequence[Sample],
    *,
    name: str,
    test: Sequence[Sample] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Checkpoint:
    """The model that also knows the herbs of `samples`, unsaved, with the proof in its card.

    One forward pass per photo. Photos that the model has learned before are passed over, unless it
    learned them under another herb: then it learns better. Photos of herbs that it knows improve
    these herbs.

    Args:
        test: photos for the proof. Without them old herbs are judged on the kept features of the
            base model's validation photos, and new ones by leaving out each photo in turn.

    Raises:
        HerbError: no new photo that opens, a photo in two herbs, or a model that kept no sums.
    """
    base = base_of(checkpoint)
    fresh, photos, known = _fresh(samples, Added.of(checkpoint))
    names = sorted({sample.herb for sample in fresh})
    engine = engine_for(checkpoint.network, len(fresh), sha256=checkpoint.sha256)
    features = extract(engine, fresh, names, checkpoint.preprocessing,
                       tail=Tail.of(checkpoint.network), progress=progress)  # fmt: skip
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
        fingerprints([fresh[i] for i in opened])[0],
    )
    after, left_out = solved(base, known.joined(new), name=name)
    if test:
        report = tested(checkpoint, after, test)
    else:
        files = dict(zip(new.photos, (photo_name(fresh[i]) for i in opened), strict=True))
        report = kept(checkpoint, after, left_out, files)
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


def _fresh(samples: Sequence[Sample], known: Added) -> tuple[list[Sample], list[str], Added]:
    """The photos to be learned, each once, their sha256, and what stays of the known ones."""
    herb_of: dict[str, str] = {}
    first: dict[str, Sample] = {}
    for sample in samples:
        photo = photo_id(sample.path)
        if herb_of.setdefault(photo, sample.herb) != sample.herb:
            raise HerbError(
                f"同一张照片（{sample.path.name}）既在“{herb_of[photo]}”里，又在“{sample.herb}”里。"
                "请删去错的一张。",
                f"One photo ({sample.path.name}) is both in “{herb_of[photo]}” and in "
                f"“{sample.herb}”. Remove the wrong one.",
                hint="photo-other-herb",
            )
        first.setdefault(photo, sample)
    pairs = zip(known.herbs, known.photos, strict=True)
    known = known.at([i for i, (herb, p) in enumerate(pairs) if herb_of.get(p, herb) == herb])
    photos = [photo for photo in first if photo not in set(known.photos)]
    return [first[photo] for photo in photos], photos, known
