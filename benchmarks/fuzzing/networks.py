"""Models with a network that is a ten-thousandth of the real one's size."""

import struct
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fuzzing.photos import picture
from benchmarks.fuzzing.target import Seeds

if TYPE_CHECKING:
    from herbdemo.checkpoint import Checkpoint
    from herbdemo.dataset import Sample
    from herbdemo.network import HerbNet


def shrink_networks() -> None:
    """Let the package make networks of 32 features, so that a model is 30 kB, all else as it is."""
    from torch import nn

    from herbdemo import architectures, network

    class Narrow(network.ResNet50):
        def __init__(self, num_classes: int) -> None:
            nn.Module.__init__(self)
            self.conv1, self.bn1 = nn.Conv2d(3, 4, 7, 2, padding=3, bias=False), nn.BatchNorm2d(4)
            self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)
            self.layer1 = nn.Sequential(network.Bottleneck(4, 1, 1))
            self.layer2 = nn.Sequential(network.Bottleneck(4, 2, 2))
            self.layer3 = nn.Sequential(network.Bottleneck(8, 4, 2))
            self.layer4 = nn.Sequential(network.Bottleneck(16, 8, 2))
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(32, num_classes)

    network.ResNet50 = architectures.ResNet50 = Narrow


def shrink_light_networks() -> None:
    """The same for those with timm's layers, of which some have a tail."""
    from torch import nn

    from herbdemo import light

    class Narrow(light.LightNet):
        def __init__(self, architecture: str, herbs: int) -> None:
            nn.Module.__init__(self)
            self.architecture, self._ends = architecture, (0, 1, 2)
            self.conv_stem, self.bn1 = nn.Conv2d(3, 4, 3, 2, padding=1), nn.BatchNorm2d(4)
            sides = ((4, 8), (8, 8), (8, 16), (16, 16))
            self.blocks = nn.Sequential(*(
                nn.Sequential(nn.Conv2d(a, b, 3, 2, padding=1), nn.BatchNorm2d(b), nn.ReLU())
                for a, b in sides
            ))  # fmt: skip
            self.conv_head = nn.Conv2d(16, 32, 1)
            if architecture in ("ghostnet", "mobilenetv3"):
                self.act2 = nn.ReLU() if architecture == "ghostnet" else nn.Hardswish()
            else:
                self.bn2 = nn.Sequential(nn.BatchNorm2d(32), nn.ReLU())
            self.fc = nn.Linear(32, herbs)

    light.LightNet = Narrow


def small_models(folder: Path) -> list[Path]:
    """A small model, one that a herb was added to, an old one without statistics, a light one."""
    import torch

    from herbdemo.architectures import new_network
    from herbdemo.checkpoint import save_checkpoint
    from herbdemo.dataset import scan
    from herbdemo.extend import extend

    shrink_networks()
    shrink_light_networks()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    herbs = ("党参", "枸杞子", "当归")
    for k, herb in enumerate((*herbs, "罗勒")):
        (folder / "photos" / herb).mkdir(parents=True)
        for seed in range(4):
            picture(40, 32, seed=9 * k + seed).rotate(40 * k).save(
                folder / "photos" / herb / f"{seed}.png"
            )
    samples = scan(folder / "photos")
    known = [sample for sample in samples if sample.herb in herbs]
    small, light = (
        _fitted(new_network(architecture, len(herbs)), name, herbs, known)
        for name, architecture in (("small", "resnet50"), ("light", "mobilenetv3"))
    )
    more = extend(small, samples, name="more")
    old = replace(small, id="old", statistics={}, card={})
    return [folder / save_checkpoint(one, folder / one.id).id for one in (small, more, old, light)]


def _fitted(
    net: "HerbNet", name: str, herbs: tuple[str, ...], known: "list[Sample]"
) -> "Checkpoint":
    """A model of a network with random weights, with all that is kept of its photos."""
    import torch

    from herbdemo.calibrate import calibrated, familiar_directions, feature_statistics
    from herbdemo.checkpoint import Checkpoint, Preprocessing
    from herbdemo.engine import TorchEngine
    from herbdemo.evaluate import extract
    from herbdemo.scores import Tail

    size = Preprocessing(size=32)
    engine = TorchEngine(net.eval().requires_grad_(False))
    found = extract(engine, known, herbs, size, tail=Tail.of(net))
    statistics = {
        **feature_statistics(found, len(herbs)),
        **familiar_directions(found),
        "val": torch.from_numpy(found.pooled).half(),
        "val_labels": torch.from_numpy(found.labels),
        "held_out": torch.arange(5),
    }
    statistics["basis"] = statistics["basis"][:, -8:].contiguous()
    statistics["bank"] = statistics["bank"][:, -8:].contiguous()
    card = {"data": {"train": 12}, "note": "small", "licence": "MIT", "history": [{"epoch": 1}]}
    return calibrated(Checkpoint(name, net, herbs, size, statistics=statistics, card=card), found)


@cache
def model_seeds() -> Seeds:
    """Cards with the weights they belong to: the card's length in four bytes, card, weights."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return tuple(
            packed((path / "card.json").read_bytes(), (path / "model.safetensors").read_bytes())
            for path in small_models(Path(folder))
        )


def packed(card: bytes, weights: bytes) -> bytes:
    return struct.pack("<I", len(card)) + card + weights


def parted(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "little")
    return data[4 : 4 + size], data[4 + size :]
