"""A toy model and toy photos: a real ResNet-50 with random weights that tells textures apart.

Each herb is a pair of colours in a pattern of its own. The network is random; its head is solved
in closed form on a few photos, so the model knows its herbs without any training.
"""

import io
import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor, nn

from herbdemo.calibrate import familiar_directions, feature_statistics
from herbdemo.checkpoint import CARD, WEIGHTS, Checkpoint, Preprocessing
from herbdemo.dataset import scan
from herbdemo.engine import TorchEngine
from herbdemo.errors import HerbError
from herbdemo.evaluate import Features, extract
from herbdemo.network import HerbNet, ResNet50
from herbdemo.photo import Photo, open_photo

torch.set_num_threads(1)  # the toys gain nothing from more

HERBS = ("金银花", "党参", "枸杞子", "菊花", "甘草", "当归", "陈皮")
COLOURS = (
    ((230, 215, 70), (60, 120, 40)),
    ((200, 170, 120), (90, 60, 30)),
    ((200, 30, 30), (250, 240, 230)),
    ((250, 250, 240), (240, 190, 40)),
    ((180, 140, 40), (40, 40, 60)),
    ((120, 80, 130), (230, 210, 190)),
    ((250, 130, 20), (30, 60, 140)),
)
SIZE = 64  # px, so maps have 2 × 2 cells
STRANGE = ((20, 200, 220), (250, 60, 220))  # the colours of no herb
GONE = object()  # the value that takes a field out of a card


def picture(colours: tuple, seed: int, *, size: tuple[int, int] = (60, 48)) -> Image.Image:
    """Soft blobs of one colour on the other, different for each seed."""
    rng = random.Random(f"{colours} {seed}")
    blobs = Image.new("L", (8, 8))
    blobs.putdata([rng.randint(0, 255) for _ in range(64)])
    dark = Image.new("RGB", size, colours[1])
    return Image.composite(
        Image.new("RGB", size, colours[0]), dark, blobs.resize(size, Image.Resampling.BICUBIC)
    )


def herb_picture(herb: str, seed: int, **options: Any) -> Image.Image:
    return picture(COLOURS[HERBS.index(herb)], seed, **options)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def herb_photo(herb: str, seed: int) -> Photo:
    return open_photo(encoded(herb_picture(herb, seed)))


def fill(folder: Path, herb: str, seeds: range, *, name: str = "") -> None:
    """Put photos of `herb` into `folder/name`."""
    target = folder / (name or herb)
    target.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        herb_picture(herb, seed).save(target / f"{seed:03d}.png")


def copies(image: Image.Image) -> list[bytes]:
    """What becomes of a photo on its way through the web: recompressed, resized, brightened."""
    smaller = image.resize((image.width * 2 // 3, image.height * 2 // 3))
    return [
        encoded(image, "JPEG", quality=40),
        encoded(smaller, "JPEG", quality=85),
        encoded(ImageEnhance.Brightness(image).enhance(1.12), "WEBP", quality=80),
    ]


def toy_checkpoint() -> Checkpoint:
    """A model that knows `HERBS`; its statistics come without the second moment, to be small."""
    torch.manual_seed(0)
    network = ResNet50(len(HERBS)).eval().requires_grad_(False)
    preprocessing = Preprocessing(size=SIZE)
    photos = [(herb_photo(herb, seed), k) for k, herb in enumerate(HERBS) for seed in range(-6, 0)]
    x = torch.stack([preprocessing.tensor(photo.image) for photo, _ in photos])
    y = torch.tensor([k for _, k in photos])
    with torch.inference_mode():
        pooled = network.features(x).mean(dim=(2, 3))
    one_hot = torch.nn.functional.one_hot(y, len(HERBS)).float()
    solve_head(network, pooled, one_hot)
    return Checkpoint(
        id="toy",
        network=network,
        herbs=HERBS,
        preprocessing=preprocessing,
        temperature=0.8,
        thresholds={"certain": 0.7, "unknown": 0.1},
        statistics={
            "count": one_hot.sum(0),
            "sum": one_hot.T @ pooled,
            **familiar_directions(Features(pooled.numpy(), y.numpy())),
        },
        card={"note": "a toy", "metrics": {"val": {"top1": 1.0}}},
    )


def knowing(toy: Checkpoint, folder: Path, *, photos: int = 24) -> Checkpoint:
    """`toy` with all that a trained model keeps of its photos, made in `folder`."""
    for herb in HERBS:
        fill(folder / "train", herb, range(photos))
        fill(folder / "val", herb, range(50, 54))
    engine = TorchEngine(toy.network)
    train, val = (
        extract(engine, scan(folder / part), toy.herbs, toy.preprocessing)
        for part in ("train", "val")
    )
    statistics = {
        **feature_statistics(train, len(HERBS)),
        **familiar_directions(train),
        "val": torch.from_numpy(val.pooled).half(),
        "val_labels": torch.from_numpy(val.labels),
    }
    return replace(toy, statistics=statistics)


class TinyNet(HerbNet):
    """The shape of network that `train.fit` asks for, a ten-thousandth of the real one's size."""

    architecture = "tiny"

    def __init__(self, herbs: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 8, stride=8)
        self.last = nn.Conv2d(8, 16, 2, stride=2)
        self.fc = nn.Linear(16, herbs)

    def features(self, x: Tensor) -> Tensor:
        return self.last(self.stem(x).relu()).relu()

    def trainable(self) -> list[nn.Module]:
        return [self.fc, self.last]


def lively(network: HerbNet, preprocessing: Preprocessing) -> HerbNet:
    """The network with BatchNorms that fit its random weights, so that its answers differ."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean of what it sees
    photos = [herb_photo(herb, -seed).image for herb in HERBS for seed in (1, 2, 3)]
    with torch.no_grad():
        network.train().features(torch.stack([preprocessing.tensor(photo) for photo in photos]))
    return network.eval().requires_grad_(False)


def solve_head(network: HerbNet, pooled: Tensor, one_hot: Tensor) -> None:
    """Ridge regression of centred features on the herbs, as the network's head."""
    centre = pooled.mean(0)
    x = (pooled - centre).double()
    kernel = x @ x.T
    kernel += kernel.trace() / len(x) * 1e-2 * torch.eye(len(x))
    weight = 8 * (x.T @ torch.linalg.solve(kernel, one_hot.double() - 1 / one_hot.shape[1]))
    network.fc.weight.copy_(weight.T.float())
    network.fc.bias.copy_(-network.fc.weight @ centre)


def model_copy(source: Path, target: Path, **changes: Any) -> Path:
    """The model in `source` again in `target`, its card changed; the weights are the same file."""
    target.mkdir(parents=True)
    os.link(source / WEIGHTS, target / WEIGHTS)
    card = {**json.loads((source / CARD).read_text("utf-8")), "id": target.name, **changes}
    card = {key: value for key, value in card.items() if value is not GONE}
    (target / CARD).write_text(json.dumps(card), "utf-8")
    return target


def refusal(call: Callable, *args: Any, **options: Any) -> HerbError:
    """The HerbError of a call: sentences in both languages, and no path or library's words."""
    with pytest.raises(HerbError) as caught:
        call(*args, **options)
    error = caught.value
    assert error.zh.endswith("。")
    assert error.en.endswith(".")
    assert error.hint
    for text in (error.zh, error.en):
        for secret in ("/tmp", "tmp_path", "pytest-", "Traceback", "Error", "torch.", "size mis"):
            assert secret not in text
    return error


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal to the last bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
