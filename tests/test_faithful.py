"""Faithfulness: maps of a scorer whose evidence is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toys import HERBS, herb_photo

from herbdemo import faithful
from herbdemo.explain import Explainer
from herbdemo.faithful import CLEAR, SHARES, STEPS, Faithfulness, faithfulness

SIDE = 112


class Knows:
    """Takes a chequered square at the top left for the herb, and sees nothing else."""

    herbs = ("herb",)

    def __init__(self, *, blind: bool = False) -> None:
        self.blind = blind
        self.asked = 0
        x = torch.zeros(3, SIDE, SIDE)
        x[:, :28:2, :28] = 2
        x[:, 56:, 56::2] = 2  # as striking, but it counts for nothing
        self.seen = SimpleNamespace(x=x[None], probabilities=self.probabilities(x[None], "herb"))
        self.asked = 0

    def probabilities(self, batch: torch.Tensor, herb: str) -> np.ndarray:
        self.asked += len(batch)
        if self.blind:
            return np.full(len(batch), 0.97, np.float32)
        rows = batch[:, 0, :28, :28]
        edges = (rows[:, 1:] - rows[:, :-1]).abs().mean(dim=(1, 2))
        return (edges / 2).clamp(0, 1).numpy()


def map_at(row: int, column: int) -> np.ndarray:
    values = np.zeros((8, 8), np.float32)
    values[row : row + 2, column : column + 2] = 1
    return values


RIGHT, WRONG = map_at(0, 0), map_at(5, 5)


def measured(values: np.ndarray, knows: Knows) -> Faithfulness:
    return faithfulness(knows, knows.seen, "herb", values)


def test_a_map_of_the_real_evidence_is_faithful():
    found = measured(RIGHT, Knows())
    assert found.whole > 0.9
    assert found.verdict == "faithful"
    assert found.road > 0.5
    assert found.most[found.said] < 0.2 < found.elsewhere[found.said]
    assert found.least[found.said] > 0.8


def test_a_map_of_something_else_is_not():
    found = measured(WRONG, Knows())
    assert found.verdict == "unfaithful"
    assert found.road < 0


def test_where_nothing_matters_nothing_is_claimed():
    found = measured(RIGHT, Knows(blind=True))
    assert found.verdict == "open"
    assert found.road == pytest.approx(0, abs=1e-6)


def test_deletion_and_insertion_tell_the_maps_apart():
    right, wrong = measured(RIGHT, Knows()), measured(WRONG, Knows())
    assert right.deletion_auc < wrong.deletion_auc - 0.2
    assert right.insertion_auc > wrong.insertion_auc + 0.2


def test_the_curves_run_between_the_photo_and_its_blurred_twin():
    found = measured(RIGHT, Knows())
    assert len(found.deletion) == len(found.insertion) == len(STEPS) == 11
    assert found.deletion[0] == found.insertion[-1] == found.whole
    assert found.deletion[-1] == found.insertion[0]
    assert len(found.most) == len(found.least) == len(found.elsewhere) == len(SHARES)
    every = (*found.most, *found.least, *found.elsewhere, *found.deletion, *found.insertion)
    assert all(0 <= p <= 1 for p in every)


def test_it_costs_three_dozen_passes():
    knows = Knows()
    faithfulness(knows, knows.seen, "herb", RIGHT)
    assert knows.asked == 35


def test_the_same_map_gives_the_same_figures_whatever_was_drawn_at_random_before():
    first = measured(RIGHT, Knows())
    torch.randn(7)
    assert measured(RIGHT, Knows()) == first


def test_much_of_a_map_is_zero_and_its_order_is_random_but_not_scattered():
    rank = faithful._rank(RIGHT, SIDE)
    assert (np.sort(rank, axis=None) == np.arange(SIDE * SIDE, dtype=np.float32) / SIDE**2).all()
    dull = rank >= 0.7
    neighbours = (dull[1:] == dull[:-1]).mean()
    assert neighbours > 0.9


def test_what_is_filled_in_comes_from_the_surroundings():
    from herbdemo import cam

    x = torch.linspace(0, 1, SIDE).expand(3, SIDE, SIDE).contiguous()
    hole = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    hole[30:70, 40:80] = True
    spoiled = torch.where(hole, 9.0, x)
    filled = cam.filled(spoiled, hole)
    assert torch.equal(filled[:, ~hole], x[:, ~hole])
    torch.testing.assert_close(filled[:, hole], x[:, hole], atol=0.02, rtol=0)


def test_real_networks_are_asked_the_same_way(toy):
    explainer = Explainer(toy)
    seen = explainer.see(herb_photo(HERBS[0], 1))
    values = explainer.explain(seen, HERBS[0], layer="layer3").values
    found = faithfulness(explainer, seen, HERBS[0], values)
    assert found.whole == pytest.approx(seen.probabilities[0], abs=1e-6)
    assert found.verdict in ("faithful", "unfaithful", "open")


@pytest.mark.parametrize(
    ("most", "least", "elsewhere", "verdict", "said"),
    [
        ((0.9, 0.8, 0.4, 0.1), (0.97, 0.97, 0.97, 0.9), (0.95, 0.95, 0.9, 0.8), "faithful", 1),
        ((0.97, 0.97, 0.97, 0.9), (0.97, 0.5, 0.4, 0.1), (0.9, 0.9, 0.8, 0.7), "unfaithful", 1),
        ((0.97,) * 4, (0.97,) * 4, (0.97,) * 4, "open", 3),
        # Other places matter as much as those that the map shows.
        ((0.97, 0.9, 0.7, 0.5), (0.97, 0.97, 0.97, 0.97), (0.9, 0.8, 0.6, 0.3), "open", 2),
    ],
)
def test_the_verdict(most, least, elsewhere, verdict, said):
    curve = (0.97, *[0.5] * 10)
    found = Faithfulness(0.97, most, least, elsewhere, curve, curve[::-1])
    assert (found.verdict, found.said) == (verdict, said)
    assert CLEAR == 0.1
