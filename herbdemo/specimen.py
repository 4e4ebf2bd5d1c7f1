"""Several photos of one specimen -> one answer: whole, cut, leaf, flower.

from herbdemo import current, open_photo
from herbdemo.specimen import look
specimen = look(current(), [open_photo("whole.jpg"), open_photo("cut.jpg")])
specimen.candidates[0], specimen.verdict, specimen.decisive

The logits of the photos are averaged, and the model's own temperature turns the mean into
probabilities. That is the geometric mean of the photos' probabilities, and also what the head says
of their mean features. One photo given five times is answered like that photo once: photos of one
specimen share light and table, so they must not count as independent witnesses, as they would if
their logits were added. Measured in benchmarks/MANY.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from herbdemo.calibrate import unknown_threshold
from herbdemo.checkpoint import Checkpoint
from herbdemo.errors import HerbError
from herbdemo.photo import Photo
from herbdemo.recognise import CANDIDATES, Answer, Candidate, Recogniser
from herbdemo.scores import CERTAIN, UNKNOWN, UNSURE, Head, softmax

MOST = 5  # photos of one specimen; the sixth changes nothing measurable
ROUNDS = 20  # times that held-out photos are dealt into groups; more move the limit by < 0.001
FEWEST = 100  # groups that a limit is taken from; fewer, and that of single photos is used


@dataclass(frozen=True)
class Specimen:
    """What several photos of one specimen say together.

    Attributes:
        candidates: the five most probable herbs, best first, with calibrated probabilities.
        verdict: "certain", "unsure", or "unknown" when it is none of the model's herbs.
        answers: those to the single photos, in their order.
        influence: by how much each photo raises the probability of the best herb: the fused
            probability, less what it is without that photo. Negative for one that speaks against.
        decisive: position of the photo that raises it most.
        disagree: two photos by themselves are certain, of different herbs. Then the verdict is
            never "certain": these may be two specimens.
    """

    candidates: tuple[Candidate, ...]
    verdict: str
    answers: tuple[Answer, ...]
    influence: tuple[float, ...]
    decisive: int
    disagree: bool


def look(recogniser: Recogniser, photos: Sequence[Photo]) -> Specimen:
    """The answer for 1 to `MOST` photos of one specimen; one forward pass for all of them.

    Raises:
        HerbError: there is no photo, or there are too many.
    """
    if not 1 <= len(photos) <= MOST:
        raise HerbError(
            f"一味药请给 1 到 {MOST} 张照片，现在是 {len(photos)} 张。",
            f"Give 1 to {MOST} photos of one herb; these are {len(photos)}.",
            hint="specimen-photos",
        )
    answers = tuple(recogniser.recognise(photos))
    head = recogniser.head
    pooled = head.embed(np.stack([answer.features.mean(axis=(1, 2)) for answer in answers]))
    logits = head.logits(pooled)
    fused = fuse(logits, head.temperature)
    best = np.argsort(-fused)[:CANDIDATES]
    disagree = len({a.candidates[0].herb for a in answers if a.verdict == CERTAIN}) > 1
    verdict = head.verdict(float(fused[best[0]]), np.inf)
    if head.familiarity(pooled).mean() < _limit(recogniser, len(photos)):
        verdict = UNKNOWN
    elif disagree and verdict == CERTAIN:
        verdict = UNSURE
    without = _without_each(logits, head.temperature, int(best[0]))
    return Specimen(
        candidates=tuple(Candidate(recogniser.herbs[k], float(fused[k])) for k in best),
        verdict=verdict,
        answers=answers,
        influence=tuple(float(fused[best[0]] - probability) for probability in without),
        decisive=int(np.argmin(without)),
        disagree=disagree,
    )


_limits: WeakKeyDictionary[Recogniser, dict[int, float]] = WeakKeyDictionary()


def _limit(recogniser: Recogniser, photos: int) -> float:
    """`least_familiarity` of a model, dealt out for once: it takes as long as the network."""
    known = _limits.setdefault(recogniser, {})
    if photos not in known:
        known[photos] = least_familiarity(recogniser.checkpoint, recogniser.head, photos)
    return known[photos]


def fuse(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (..., herbs) of groups of photos with these logits (..., photos, herbs).

    From the mean of the photos' logits: the geometric mean of what they say one by one.
    """
    return softmax(logits.mean(axis=-2) / temperature)


def least_familiarity(checkpoint: Checkpoint, head: Head, photos: int) -> float:
    """The mean familiarity that a group of `photos` must reach to be a herb of the model.

    A mean strays less than single photos do, so it can be held to more: it is the limit that keeps
    as large a share of groups of the model's own held-out photos as the one for single photos
    keeps of those. A model that holds too few of them gets the limit of single photos.
    """
    known = checkpoint.statistics
    if photos == 1 or "val" not in known:
        return head.unknown
    familiarity = head.familiarity(known["val"].float().numpy())
    groups = dealt(known["val_labels"].numpy(), photos, rounds=ROUNDS)
    if len(groups) < FEWEST:
        return head.unknown
    return max(head.unknown, unknown_threshold(familiarity[groups].mean(axis=1)))


def dealt(labels: np.ndarray, size: int, *, rounds: int, seed: int = 0) -> np.ndarray:
    """Positions (groups, size) of photos with one label, dealt out like cards `rounds` times."""
    rng = np.random.default_rng(seed)
    groups = [np.empty((0, size), np.int64)]
    for _ in range(rounds):
        for label in np.unique(labels):
            cards = rng.permutation(np.flatnonzero(labels == label))
            full = len(cards) // size * size
            groups.append(cards[:full].reshape(-1, size))
    return np.concatenate(groups)


def _without_each(logits: np.ndarray, temperature: float, best: int) -> np.ndarray:
    """Probability (photos,) of herb `best` without each photo; without the only one, a guess."""
    photos, herbs = logits.shape
    if photos == 1:
        return np.full(1, 1 / herbs)
    total = logits.sum(axis=0)
    return softmax((total - logits) / (photos - 1) / temperature)[:, best]
