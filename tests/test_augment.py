"""augment.py: photos changed, never spoilt; the same again under the same seeds."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from toys import herb_picture

from herbdemo.augment import Recompressed, SmallInFrame, mixed, training_transform
from herbdemo.checkpoint import Preprocessing

MARKS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))  # a colour per corner


def marked(width: int = 60, height: int = 40) -> Image.Image:
    """A grey photo with a colour of its own in each corner."""
    image = Image.new("RGB", (width, height), (128, 128, 128))
    for k, colour in enumerate(MARKS):
        x, y = (k % 2) * (width - 15), (k // 2) * (height - 10)
        image.paste(colour, (x, y, x + 15, y + 10))
    return image


def seeded(seed: int) -> None:
    random.seed(seed)
    torch.manual_seed(seed)


@pytest.mark.parametrize("shape", [(60, 48), (48, 200), (300, 40), (32, 32), (7, 5)])
def test_any_photo_becomes_a_normalised_square(shape):
    settings = Preprocessing()
    transform = training_transform(settings, size=32)
    darkest = -np.array(settings.mean) / settings.std
    brightest = (1 - np.array(settings.mean)) / settings.std
    for seed in range(15):
        x = transform(herb_picture("党参", seed, size=shape))
        assert x.shape == (3, 32, 32)
        assert x.dtype == torch.float32
        assert (x.amin(dim=(1, 2)).numpy() >= darkest - 1e-4).all()
        assert (x.amax(dim=(1, 2)).numpy() <= brightest + 1e-4).all()


def test_each_call_gives_another_picture_and_each_seed_the_same():
    transform = training_transform(Preprocessing(), size=32)
    image = herb_picture("菊花", 1)
    before = image.tobytes()

    def series(seed: int) -> list[torch.Tensor]:
        seeded(seed)
        return [transform(image) for _ in range(12)]

    first, again, other = series(1), series(1), series(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert not any(torch.equal(first[0], x) for x in first[1:])
    assert image.tobytes() == before


def test_most_pictures_stay_like_the_photo():
    """Colours of an orange photo stay warm in nearly all of its pictures."""
    settings = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1))
    transform = training_transform(settings, size=32)
    image = Image.new("RGB", (64, 64), (240, 140, 40))
    warm = [bool((m := transform(image).mean(dim=(1, 2)))[0] > m[2] + 0.1) for _ in range(80)]
    assert np.mean(warm) > 0.75


@pytest.mark.parametrize("least", [0.3, 0.45, 0.8])
def test_small_in_frame_keeps_the_size_and_the_whole_photo(least):
    image = marked()
    shrunk = SmallInFrame(least=least)
    shares = []
    for seed in range(60):
        random.seed(seed)
        frame = shrunk(image)
        assert frame.size == image.size
        assert frame.mode == "RGB"
        pixels = np.asarray(frame).astype(int)
        centres = []
        for colour in MARKS:  # no corner is missing, and none changed its place
            rows, columns = np.nonzero(np.abs(pixels - colour).max(axis=2) < 30)
            assert len(rows) >= 4
            centres.append((columns.mean(), rows.mean()))
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = centres
        assert ax < bx
        assert cx < dx
        assert ay < cy
        assert by < dy
        shares.append((bx - ax) / 45)  # 45 px lie between the corners' centres in the photo
    assert least - 0.1 < min(shares)
    assert max(shares) < 1
    assert max(shares) - min(shares) > 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2, 3)])
def test_small_in_frame_takes_tiny_photos(size):
    for seed in range(20):
        random.seed(seed)
        assert SmallInFrame(least=0.1)(Image.new("RGB", size)).size == size


def test_recompressed_looks_alike_and_is_not_the_same():
    image = herb_picture("甘草", 1)
    again = Recompressed(quality=(30, 75))(image)
    assert again.size == image.size
    assert again.mode == "RGB"
    difference = np.abs(np.asarray(again).astype(int) - np.asarray(image))
    assert 0 < difference.mean() < 15


def mixed_by(seed: int, x: torch.Tensor, y: torch.Tensor, share: float = 1.0):
    return mixed(x, y, num_classes=5, share=share, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("photos", [8, 7, 1])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_targets_of_mixed_batches_sum_to_one(share, photos):
    x, y = torch.randn(photos, 3, 16, 16), torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])[:photos]
    changed = 0
    for seed in range(30):
        mix, target = mixed_by(seed, x, y, share)
        assert mix.shape == x.shape
        assert target.shape == (photos, 5)
        assert target.min() >= 0
        torch.testing.assert_close(target.sum(1), torch.ones(photos))
        if torch.equal(mix, x):
            assert torch.equal(target.argmax(1), y)
        else:
            changed += 1
    assert changed == 0 if share == 0 or photos == 1 else changed > 10 * share


def test_targets_tell_how_much_of_each_photo_is_left():
    x, y = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 16, 16), torch.tensor([0, 1])
    for seed in range(30):
        mix, target = mixed_by(seed, x, y)
        torch.testing.assert_close(mix.mean((1, 2, 3)), target[:, 1])


def test_a_batch_in_two_parts_is_mixed_as_in_one():
    x, y = torch.randn(8, 3, 16, 16), torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
    for seed in range(10):
        whole = mixed_by(seed, x, y)
        parts = [mixed_by(seed, x[part], y[part]) for part in (slice(0, 6), slice(6, 8))]
        for a, b in zip(whole, map(torch.cat, zip(*parts, strict=True)), strict=True):
            assert torch.equal(a, b)
