"""Batches: what is drawn depends on the seed, not on workers, processes or where a run resumed."""

from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
import torch
from toys import fill

from herbdemo import batches, distributed
from herbdemo.batches import SeededDataset, batch_loader, epoch_batches, local_part
from herbdemo.checkpoint import Preprocessing
from herbdemo.dataset import PhotoDataset, Sample, scan
from herbdemo.errors import HerbError
from herbdemo.recipe import Recipe

RECIPE = Recipe(batch=4, sizes=((0.0, 32),))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    folder = tmp_path_factory.mktemp("photos")
    fill(folder, "党参", range(7))
    fill(folder, "菊花", range(3))
    return scan(folder)


def as_rank(monkeypatch: pytest.MonkeyPatch, rank: int, world: int) -> None:
    """Let the code think that it is one of several processes; `batches` only asks which."""
    for module in (distributed, batches):
        monkeypatch.setattr(module, "rank", lambda: rank)
        monkeypatch.setattr(module, "world", lambda: world)


def loaded(samples: list[Sample]) -> list[torch.Tensor]:
    return [x for x, _ in batch_loader(samples, ["党参", "菊花"], Preprocessing(), RECIPE, 3)]


def test_a_photo_changes_by_its_seed_alone(samples):
    def noise(image) -> torch.Tensor:
        return torch.rand(3)

    photos = SeededDataset(PhotoDataset(samples, ["党参", "菊花"], noise))
    first, _ = photos[0, 5]
    torch.manual_seed(99)
    assert torch.equal(photos[0, 5][0], first)
    assert not torch.equal(photos[0, 6][0], first)


def test_rare_herbs_are_drawn_more_often_than_they_occur():
    samples = [Sample(Path(str(n)), "a" if n < 900 else "b") for n in range(1000)]

    def share(balance: float) -> float:
        keys = [*chain(*epoch_batches(samples, batch=10, balance=balance, seed=0))]
        return Counter(samples[position].herb for position, _ in keys)["b"] / len(keys)

    assert share(0) == pytest.approx(0.1, abs=0.03)
    assert share(0.5) == pytest.approx(0.25, abs=0.04)
    assert share(1) == pytest.approx(0.5, abs=0.05)


def test_batches_are_whole_and_differ_from_epoch_to_epoch(samples):
    first, again, other = (
        epoch_batches(samples, batch=4, balance=0.5, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert [len(batch) for batch in first] == [4, 4]  # of ten photos
    few = epoch_batches(samples[:3], batch=4, balance=0.5, seed=1)
    assert [len(batch) for batch in few] == [3]


@pytest.mark.parametrize("size", [32, 30, 7, 6])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_a_batch_pair_by_pair(monkeypatch, size, world):
    parts = []
    for rank in range(world):
        as_rank(monkeypatch, rank, world)
        parts.append(local_part(range(size)))
    assert [*chain(*parts)] == list(range(size))
    assert all(part[0] % 2 == 0 for part in parts)


def test_neither_workers_nor_processes_change_the_photos(monkeypatch, samples):
    whole = loaded(samples)
    monkeypatch.setattr(batches.os, "cpu_count", lambda: 4)  # two workers, not one
    assert all(map(torch.equal, whole, loaded(samples)))
    parts = []
    for rank in range(2):
        as_rank(monkeypatch, rank, 2)
        parts.append(loaded(samples))
    assert all(
        torch.equal(a, torch.cat(b)) for a, b in zip(whole, zip(*parts, strict=True), strict=True)
    )


def test_more_processes_than_pairs_of_photos_are_refused(monkeypatch, samples):
    as_rank(monkeypatch, 0, 3)
    with pytest.raises(HerbError) as caught:
        batch_loader(samples, ["党参", "菊花"], Preprocessing(), RECIPE, 0)
    assert caught.value.hint == "batch-too-small"
