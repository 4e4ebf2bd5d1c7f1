"""Models that the original made, as models of this program.

    python -m herbdemo import herbs.pth --herbs herbs.txt --name my-908
    python -m herbdemo import herbs.pth --herbs herbs.txt --name my-908 --photos PHOTOS

The weights alone make a model that answers and shows its heatmaps. What only photos can tell is
left open without them: no answer is called certain, and none unknown.
"""

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from herbdemo.architectures import network_from_state
from herbdemo.calibrate import as_saved, finish
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.dataset import Sample, scan, split
from herbdemo.errors import HerbError
from herbdemo.evaluate import engine_for, extract
from herbdemo.files import read_errors
from herbdemo.herbs import catalogue
from herbdemo.keras_h5 import SIGNATURE, read_keras
from herbdemo.labels import herbs_called, labels_of
from herbdemo.network import HerbNet
from herbdemo.pth import read_pth

# How a training may have scaled its photos; the weights do not say. The names are of the numbers
# that the network sees; "imagenet" is torchvision's, "unit" what `rescale=1/255` makes in Keras.
PREPROCESSINGS: Mapping[str, Preprocessing] = MappingProxyType(
    {
        "imagenet": Preprocessing(),
        "unit": Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3),
        "symmetric": Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3),
        "bytes": Preprocessing(mean=(0.0,) * 3, std=(1 / 255,) * 3),
    }
)
USUAL: Mapping[str, str] = MappingProxyType({"resnet50": "imagenet", "keras-resnet50": "unit"})
TRIED = 200  # photos; among four scalings the right one is far ahead
MAX_HERBS = 20_000
NEVER = math.nextafter(1, 2)  # no probability is as high


@dataclass(frozen=True)
class Foreign:
    """What a file of weights holds.

    Attributes:
        network: in evaluation mode. labels: of its outputs, if the file has them.
        sha256: of the file.
    """

    network: HerbNet
    labels: tuple[str, ...] | None
    sha256: str


def read_foreign(file: Path) -> Foreign:
    """The network in a `.pth` of the original's PyTorch code, or an `.h5` of its Keras code.

    Raises:
        HerbError: there is no such file, it may not be read, it is hostile or damaged, or holds
            another network.
    """
    if not os.path.isfile(file):  # reading a pipe may wait for ever
        raise HerbError(
            "找不到权重文件。请检查路径。",
            "There is no such file of weights. Check its path.",
            hint="weights-missing",
        )
    with read_errors(), file.open("rb") as opened:
        keras = opened.read(len(SIGNATURE)) == SIGNATURE
        opened.seek(0)
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    labels = None
    if keras:
        network = _network(read_keras(file), "keras-resnet50")
    else:
        state, labels = read_pth(file)
        network = _network(state, "resnet50")
    return Foreign(network, labels, sha256)


def imported(
    file: Path,
    *,
    name: str,
    herbs: Path | None = None,
    preprocessing: str = "",
    photos: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Checkpoint:
    """The unsaved model of a file of weights.

    With photos it gets its temperature, thresholds, and the statistics that `extend` needs, if all
    herbs have photos; the head stays as it was trained.

    Args:
        herbs: see `labels.labels_of`; by default what the file itself says.
        preprocessing: of `PREPROCESSINGS`. By default the one that gets most photos right, or
            without photos what is usual for such a network.
        photos: a folder with a folder per herb, named as in `herbs` or by any name of the herb.
            Photos that the network was not trained on tell more.
        progress: told how many photos are done, of how many.

    Raises:
        HerbError: see `read_foreign`; the names do not fit; too few photos.
    """
    foreign = read_foreign(file)
    labels = labels_of(herbs) if herbs else foreign.labels
    if labels is None:
        raise HerbError(
            "权重文件里没有药材名。请用 --herbs 给出名单，或训练照片的文件夹。",
            "The file of weights does not name its herbs. Give a list of them, or the folder of "
            "the photos it was trained on, with --herbs.",
            hint="labels-needed",
        )
    outputs = foreign.network.fc.out_features
    if len(labels) != outputs:
        raise HerbError(
            f"名单里有 {len(labels)} 种药材，而网络输出 {outputs} 种。请用训练时的名单。",
            f"The list names {len(labels)} herbs, but the network tells {outputs} apart. "
            "Give the list that it was trained with.",
            hint="labels-count",
        )
    named = herbs_called(labels)
    architecture = foreign.network.architecture
    scaling = preprocessing or USUAL[architecture]
    told = {
        "sha256": foreign.sha256,
        "preprocessing": scaling,
        "not_fitted": [] if photos else ["temperature", "certain", "unknown", "statistics"],
    }
    if photos is None:
        return Checkpoint(
            id=name,
            network=foreign.network,
            herbs=named,
            preprocessing=PREPROCESSINGS[scaling],
            thresholds={"certain": NEVER},
            card={"imported": told},
        )
    samples = _samples(photos, dict(zip(labels, named, strict=True)))
    if not preprocessing:
        told["preprocessing"] = scaling = _best(foreign.network, samples, named)
    train, val = split(samples, progress=progress)
    if not val:
        raise HerbError(
            "照片太少，留不出验证用的照片。请为每种药材至少准备 8 张不同的照片。",
            "Too few photos to set some aside for validation. Give at least 8 different photos "
            "per herb.",
            hint="too-few-photos",
        )
    model = finish(
        {key: value.cpu() for key, value in foreign.network.state_dict().items()},
        name=name,
        architecture=architecture,
        herbs=named,
        preprocessing=PREPROCESSINGS[scaling],
        train=train,
        val=val,
        card={"imported": told},
        keep_head=True,
        progress=progress,
    )
    return _without_gaps(model)


def summary(model: Checkpoint) -> dict[str, Any]:
    """What there is to say of an imported model that was saved, for JSON and for people."""
    told, val = model.card["imported"], model.card.get("metrics", {}).get("val", {})
    known = catalogue()
    return {
        "model": model.id,
        "sha256": model.sha256,
        "network": model.network.architecture,
        "herbs": len(model.herbs),
        "not_in_catalogue": [herb for herb in model.herbs if herb not in known],
        "preprocessing": told["preprocessing"],
        "photos": val.get("photos", 0),
        "top1": val.get("top1"),
        "top1_interval": val.get("top1_interval"),
        "not_fitted": told["not_fitted"],
        "without_photos": told.get("without_photos", []),
    }


def _network(state: Mapping[str, Tensor], architecture: str) -> HerbNet:
    """The network of weights as they will be saved, if they are those of one that was trained."""
    head = state.get("fc.weight")
    herbs = head.shape[0] if head is not None and head.ndim == 2 else 0
    if not 2 <= herbs <= MAX_HERBS:
        raise HerbError(
            f"这个网络的输出不是 2 到 {MAX_HERBS} 种药材。请给出训练好的分类网络的权重。",
            f"This network does not tell 2 to {MAX_HERBS} herbs apart. Give the weights of a "
            "trained classifier.",
            hint="weights-no-classes",
        )
    network = network_from_state(state, architecture)
    network.load_state_dict(as_saved(network.state_dict()))
    for name, values in network.state_dict().items():
        low = 0 if name.endswith("running_var") else -math.inf
        if not bool(torch.isfinite(values).all()) or bool((values < low).any()):
            raise HerbError(
                "权重里有 NaN 或无穷大，训练可能发散了。请换一个更早的存档。",
                "There are NaNs or infinities among the weights; the training may have diverged. "
                "Give an earlier checkpoint.",
                hint="weights-not-finite",
            )
    return network


def _samples(folder: Path, names: Mapping[str, str]) -> list[Sample]:
    """The photos of the model's herbs.

    Args:
        names: the ids of the herbs by the labels that the network was trained with. A folder of
            that name counts first: two labels may be names of one herb.
    """
    herbs, samples = set(names.values()), []
    for sample in scan(folder):
        herb = names.get(sample.path.relative_to(folder).parts[0], sample.herb)
        if herb in herbs:
            samples.append(Sample(sample.path, herb))
    if not samples:
        raise HerbError(
            "照片文件夹里没有这个网络的药材。请检查子文件夹的名字。",
            "None of the network's herbs has photos in this folder. Check the sub-folders' names.",
            hint="no-known-herb",
        )
    return samples


def _best(network: HerbNet, samples: Sequence[Sample], herbs: Sequence[str]) -> str:
    """The preprocessing with which the network recognises most of a few photos."""
    rows = np.linspace(0, len(samples) - 1, min(TRIED, len(samples)), dtype=int)
    few = [samples[i] for i in rows]
    engine = engine_for(network, len(few) * len(PREPROCESSINGS))
    weight, bias = (p.detach().cpu().numpy() for p in (network.fc.weight, network.fc.bias))

    def right(name: str) -> tuple[float, bool]:
        found = extract(engine, few, herbs, PREPROCESSINGS[name])
        hits = (found.pooled @ weight.T + bias).argmax(axis=1) == found.labels
        return float(hits.mean()) if len(hits) else 0.0, name == USUAL[network.architecture]

    return max(PREPROCESSINGS, key=right)


def _without_gaps(model: Checkpoint) -> Checkpoint:
    """The model, without sums that say nothing of some herbs: `extend` would forget these."""
    counts = model.statistics["count"]
    lacking = [herb for herb, n in zip(model.herbs, counts, strict=True) if not n]
    if not lacking:
        return model
    sums = ("count", "sum", "moment")
    told = {**model.card["imported"], "not_fitted": ["statistics"], "without_photos": lacking}
    return replace(
        model,
        statistics={k: v for k, v in model.statistics.items() if k not in sums},
        card={**model.card, "imported": told},
    )
