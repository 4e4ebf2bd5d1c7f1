"""Half precision: what can be tested of it on any machine."""

import time

import numpy as np
import pytest
import torch

from herbdemo import half
from herbdemo.choice import ACCELERATOR, BROKEN, NOT_FASTER, agreement, check_photos
from herbdemo.engine import TorchEngine
from herbdemo.half import SIZES, HalfEngine, filled_up


class Gpu(TorchEngine):
    """An engine that says it is on a GPU, where the tests have none."""

    def __init__(self, network):
        super().__init__(network)
        self.device = type("Device", (), {"type": "cuda"})()


@pytest.fixture(scope="module")
def reference(toy) -> TorchEngine:
    return TorchEngine(toy.network)


@pytest.mark.parametrize(("photos", "size"), [(1, 1), (2, 2), (3, 4), (5, 8), (17, 32), (32, 32)])
def test_batches_are_filled_up_to_few_sizes(photos, size):
    batch = torch.randn(photos, 3, 4, 4)
    filled = filled_up(batch)
    assert len(filled) == size
    assert torch.equal(filled[:photos], batch)
    assert not filled[photos:].any()


def test_it_sees_what_float32_sees_and_gives_back_as_many(toy, reference):
    engine = HalfEngine(reference)
    photos = check_photos(toy.preprocessing)
    assert agreement(reference, engine, photos) > 0.99
    assert engine.features(photos[:3]).dtype == np.float32
    assert len(engine.features(photos[:3])) == 3
    assert len(engine.features(photos[:1].expand(SIZES[-1] + 1, -1, -1, -1))) == SIZES[-1] + 1


def test_without_a_gpu_for_it_torch_stays(toy, reference):
    assert half.fastest(toy, reference) == (reference, ACCELERATOR)


def test_what_goes_wrong_costs_only_speed(toy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    reference = Gpu(toy.network)  # its parts refuse a device that is none
    monkeypatch.setattr(HalfEngine, "features", lambda *given: 1 / 0)
    assert half.fastest(toy, reference) == (reference, BROKEN)


def test_it_is_warmed_up_in_every_size_once_it_agrees(toy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    reference = Gpu(toy.network)
    sizes = []

    def features(_, batch):
        sizes.append(len(batch))
        return batch.numpy()

    monkeypatch.setattr(TorchEngine, "features", lambda _, batch: batch.numpy())
    monkeypatch.setattr(HalfEngine, "features", features)
    monkeypatch.setattr(half, "share_of_time", lambda *given: 0.5)
    engine, why = half.fastest(toy, reference)
    assert engine.name == "cuda · torch bf16"
    assert "1.0000" in why.en
    assert sizes[-len(SIZES) :] == list(SIZES)

    monkeypatch.setattr(HalfEngine, "features", lambda _, batch: batch.flip(-1).numpy())
    engine, why = half.fastest(toy, reference)
    assert engine is reference
    assert "something else" in why.en


def test_float32_stays_where_it_is_as_fast(toy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    reference = Gpu(toy.network)

    def slowly(_, batch):
        time.sleep(0.002)
        return batch.numpy()

    monkeypatch.setattr(TorchEngine, "features", lambda _, batch: batch.numpy())
    monkeypatch.setattr(HalfEngine, "features", slowly)
    assert half.fastest(toy, reference) == (reference, NOT_FASTER)
    monkeypatch.setattr(TorchEngine, "features", slowly)
    monkeypatch.setattr(HalfEngine, "features", lambda _, batch: batch.numpy())
    assert half.fastest(toy, reference)[0] is not reference
