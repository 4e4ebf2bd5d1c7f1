"""Where a training starts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors
from safetensors.torch import load_file

from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.errors import HerbError
from herbdemo.network import HerbNet, ResNet50, network_from_state
from herbdemo.registry import Registry


@dataclass(frozen=True)
class Start:
    """A network, and what is known beside its weights.

    Args:
        network: changed in place by the training; its head is replaced.
        model: the model it belongs to; then that one's herbs are not forgotten.
        name: what the new model's card calls its parent.
        sha256: of the file of weights; "" where there is none.
    """

    network: HerbNet
    preprocessing: Preprocessing = Preprocessing()  # noqa: RUF009, frozen
    model: Checkpoint | None = None
    name: str = ""
    sha256: str = ""


def start_from(init: str, registry: Registry) -> Start:
    """Where a training starts.

    Args:
        init: "active" (the model in use), a model's id, "imagenet" (torchvision's weights,
            downloaded once), "scratch", or a safetensors file of a torchvision ResNet-50.

    Raises:
        HerbError: no such file or model, not a ResNet-50, or the weights cannot be downloaded.
    """
    if init == "scratch":
        return Start(ResNet50(1000), name=init)
    if init == "imagenet":
        from torchvision.models import ResNet50_Weights  # imported late: a second

        try:
            state = ResNet50_Weights.IMAGENET1K_V2.get_state_dict(progress=False)
        except (OSError, RuntimeError) as error:
            raise HerbError(
                "下载不到 torchvision 的 ImageNet 权重。请联网，或用 --init 指定权重文件。",
                "torchvision's ImageNet weights cannot be downloaded. Connect to the internet, or "
                "name a file of weights with --init.",
                hint="init-download",
            ) from error
        return Start(network_from_state(state), name=init)
    if init.endswith(".safetensors"):
        try:
            sha256 = hashlib.sha256(Path(init).read_bytes()).hexdigest()
            network = network_from_state(load_file(init))
            return Start(network, name=init.rpartition("/")[2], sha256=sha256)
        except (OSError, safetensors.SafetensorError) as error:
            raise HerbError(
                "权重文件打不开。请检查 --init 的路径，文件须为 safetensors 格式。",
                "The file of weights cannot be opened. Check the path given with --init; it must "
                "be in the safetensors format.",
                hint="init-file",
            ) from error
    model = registry.load(None if init == "active" else init)
    return Start(model.network, model.preprocessing, model, model.id, model.sha256)
