"""Weights of the original's Keras network from an `.h5` file, as `KerasResNet50` names them.

Three layouts are read: `save_weights` and `save` of Keras 2 (`layer_names` says the order; `save`
puts the same under `model_weights`), and `*.weights.h5` of Keras 3. Numbers are taken from the
file and nothing else: no configuration is built from it, no link is followed.
"""

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from herbdemo.errors import HerbError
from herbdemo.network import FEATURES

if TYPE_CHECKING:
    import h5py

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_BYTES = 2 << 30  # with the state of its optimiser the network takes 0.6 GB
MAX_LAYERS = 1000  # the network has 130, some of them without weights
MAX_WEIGHTS = 8  # of a layer; BatchNormalization has 4
MAX_CONFIG = 4 << 20  # bytes of the JSON that `save` puts beside the weights; 0.1 MB
BLOCKS = (3, 4, 6, 3)
EPSILON = 1e-3  # of BatchNormalization, by Keras's default


@dataclass(frozen=True)
class _Layer:
    """A layer of the file, by its own name, and its arrays in Keras's order, not read yet."""

    name: str
    arrays: "tuple[h5py.Dataset, ...]"


@dataclass(frozen=True)
class _Place:
    """Where a convolution belongs: its name here, its kernel (h, w, in, out), its stride."""

    name: str
    kernel: tuple[int, int, int, int]
    stride: int = 1


def read_keras(path: Path) -> dict[str, Tensor]:
    """The weights in the file, copied.

    Raises:
        HerbError: h5py is missing; the file is too large or damaged, has links or other things
            that Keras does not write; or it is another network's.
    """
    try:
        import h5py  # imported late: only who imports such a file needs it
    except ImportError as error:
        raise HerbError(
            "读 Keras 的 .h5 文件需要 h5py。请运行 pip install h5py，再试一次。",
            "Reading Keras's .h5 files needs h5py. Run pip install h5py and try again.",
            hint="h5py-missing",
        ) from error
    if path.stat().st_size > MAX_BYTES:
        raise HerbError(
            f"这个文件超过上限（{MAX_BYTES >> 30} GB）。请只保存权重："
            "model.save_weights('herbs.weights.h5')。",
            f"This file is larger than {MAX_BYTES >> 30} GB. Save only the weights, with "
            "model.save_weights('herbs.weights.h5').",
            hint="weights-too-large",
        )
    try:
        with h5py.File(path, "r") as file:
            layers = _layers(file)
            return _state(layers, _config(file))
    except HerbError:
        raise
    except Exception as error:  # on hostile bytes HDF5 raises nearly everything there is
        raise _damaged() from error


def _layers(file: "h5py.File") -> list[_Layer]:
    """The layers in the order in which a photo runs through them, as far as the file says."""
    root = _group(file, "model_weights") if "model_weights" in file else file
    if names := _names(root, "layer_names", MAX_LAYERS):
        groups = [_group(root, name) for name in names]
        return [
            _Layer(
                name, tuple(_array(group, w) for w in _names(group, "weight_names", MAX_WEIGHTS))
            )
            for name, group in zip(names, groups, strict=True)
        ]
    # Keras 2.13, the first to write this layout, had the second name for it.
    within = next((n for n in ("layers", "_layer_checkpoint_dependencies") if n in file), None)
    if within is None:
        raise _other_network()
    groups = _group(file, within)
    if len(groups) > MAX_LAYERS:
        raise _other_network()
    layers = []
    for key in sorted(groups, key=_number):  # counted anew, kind by kind, as a photo meets them
        held = _group(_group(groups, key), "vars")
        name = held.attrs.get("name", key)
        arrays = tuple(_array(held, str(i)) for i in range(min(len(held), MAX_WEIGHTS)))
        layers.append(_Layer(name if isinstance(name, str) else key, arrays))
    return layers


def _number(name: str) -> int:
    """How many layers of its kind were made before; Keras counts them from 0 or 1, on and on."""
    tail = re.search(r"_(\d+)$", name)
    return int(tail[1]) if tail else 0


def _names(group: "h5py.Group", attribute: str, most: int) -> list[str]:
    """A list of names among a group's attributes; Keras cuts a long one into numbered pieces."""
    pieces = (f"{attribute}{i}" for i in itertools.count())
    keys = [attribute] if attribute in group.attrs else itertools.takewhile(
        lambda key: key in group.attrs, pieces)  # fmt: skip
    names: list[str] = []
    for key in keys:
        size = math.prod(group.attrs.get_id(key).shape)
        if len(names) + size > most:
            raise _other_network()
        names += [n.decode() if isinstance(n, bytes) else str(n) for n in group.attrs[key]]
    return names


def _group(parent: "h5py.Group", name: str) -> "h5py.Group":
    found = _own(parent, name)
    if not hasattr(found, "keys"):
        raise _damaged()
    return found


def _array(parent: "h5py.Group", name: str) -> "h5py.Dataset":
    """A dataset that lies in the file as Keras writes it: whole and unpacked."""
    found = _own(parent, name)
    if (
        not hasattr(found, "dtype")
        or found.dtype.kind != "f"
        or found.external
        or found.is_virtual
        or found.id.get_create_plist().get_nfilters()
        # One that declares more than it has would be filled up with nothing.
        or found.id.get_storage_size() != math.prod(found.shape) * found.dtype.itemsize
    ):
        raise _damaged()
    return found


def _own(parent: "h5py.Group", path: str) -> Any:
    """What a group holds itself, or one in it; a link to another place or file is not followed.

    Keras's names may have slashes. Each part is looked at by itself: HDF5 would follow the links on
    the way, and tell only of the last one.
    """
    import h5py

    found: Any = parent
    for name in path.split("/"):
        if name in ("", ".", "..") or not isinstance(found, h5py.Group):
            raise _damaged()
        link = found.get(name, getlink=True)
        if link is None:
            raise _damaged()
        if not isinstance(link, h5py.HardLink):
            raise _linked()
        found = found[name]
    return found


def _places() -> Iterator[list[_Place]]:
    """The convolutions of the network, block by block."""
    yield [_Place("stem", (7, 7, 3, 64), 2)]
    inputs = 64
    for stage, blocks in enumerate(BLOCKS, start=1):
        width, outputs = 32 << stage, 128 << stage
        for block in range(blocks):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
            places = [
                _Place(f"{at}.conv1", (1, 1, inputs, width), stride),
                _Place(f"{at}.conv2", (3, 3, width, width)),
                _Place(f"{at}.conv3", (1, 1, width, outputs)),
            ]
            if not block:
                places.append(_Place(f"{at}.shortcut", (3, 3, inputs, outputs), stride))
            yield places
            inputs = outputs


def _state(layers: Sequence[_Layer], config: Mapping[str, Any]) -> dict[str, Tensor]:
    shapes = [tuple(array.ndim for array in layer.arrays) for layer in layers]
    kinds: dict[tuple[int, ...], list[_Layer]] = {(4, 1): [], (1, 1, 1, 1): [], (2, 1): [], (): []}
    for layer, shape in zip(layers, shapes, strict=True):
        if shape not in kinds:
            raise _other_network()
        kinds[shape].append(layer)
    convolutions, norms, heads, others = (
        # Those that Keras named were made in the order of their numbers.
        sorted(kind, key=lambda layer: _number(layer.name))
        if all(re.fullmatch(r"(conv2d|batch_normalization)(_\d+)?", layer.name) for layer in kind)
        else kind
        for kind in kinds.values()
    )
    blocks = list(_places())
    if len(heads) != 1 or not len(convolutions) == len(norms) == sum(map(len, blocks)):
        raise _other_network()
    _check_others([layer.name for layer in others])
    pairs = iter(zip(convolutions, norms, strict=True))
    state: dict[str, Tensor] = {}
    for block in blocks:
        # Which of them comes first in a block depends on who wrote it; their shapes differ.
        here = {place.kernel: place for place in block}
        for convolution, norm in itertools.islice(pairs, len(block)):
            place = here.pop(convolution.arrays[0].shape, None)
            if place is None:
                raise _other_network()
            _check_made(convolution, norm, place, config)
            state |= _named(place, convolution, norm)
    weight, bias = heads[0].arrays
    if weight.shape != (FEATURES, len(bias)):
        raise _other_network()
    state |= {"fc.weight": _tensor(weight).T.contiguous(), "fc.bias": _tensor(bias)}
    return state


def _named(place: _Place, convolution: _Layer, norm: _Layer) -> dict[str, Tensor]:
    kernel, bias = convolution.arrays
    outputs = place.kernel[-1]
    if any(array.shape != (outputs,) for array in (bias, *norm.arrays)):
        raise _other_network()
    names = ("weight", "bias", "running_mean", "running_var")
    return {
        f"{place.name}.conv.weight": _tensor(kernel).permute(3, 2, 0, 1).contiguous(),
        f"{place.name}.conv.bias": _tensor(bias),
        **{
            f"{place.name}.bn.{name}": _tensor(array)
            for name, array in zip(names, norm.arrays, strict=True)
        },
    }


def _tensor(array: "h5py.Dataset") -> Tensor:
    return torch.from_numpy(np.asarray(array[()], np.float32))


def _check_others(names: Sequence[str]) -> None:
    """Refuse a network of the same shapes whose layers stand in another order.

    An activation of its own follows the normalisation, or the sum; without the layer that pads,
    the first convolution pads by itself, by one pixel less on two sides.
    """
    if any(re.match(r"activation|re_?lu", name) for name in names) or (
        names and not any("pad" in name for name in names)
    ):
        raise _other_network()


def _check_made(
    convolution: _Layer, norm: _Layer, place: _Place, config: Mapping[str, Any]
) -> None:
    """Refuse what `save` says was made in another way; files of weights alone do not say."""
    if not config:
        return
    made, normed = config.get(convolution.name, {}), config.get(norm.name, {})
    stride = [place.stride] * 2
    if (
        made.get("activation") != "relu"
        or made.get("strides") != stride
        or made.get("padding") != ("valid" if place.name == "stem" else "same")
        or made.get("data_format", "channels_last") != "channels_last"
        or not math.isclose(normed.get("epsilon", 0), EPSILON)
    ):
        raise _other_network()


def _config(file: "h5py.File") -> dict[str, dict[str, Any]]:
    """How each layer was made, by its name; empty where the file has weights alone."""
    attribute = "model_config"
    if attribute not in file.attrs:
        return {}
    text = file.attrs[attribute]
    if not isinstance(text, str | bytes) or len(text) > MAX_CONFIG:
        raise _damaged()
    layers = json.loads(text)["config"]["layers"]
    return {layer["config"]["name"]: layer["config"] for layer in layers}


def _other_network() -> HerbError:
    return HerbError(
        "这不是原项目 Keras 版 ResNet-50 的权重：层数、形状或做法不同（卷积带偏置和 ReLU，然后是 "
        "BatchNormalization；捷径是 3x3 卷积；相加之后没有 ReLU；最后是 7x7 平均池化和一个 "
        "Dense）。别的网络请用它自己的程序。",
        "These are not the weights of the original's Keras ResNet-50: its layers, their shapes or "
        "the way they were made differ (convolutions with bias and ReLU, then BatchNormalization; "
        "3x3 shortcuts; no ReLU after the sum; 7x7 average pooling and one Dense at the end). "
        "Run other networks with their own program.",
        hint="weights-other-network",
    )


def _damaged() -> HerbError:
    return HerbError(
        "这个文件不是 Keras 的 .h5 权重，或者已损坏。请在 Keras 里重新保存："
        "model.save_weights('herbs.weights.h5')。",
        "This file holds no weights of Keras, or it is damaged. Save them again in Keras with "
        "model.save_weights('herbs.weights.h5').",
        hint="weights-damaged",
    )


def _linked() -> HerbError:
    return HerbError(
        "这个 .h5 文件里有链接，不予加载。请在 Keras 里重新保存权重："
        "model.save_weights('herbs.weights.h5')。",
        "This .h5 file has links in it and is not loaded. Save the weights again in Keras with "
        "model.save_weights('herbs.weights.h5').",
        hint="weights-links",
    )
