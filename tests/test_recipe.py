"""The settings of a training: the schedule of its rate, the sides of its photos."""

import pytest

from herbdemo.recipe import PRESETS, Recipe, schedule


def test_the_schedule_warms_up_then_falls_to_zero():
    values = [schedule(i / 100, warmup=0.1) for i in range(101)]
    assert values[0] < 0.05
    assert max(values) == pytest.approx(1)
    assert values.index(max(values)) == 10
    assert values[-1] == pytest.approx(0)
    assert values[10:] == sorted(values[10:], reverse=True)


def test_photos_grow_towards_the_end():
    assert [Recipe().size_at(epoch) for epoch in range(10)] == [128] * 6 + [160] * 4
    assert Recipe().work(9) / Recipe().work(0) == pytest.approx((160 / 128) ** 2)


def test_each_preset_trains_more_of_the_network_than_the_one_before():
    assert [recipe.depth for recipe in PRESETS.values()] == [1, 2, 4]
    assert PRESETS["quick"].epochs == 0
    assert PRESETS["full"] == Recipe()
