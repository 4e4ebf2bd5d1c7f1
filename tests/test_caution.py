"""What is said beside an answer: no poison may be missed, and a warning each time is noise."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from herbdemo.caution import POISON, POSSIBLE, STRANGER, TWIN_POISON, TWINS, Caution, cautions
from herbdemo.herbs import Herb, catalogue, herb_named


@dataclass(frozen=True)
class Candidate:
    herb: Herb
    probability: float


def said(*odds: tuple[str, float], verdict: str = "certain", known: str = "") -> list[tuple]:
    candidates = [Candidate(herb_named(zh), p) for zh, p in odds]
    herbs = {*(zh for zh, _ in odds), *known.split()}
    return [
        (c.kind, c.herb.zh, c.other.zh if c.other else None, c.known)
        for c in cautions(candidates, verdict, known=herbs)
    ]


def test_a_harmless_answer_says_nothing():
    assert said(("桃", 0.97), ("石榴", 0.02), ("柠檬", 0.01)) == []


@pytest.mark.parametrize(
    ("probability", "warned"), [(0.4, True), (POSSIBLE, True), (0.0099, False)]
)
def test_a_poison_counts_from_one_percent(probability, warned):
    found = said(("桃", 0.5), ("艾叶", probability), verdict="unsure")
    assert found == ([(POISON, "艾叶", None, True)] if warned else [])


def test_the_first_counts_however_improbable():
    assert said(("艾叶", 0.004), ("桃", 0.003), verdict="unsure") == [(POISON, "艾叶", None, True)]


def test_two_candidates_that_look_alike():
    found = said(("白芍", 0.6), ("桃", 0.1), ("赤芍", 0.05), verdict="unsure")
    assert found == [(TWINS, "白芍", "赤芍", True)]
    assert said(("桃", 0.6), ("白芍", 0.2), ("赤芍", 0.2)) == [(TWINS, "白芍", "赤芍", True)]
    assert said(("白芍", 0.99), ("赤芍", 0.001)) == []  # it was weighed and ruled out
    assert said(("白芍", 0.99), ("桃", 0.001), known="赤芍") == []


def test_a_look_alike_that_the_model_never_saw():
    assert said(("白芍", 0.99), ("桃", 0.001)) == [(STRANGER, "白芍", "赤芍", False)]
    assert said(("桃", 0.99), ("白芍", 0.01)) == []  # only what is put forward


def test_a_look_alike_that_is_a_poison_counts_whether_known_or_not():
    assert said(("五加皮", 0.99), ("桃", 0.001)) == [(TWIN_POISON, "五加皮", "香加皮", False)]
    known = said(("五加皮", 0.99), ("桃", 0.001), known="香加皮")
    assert known == [(TWIN_POISON, "五加皮", "香加皮", True)]
    both = said(("五加皮", 0.7), ("香加皮", 0.2))
    assert both == [(POISON, "香加皮", None, True), (TWINS, "五加皮", "香加皮", True)]


def test_the_gravest_comes_first():
    found = said(("金银花", 0.6), ("艾叶", 0.2), ("川乌", 0.1), ("半夏", 0.1), verdict="unsure")
    assert [(kind, other or herb) for kind, herb, other, _ in found] == [
        (POISON, "川乌"),  # highly toxic
        (TWIN_POISON, "钩吻"),
        (POISON, "半夏"),  # toxic
        (POISON, "艾叶"),  # slightly toxic
        (STRANGER, "山银花"),
    ]


def test_an_unknown_photo_has_no_name_to_be_mixed_up():
    assert said(("金银花", 0.6), ("山银花", 0.2), verdict="unknown") == []
    poison = said(("金银花", 0.6), ("川乌", 0.2), verdict="unknown")
    assert poison == [(POISON, "川乌", None, True)]


def test_herbs_that_users_added_and_small_models():
    assert said(("我的草", 0.9)) == []
    assert said() == []
    assert said(("艾叶", 1.0)) == [(POISON, "艾叶", None, True)]


def test_every_herb_of_the_catalogue_can_be_the_answer():
    for herb in catalogue().values():
        for verdict in ("certain", "unsure", "unknown"):
            found = said((herb.zh, 0.9), ("罗勒", 0.05), verdict=verdict)
            assert all(kind in (POISON, TWIN_POISON, TWINS, STRANGER) for kind, *_ in found)
            assert len(set(found)) == len(found)


def test_a_caution_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Caution(POISON, herb_named("艾叶")).kind = TWINS
