"""Weights from PyTorch checkpoints that this program did not write.

A `.pth` is a pickle, which may run code when it is opened as its maker meant. It is opened with
torch's reader for weights only, which knows tensors and plain containers and runs nothing, after
the zip around it was judged from its directory.
"""

import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from herbdemo import zips
from herbdemo.errors import HerbError
from herbdemo.files import read_errors
from herbdemo.labels import labels_in
from herbdemo.network import FEATURES

MAX_BYTES = 2 << 30  # ResNet-50 with its optimiser takes 0.3 GB, with one of two moments as well
MAX_OBJECTS = 4 << 20  # bytes of the pickle, each of which may make 64; a ResNet-50 has 50 kB of it
MAX_DIRECTORY = 4 << 20  # bytes; a file with its optimiser's state has a thousand entries
_FIRST = "layer1.0.conv1.weight"  # what tells a ResNet's weights, under whatever prefix
_COUNTERS = ("total_ops", "total_params")  # what the profiler thop leaves among the weights
_DEPTH = 3  # wrappers around the weights; people use one


def read_pth(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...] | None]:
    """The weights of a ResNet-50 in a checkpoint, and the names of its classes if it tells them.

    A bare state dict, or one in a dict beside anything else; its names may have a prefix such as
    `module.`. The tensors may lie in the file, which must stay until they are copied.

    Raises:
        HerbError: it may not be read, is too large or damaged, holds more than weights, or none of
            a ResNet-50.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise _too_large()
    with read_errors(), path.open("rb") as file:
        zipped = file.read(4) == b"PK\3\4"  # as torch tells it, which unpacks what it takes for one
    if zipped:
        _judge(path, size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that it may not know; then it says so
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        raise (_more_than_weights() if "GLOBAL" in str(error) else _damaged()) from error
    except Exception as error:  # on hostile bytes torch raises nearly everything there is
        raise _damaged() from error
    for found in _mappings(held):
        if state := _state(found):
            return state, _labels(held)
    raise HerbError(
        "文件里没有 ResNet-50 的权重。请用 torchvision 命名的 ResNet-50 的 state_dict（原项目的 "
        "PyTorch 版本就是这样）。",
        "The file holds no weights of a ResNet-50. Give the state_dict of a ResNet-50 with "
        "torchvision's names, which the original's PyTorch version has.",
        hint="weights-other-network",
    )


def _judge(path: Path, size: int) -> None:
    """Refuse a zip that would unpack to more than it is: torch packs nothing."""
    with zips.opened(
        path, largest=MAX_DIRECTORY, too_large=_too_large(), damaged=_damaged(), plain=True
    ) as archive:
        entries = archive.infolist()
    if any(entry.filename.endswith(".weights.h5") for entry in entries):
        raise HerbError(
            "这是 Keras 的 .keras 文件。请另存权重：model.save_weights('herbs.weights.h5')，"
            "然后导入那个文件。",
            "This is a .keras file. Save its weights with model.save_weights('herbs.weights.h5') "
            "and import that file.",
            hint="weights-keras-zip",
        )
    if any("/code/" in entry.filename for entry in entries):  # TorchScript
        raise _more_than_weights()
    if any(
        entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size
        for entry in entries
    ):
        raise _damaged()
    pickles = [entry for entry in entries if entry.filename.lower().endswith(".pkl")]
    pickled = sum(entry.file_size for entry in pickles)  # torch asks for them in any case
    if pickled > MAX_OBJECTS or sum(entry.file_size for entry in entries) > size:
        raise _too_large()


def _labels(held: object) -> tuple[str, ...] | None:
    """The names of the classes; none where they are no list, for people can give a good one."""
    try:
        return labels_in(held)
    except HerbError:
        return None


def _mappings(held: object) -> Iterator[Mapping[str, Any]]:
    """The dicts with names in what a file holds, the outermost first, each once."""
    seen: set[int] = set()  # a dict may hold itself, or another one many times
    layer: list[object] = [held]
    for _ in range(_DEPTH + 1):
        inner: list[object] = []
        for value in layer:
            if isinstance(value, Mapping) and id(value) not in seen:
                seen.add(id(value))
                yield {key: item for key, item in value.items() if isinstance(key, str)}
                inner += value.values()
        layer = inner


def _state(held: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a ResNet in a dict, by torchvision's names; none if it holds none."""
    tensors = {name: value for name, value in held.items() if _plain(value)}
    first = next((name for name in tensors if name.endswith(_FIRST)), None)
    if first is None:
        return {}
    prefix = first.removesuffix(_FIRST)
    state = {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix) and not name.endswith(_COUNTERS)
    }
    return _plain_head(state)


def _plain(value: object) -> bool:
    """Whether it is a tensor of real numbers that are all there."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_complex()
    )


def _plain_head(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The one linear layer of a head that also drops features out, named as torchvision does."""
    heads = [
        name
        for name, value in state.items()
        if name.startswith("fc.") and value.ndim == 2 and value.shape[1] == FEATURES
    ]
    names = {name for name in state if name.startswith("fc.")}
    if len(heads) == 1 and len(names) == 2:
        stem = heads[0].removesuffix("weight")
        state = {
            f"fc.{name.removeprefix(stem)}" if name in names else name: value
            for name, value in state.items()
        }
    return state


def _more_than_weights() -> HerbError:
    return HerbError(
        "这个文件存的是整个模型或别的 Python 对象，不只是权重；打开它可能会运行其中的程序，"
        "因此不予加载。请在原来的代码里把保存 model 改为保存 model.state_dict()，然后导入新文件。",
        "This file holds a whole model, or other Python objects beside its weights. Opening it "
        "could run code, so it is not loaded. Where the original code runs, save "
        "model.state_dict() in place of model, and import that file.",
        hint="weights-pickle",
    )


def _damaged() -> HerbError:
    return HerbError(
        "这个文件不是 PyTorch 的权重，或者已损坏。请重新保存或重新下载。",
        "This file holds no weights of PyTorch, or it is damaged. Save it or download it again.",
        hint="weights-damaged",
    )


def _too_large() -> HerbError:
    return HerbError(
        f"这个文件或其内容超过上限（{MAX_BYTES >> 30} GB）。请只保存 model.state_dict()。",
        f"This file, or what it holds, is larger than {MAX_BYTES >> 30} GB. Save only "
        "model.state_dict().",
        hint="weights-too-large",
    )
