"""Eight bits: limits that fit, and a network that rounds so, alike in torch and in OpenVINO."""

import numpy as np
import pytest
import torch
from toys import HERBS, TinyNet

from herbdemo.choice import agreement, check_photos
from herbdemo.engine import TorchEngine
from herbdemo.openvino_engine import OpenVinoEngine, _traced
from herbdemo.quantise import STAY, limits_in, limits_of, quantised, simulated, whole_weights

SOUND = {"passes": True, "limits": {"last": 2.0}}


@pytest.fixture
def tiny() -> TorchEngine:
    return TorchEngine(TinyNet(len(HERBS)).eval().requires_grad_(False))


@pytest.fixture(scope="module")
def toy_engine(toy) -> TorchEngine:
    return TorchEngine(toy.network)


@pytest.fixture(scope="module")
def limits(toy, toy_engine) -> dict:
    return limits_of(toy_engine, [check_photos(toy.preprocessing)])


def test_what_sees_negative_numbers_gets_no_limit(tiny, limits):
    assert list(limits_of(tiny, [torch.randn(4, 3, 32, 32)])) == ["last"]
    assert len(limits) == 50  # of 53
    assert not STAY & set(limits)


def test_a_limit_is_about_the_largest_number_and_no_batch_is_forgotten(tiny):
    batches = [torch.randn(4, 3, 32, 32) * scale for scale in (1e-3, 1, 40)]
    most = max(float(tiny.network.stem(batch).max()) for batch in batches)
    for order in (batches, batches[::-1], [torch.cat(batches)]):
        assert 0.5 * most < limits_of(tiny, order)["last"] <= most * 1.001


def test_a_rare_number_far_beyond_the_others_is_cut_off(tiny):
    photos = torch.rand(40, 3, 256, 256)
    photos[0, :, :8, :8] = 3
    most = float(tiny.network.stem(photos).max())
    assert limits_of(tiny, [photos])["last"] < 0.9 * most


def test_measuring_and_rounding_leave_the_network_alone(tiny):
    before = {name: value.clone() for name, value in tiny.network.state_dict().items()}
    batch = torch.randn(2, 3, 32, 32)
    expected = tiny.features(batch)
    rounded = TorchEngine(simulated(tiny.network, limits_of(tiny, [batch])))
    assert 0 < np.abs(rounded.features(batch) - expected).max() < 0.05 * expected.max()
    np.testing.assert_array_equal(tiny.features(batch), expected)
    assert all(torch.equal(before[name], now) for name, now in tiny.network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in tiny.network.modules())


def test_openvino_rounds_as_the_simulation_does(toy, toy_engine, limits):
    pytest.importorskip("openvino")
    photos = check_photos(toy.preprocessing)
    model = _traced(toy.network)
    int8 = OpenVinoEngine(quantised(model, limits), "int8")
    assert agreement(TorchEngine(simulated(toy.network, limits)), int8, photos) > 0.995
    assert agreement(toy_engine, int8, photos) > 0.98
    assert not any(op.get_type_name() == "FakeQuantize" for op in model.get_ops())  # as it was


def test_every_convolution_that_has_a_limit_is_done_in_eight_bits(toy, limits):
    """A slip in the names would leave it in floating point, and nobody would notice."""
    pytest.importorskip("openvino")
    kinds = [op.get_type_name() for op in quantised(_traced(toy.network), limits).get_ops()]
    assert kinds.count("FakeQuantize") == 50 - 3  # three blocks give their input to two of them


def test_weights_are_rounded_so_that_no_channel_is_shifted():
    weight = torch.randn(64, 32, 3, 3)
    weight[:, :, 0, 0] = 0  # pruned
    weight[5] = 0
    whole, steps = whole_weights(weight)
    assert torch.equal(whole, whole.round())
    assert whole.abs().max() == 127
    error = whole - weight / steps
    assert error.abs().max() < 1
    assert error.sum(dim=(1, 2, 3)).abs().max() <= 0.5001
    assert (whole[:, :, 0, 0] == 0).all()
    assert (whole[5] == 0).all()
    nearest = (weight / steps).round() - weight / steps
    assert error.square().mean() < 1.5 * nearest.square().mean()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "yes",
        {},
        {**SOUND, "passes": False},
        {**SOUND, "passes": "no"},
        {**SOUND, "limits": [2.0]},
        {**SOUND, "limits": {"last": 0}},
        {**SOUND, "limits": {"last": float("inf")}},
        {**SOUND, "limits": {"last": "2"}},
    ],
)
def test_a_card_without_sound_limits_gives_none(entry):
    assert limits_in({"int8": SOUND}) == {"last": 2.0}
    assert limits_in({"int8": entry}) == {}
    assert limits_in({}) == {}
