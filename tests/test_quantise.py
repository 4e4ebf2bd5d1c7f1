"""Eight bits: limits that fit, and a network that rounds so, alike in torch and in OpenVINO."""

import numpy as np
import pytest
import torch
from toys import HERBS, TinyNet

from herbdemo.choice import agreement, check_photos
from herbdemo.engine import TorchEngine
from herbdemo.openvino_engine import OpenVinoEngine, _traced
from herbdemo.quantise import limits_in, limits_of, quantised, simulated

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
    assert len(limits) == 52  # of 53: the first convolution sees the photo
    assert "conv1" not in limits


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
    int8 = OpenVinoEngine(model, "int8", limits)
    assert agreement(TorchEngine(simulated(toy.network, limits)), int8, photos) > 0.995
    assert agreement(toy_engine, int8, photos) > 0.98
    assert not any(op.get_type_name() == "FakeQuantize" for op in model.get_ops())  # as it was


def test_every_convolution_but_the_first_is_done_in_eight_bits(toy, limits):
    """A slip in the names would leave it in floating point, and nobody would notice."""
    pytest.importorskip("openvino")
    rounded = [
        op for op in quantised(_traced(toy.network), limits).get_ops()
        if op.get_type_name() == "FakeQuantize"
    ]  # fmt: skip
    inputs = 52 - 4  # four blocks give their input to two convolutions
    assert len(rounded) == 52 + inputs


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
