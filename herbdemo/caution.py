"""What to be careful about before believing an answer: poisons, and herbs that look alike.

A model only weighs the herbs that it knows. So what it has never seen counts here as much as what
it has: an aconite that is not among its herbs will be called something else.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from herbdemo.herbs import TOXIC, Herb, herb_named

# The least probability at which a candidate counts. A calibrated 1 % is one photo in a hundred.
# With the default model's test photos, whichever of its herbs were the poison, 4 of 760 photos of
# it would have gone without a warning, and 1.05 % of the photos of other herbs would have had one
# (val: 3 of 564, 1.05 %). At 0.1 % it is 3 of 760 and 2.6 %, at 10 % it is 10 of 760 and 0.3 %.
POSSIBLE = 0.01

POISON = "poison"  # a candidate is a poison
TWIN_POISON = "twin-poison"  # the first candidate is no poison, but easily taken for one
TWINS = "twins"  # two candidates are easily taken for each other; there is a contrast map
STRANGER = "stranger"  # the first candidate is easily taken for a herb that the model never saw


class Candidate(Protocol):
    """One of the answer's herbs."""

    @property
    def herb(self) -> Herb: ...

    @property
    def probability(self) -> float: ...


@dataclass(frozen=True)
class Caution:
    """One thing to be careful about.

    Attributes:
        kind: `POISON`, `TWIN_POISON`, `TWINS` or `STRANGER`.
        herb: the candidate that it is about.
        other: the herb that it is easily taken for; None for `POISON`.
        known: whether the model knows `other`, and so could weigh it against `herb`.
    """

    kind: str
    herb: Herb
    other: Herb | None = None
    known: bool = True


def cautions(
    candidates: Sequence[Candidate], verdict: str, *, known: Collection[str]
) -> tuple[Caution, ...]:
    """What to say beside an answer, the gravest first.

    A look-alike that the model knows and holds less than possible is ruled out, and not mentioned,
    unless it is a poison. Where the verdict is "unknown" no name is put forward that could be
    taken for another, so only poisons are mentioned.

    Args:
        candidates: of the answer, the most probable first.
        known: ids of all herbs of the model.
    """
    possible = [c.herb for i, c in enumerate(candidates) if i == 0 or c.probability >= POSSIBLE]
    found = [Caution(POISON, herb) for herb in possible if herb.toxic]
    if verdict != "unknown" and possible:
        found += _look_alikes(possible, known)
    return tuple(sorted(found, key=_gravity, reverse=True))


def _look_alikes(possible: Sequence[Herb], known: Collection[str]) -> list[Caution]:
    first, ids = possible[0], [herb.zh for herb in possible]
    found = [
        Caution(TWINS, herb, other)
        for i, herb in enumerate(possible)
        for other in possible[i + 1 :]
        if other.zh in herb.confused_with
    ]
    for other in map(herb_named, first.confused_with):
        if other.zh in ids:
            continue
        if other.toxic:
            found.append(Caution(TWIN_POISON, first, other, other.zh in known))
        elif other.zh not in known:
            found.append(Caution(STRANGER, first, other, known=False))
    return found


def _gravity(caution: Caution) -> tuple[int, int]:
    """Poisons first, the stronger the earlier; then what the photo itself leaves open."""
    worst = max(_class(herb) for herb in (caution.herb, caution.other) if herb)
    kinds = (STRANGER, TWINS, TWIN_POISON, POISON)
    grave = caution.kind in (POISON, TWIN_POISON)
    return worst if grave else 0, kinds.index(caution.kind)


def _class(herb: Herb) -> int:
    """1 for "slightly toxic" to 3 for "highly toxic"; 0 for what is not listed."""
    return [*TOXIC].index(herb.toxic) + 1 if herb.toxic in TOXIC else 0
