"""A network and all that its answers depend on, as one thing that is saved and loaded whole.

On disk a model is a folder with two files. `model.safetensors` holds the weights (matrices in
fp16, the rest in fp32) and the feature statistics; `card.json` holds the herbs in order, the
preprocessing, temperature, thresholds, where the model comes from and how well it does.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from herbdemo.architectures import LIGHT, network_from_state
from herbdemo.atomic import whole_folder
from herbdemo.card_figures import are_sound
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors
from herbdemo.fits import added_fits, limits_fit, statistics_fit
from herbdemo.network import HerbNet

SCHEMA = 1
WEIGHTS = "model.safetensors"
CARD = "card.json"
# Bytes that a foreign one may have. Ten thousand herbs make 250 MB of weights, a card of a few MB.
LIMITS = {CARD: 16 << 20, WEIGHTS: (2 << 30) - 1}


@dataclass(frozen=True)
class Preprocessing:
    """What a photo goes through before the network.

    The whole photo is squashed to a square, without a crop: the network sees every corner, and
    the heatmap, stretched back, covers exactly the photo.

    Args:
        size: side of the square in pixels.
        mean, std: per channel, of RGB values in 0..1.
    """

    size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def tensor(self, image: Image.Image, *, size: tuple[int, int] | None = None) -> Tensor:
        """A float tensor (3, height, width) of an RGB image; `size`, (width, height), if given."""
        width, height = size or (self.size, self.size)
        pixels = torch.from_numpy(np.array(image))  # (H, W, 3), which is channels_last
        # Pillow's bilinear filter to within a step of 255, in a quarter of its time.
        small = functional.interpolate(
            pixels.permute(2, 0, 1)[None], (height, width), mode="bilinear", antialias=True
        )[0]
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return small.contiguous().float().sub_(255 * mean).div_(255 * std)


@dataclass(frozen=True)
class Checkpoint:
    """A model: what `load_checkpoint` returns and `save_checkpoint` writes.

    Attributes:
        id: its name in the registry.
        network: in evaluation mode.
        herbs: ids of the catalogue, in the order of the head.
        temperature: logits are divided by it before the softmax, which calibrates them.
        thresholds: "certain" (least probability of a certain answer) and "unknown" (least
            familiarity of a photo that shows a herb of this model).
        statistics: what is kept of the training photos' features, see
            `calibrate.feature_statistics` and `calibrate.familiar_directions`.
        card: everything else there is to know: data, metrics, history, parent, licence.
        sha256: of the weights file; "" until saved.
    """

    id: str
    network: HerbNet
    herbs: tuple[str, ...]
    preprocessing: Preprocessing
    temperature: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    statistics: Mapping[str, Tensor] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Read the model in `folder`, or refuse it with a sentence.

    Raises:
        HerbError: a file is missing, is damaged, is a pickle, or does not fit the other.
    """
    folder = Path(folder)
    card = read_card(folder)
    architecture = card.get("architecture", "resnet50")
    network, statistics = _read_weights(folder / WEIGHTS, card["sha256"], architecture)
    herbs = tuple(card["herbs"])
    if len(herbs) != network.fc.out_features:
        raise HerbError(
            f"模型卡列出 {len(herbs)} 种药材，而网络输出 {network.fc.out_features} 种。"
            "请重新下载整个模型文件夹。",
            f"The card lists {len(herbs)} herbs but the network tells {network.fc.out_features} "
            "apart. Download the whole model folder again.",
            hint="herbs-mismatch",
        )
    head = network.fc
    fit = statistics_fit(statistics, card, features=head.in_features, signed=network.signed)
    if not fit or not all(bool(value.isfinite().all()) for value in (head.weight, head.bias)):
        raise _damaged()
    if "covariance" in statistics:
        statistics = _unpacked(statistics)
        if not bool(statistics["moment"].isfinite().all()):
            raise _damaged()
    return Checkpoint(
        id=card["id"],
        network=network,
        herbs=herbs,
        preprocessing=_preprocessing(card["preprocessing"]),
        temperature=float(card["temperature"]),
        thresholds=dict(card["thresholds"]),
        statistics=statistics,
        card=card,
        sha256=card["sha256"],
    )


def read_card(folder: str | Path) -> dict[str, Any]:
    """The card of the model in `folder`, checked for what loading it and showing it needs.

    Raises:
        HerbError: there is no card, it is damaged, or a newer program wrote it.
    """
    with _opened(Path(folder) / CARD, hint="card-missing") as file:
        data = file.read()
    try:
        card = json.loads(data)
        schema = card["schema"]
        if isinstance(schema, int) and schema > SCHEMA:
            raise HerbError(
                "这个模型由更新版本的程序写成。请先升级本程序。",
                "A newer version of this program wrote this model. Upgrade the program first.",
                hint="card-newer",
            )
        for key, kind in (
            ("id", str),
            ("herbs", list),
            ("sha256", str),
            ("preprocessing", dict),
        ):
            if not isinstance(card[key], kind):
                raise TypeError(key)
        if not isinstance(card.get("architecture", ""), str):
            raise TypeError("architecture")
        if not all(isinstance(herb, str) for herb in card["herbs"]):
            raise TypeError("herbs")
        if not re.fullmatch("[0-9a-f]{64}", card["sha256"]):  # folders are named after it
            raise ValueError("sha256")
        json.dumps(card, ensure_ascii=False, allow_nan=False).encode()  # can be written again
        if not are_sound(card) or not limits_fit(card) or not added_fits(card):
            raise TypeError("figures")
        _preprocessing(card["preprocessing"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise HerbError(
            "模型卡 card.json 已损坏。请重新下载整个模型文件夹。",
            "The model's card.json is damaged. Download the whole model folder again.",
            hint="card-damaged",
        ) from error
    if len(set(card["herbs"])) != len(card["herbs"]):
        raise HerbError(
            "模型卡把同一种药材列了两次。请重新下载整个模型文件夹。",
            "The card lists a herb twice. Download the whole model folder again.",
            hint="herbs-twice",
        )
    return card


def save_checkpoint(checkpoint: Checkpoint, folder: str | Path) -> Checkpoint:
    """Write the model to the new `folder` so that it is there whole or not at all.

    Returns:
        the same checkpoint with the sha256 and the card as written.

    Raises:
        HerbError: `folder` exists already, or the disk is full or cannot be written to.
    """
    folder = Path(folder)
    tensors = {
        f"network.{name}": _small(name, value)
        for name, value in checkpoint.network.state_dict().items()
    }
    statistics = checkpoint.statistics
    if checkpoint.network.architecture in LIGHT and {"count", "sum", "moment"} <= set(statistics):
        statistics = _packed(statistics)
    tensors |= {f"statistics.{name}": value for name, value in statistics.items()}
    data = safetensors.torch.save({name: t.contiguous() for name, t in tensors.items()})
    sha256 = hashlib.sha256(data).hexdigest()
    card = {
        **checkpoint.card,
        "schema": SCHEMA,
        "id": checkpoint.id,
        "architecture": checkpoint.network.architecture,
        "herbs": list(checkpoint.herbs),
        "preprocessing": asdict(checkpoint.preprocessing),
        "temperature": checkpoint.temperature,
        "thresholds": dict(checkpoint.thresholds),
        "sha256": sha256,
    }
    text = card_named(card, checkpoint.id)
    with disk_errors(), whole_folder(folder) as temporary:
        (temporary / WEIGHTS).write_bytes(data)
        (temporary / CARD).write_bytes(text)
    return replace(checkpoint, card=card, sha256=sha256)


def card_named(card: Mapping[str, Any], model_id: str) -> bytes:
    """The content of card.json for a model called `model_id`; its folder may have been renamed."""
    named = {**card, "id": model_id}
    return json.dumps(named, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def _small(name: str, value: Tensor) -> Tensor:
    # Convolutions lose nothing measurable in fp16; the head and BatchNorm are small and stay exact.
    return value.half() if value.ndim == 4 else value


def _packed(statistics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The second moment of a light network as a covariance in fp16, half as large.

    Around the herbs' means little is left to round off; see `calibrate.feature_statistics`.
    """
    count, total, moment = (statistics[key].double() for key in ("count", "sum", "moment"))
    spread = (moment - _between(count, total)) / count.sum().clamp(min=1)
    rest = {key: value for key, value in statistics.items() if key != "moment"}
    return {**rest, "covariance": spread.half()}


def _unpacked(statistics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `_packed` was given, but for what it rounded off."""
    count, total, spread = (statistics[key].double() for key in ("count", "sum", "covariance"))
    moment = spread * count.sum().clamp(min=1) + _between(count, total)
    rest = {key: value for key, value in statistics.items() if key != "covariance"}
    return {**rest, "moment": moment.float()}


def _between(count: Tensor, total: Tensor) -> Tensor:
    """The second moment of photos that all lie at their herb's mean: the upper triangle."""
    rows, columns = torch.triu_indices(total.shape[1], total.shape[1])
    return (total.T @ (total / count.clamp(min=1)[:, None]))[rows, columns]


def _read_weights(path: Path, sha256: str, architecture: str) -> tuple[HerbNet, dict[str, Tensor]]:
    """The network and the statistics in the file of weights that has this sha256.

    The file is mapped, not read: what is copied out of it, in the types wanted, is the only copy
    there ever is. Nothing stays mapped, as overwriting the file would end a process that looks.
    """
    with _opened(path, hint="weights-missing") as file:
        start = file.read(9)
        # A safetensors file may start with the same byte: its header's length. Then "{" follows it.
        if (start[:1] == b"\x80" and start[8:] != b"{") or start[:4] == b"PK\x03\x04":
            raise HerbError(
                "权重文件其实是 pickle，可能夹带程序，不予加载。请把权重导出为 safetensors。",
                "The weights file is really a pickle, which may carry code, and is not loaded. "
                "Export the weights as safetensors.",
                hint="weights-pickle",
            )
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise _damaged()
        try:
            with safetensors.safe_open(path, framework="pt") as mapped:
                # It was opened by name: another file may have come in place of the one just read.
                if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    raise _damaged()
                tensors = {name: mapped.get_tensor(name) for name in mapped.offset_keys()}
                return (
                    network_from_state(_below("network.", tensors), architecture),
                    {k: v.clone() for k, v in _below("statistics.", tensors).items()},
                )
        except safetensors.SafetensorError as error:
            raise _damaged() from error


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _preprocessing(values: Mapping[str, Any]) -> Preprocessing:
    size, mean, std = values["size"], tuple(values["mean"]), tuple(values["std"])
    if not isinstance(size, int) or not 32 <= size <= 1024 or len(mean) != 3 or len(std) != 3:
        raise ValueError("preprocessing")
    if not all(map(math.isfinite, mean)) or not all(0 < value < math.inf for value in std):
        raise ValueError("preprocessing")
    return Preprocessing(size=size, mean=mean, std=std)


@contextmanager
def _opened(path: Path, *, hint: str) -> Iterator[BufferedReader]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise HerbError(
            f"模型文件夹里缺少 {path.name}。请重新下载整个模型文件夹。",
            f"The model folder lacks {path.name}. Download the whole model folder again.",
            hint=hint,
        ) from error


def _damaged() -> HerbError:
    return HerbError(
        "权重文件已损坏，与模型卡不符。请重新下载整个模型文件夹。",
        "The weights file is damaged: it is not the one its card describes. "
        "Download the whole model folder again.",
        hint="weights-damaged",
    )
