"""The gate for engines: what it measures, against numbers worked out by hand."""

import numpy as np
import pytest
from toys import HERBS, fill

from herbdemo.dataset import Sample, scan
from herbdemo.engine import TorchEngine
from herbdemo.likeness import Comparison, Likeness, likeness
from herbdemo.scores import Head

ALIKE = Likeness(photos=1000, same=0.995, top1=-0.002, ece=0.002, maps=0.995, maps_p1=0.9)


@pytest.fixture
def head() -> Head:
    """Two herbs, one channel each."""
    nothing = np.zeros((2, 1), np.float32)
    eye = np.eye(2, dtype=np.float32)
    return Head(eye, np.zeros(2, np.float32), 1.0, 0.9, -np.inf, nothing, nothing[:0])


def maps(*cells: tuple[list, list]) -> np.ndarray:
    return np.array(cells, np.float32).reshape(len(cells), 2, 2, 2)


A, B = [0, 1, 2, 9], [0, 0, 0, 1]


def test_it_is_measured_photo_by_photo(head):
    one = Comparison(head)
    one.add(maps((A, B), (B, A)), maps((A, B), (A, B)), [0, 1])  # the second is another herb now
    one.add(maps((A, B)), maps((A[::-1], B)), [1])  # the same herb, seen elsewhere
    found = one.result()
    assert (found.photos, found.same) == (3, pytest.approx(2 / 3))
    assert found.top1 == pytest.approx(-1 / 3)
    assert found.maps == pytest.approx(
        np.mean([1, np.corrcoef(A, B)[0, 1], np.corrcoef(A, A[::-1])[0, 1]]), abs=1e-6
    )
    assert not found.passes


def test_flat_maps_are_alike_only_if_both_are(head):
    for other, correlation in ((B, 1), (A, 0)):
        one = Comparison(head)
        one.add(maps(([5] * 4, B)), maps(([7] * 4 if other is B else A, B)), [0])
        assert one.result().maps == correlation


@pytest.mark.parametrize(
    "worse",
    [{"same": 0.989}, {"top1": 0.004}, {"top1": -0.004}, {"ece": 0.0031}, {"maps": 0.98}],
)
def test_each_bar_counts(worse):
    assert ALIKE.passes
    assert not Likeness(**{**vars(ALIKE), **worse}).passes


def test_one_pass_of_torch_does_for_all_engines(toy, tmp_path, monkeypatch):
    fill(tmp_path, HERBS[0], range(3))
    fill(tmp_path, HERBS[1], range(3))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no photo")
    passes, features = [], TorchEngine.features

    def counted(engine, batch):
        passes.append(len(batch))
        return features(engine, batch)

    monkeypatch.setattr(TorchEngine, "features", counted)

    class Mirror:
        def features(self, batch):
            return features(reference, batch.flip(-1))

    reference = TorchEngine(toy.network)
    engines = {"same": type("Same", (), {"features": lambda _, x: features(reference, x)})()}
    found = likeness(
        toy, {**engines, "mirror": Mirror()}, [*scan(tmp_path), Sample(broken, HERBS[0])]
    )
    assert passes == [6]
    assert found["same"].photos == 6
    assert found["same"].maps == 1
    assert found["mirror"].maps < 0.99
