"""Where a training starts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors
from safetensors.torch import load_file
from torch import Tensor

from herbdemo.architectures import ARCHITECTURES, network_from_state, new_network, no_such_network
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.errors import HerbError
from herbdemo.network import HerbNet
from herbdemo.registry import Registry

# What EfficientNet-Lite learned from: (x - 127) / 128, as its authors have it.
LITE = Preprocessing(mean=(127 / 255,) * 3, std=(128 / 255,) * 3)


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


def start_from(init: str, registry: Registry, *, network: str | None = None) -> Start:
    """Where a training starts.

    Args:
        init: "active" (the model in use), a model's id, "imagenet" (torchvision's or timm's
            weights, downloaded once), "scratch", or a safetensors file of either's weights.
        network: of `ARCHITECTURES`; by default that of the model or, without one, ResNet-50.

    Raises:
        HerbError: no such file, model or network, one of another network, or the weights cannot be
            downloaded.
    """
    architecture = network or "resnet50"
    if architecture not in ARCHITECTURES:
        raise no_such_network(architecture)
    settings = LITE if architecture == "efficientnet-lite0" else Preprocessing()
    if init == "scratch":
        return Start(new_network(architecture, 1000), settings, name=init)
    if init == "imagenet":
        return Start(network_from_state(_imagenet(architecture), architecture), settings, name=init)
    if init.endswith(".safetensors"):
        try:
            sha256 = hashlib.sha256(Path(init).read_bytes()).hexdigest()
            start = network_from_state(load_file(init), architecture)
            return Start(start, settings, name=init.rpartition("/")[2], sha256=sha256)
        except (OSError, safetensors.SafetensorError) as error:
            raise HerbError(
                "权重文件打不开。请检查 --init 的路径，文件须为 safetensors 格式。",
                "The file of weights cannot be opened. Check the path given with --init; it must "
                "be in the safetensors format.",
                hint="init-file",
            ) from error
    model = registry.load(None if init == "active" else init)
    if network not in (None, model.network.architecture):
        raise HerbError(
            f"模型“{model.id}”的网络是 {model.network.architecture}，不是 {network[:40]}。"
            "请去掉 --network，或换一个 --init。",
            f"The model “{model.id}” has a {model.network.architecture}, not a {network[:40]}. "
            "Leave --network out, or start elsewhere with --init.",
            hint="init-other-network",
        )
    return Start(model.network, model.preprocessing, model, model.id, model.sha256)


def _imagenet(architecture: str) -> dict[str, Tensor]:
    """The weights that torchvision or timm give, from their cache or downloaded now."""
    maker = "torchvision" if architecture == "resnet50" else "timm"
    try:
        if maker == "torchvision":
            from torchvision.models import ResNet50_Weights  # imported late: a second

            return ResNet50_Weights.IMAGENET1K_V2.get_state_dict(progress=False)
        from herbdemo.light import pretrained  # imported late, like it

        return pretrained(architecture)
    except Exception as error:  # of whatever client downloads them
        raise HerbError(
            f"下载不到 {maker} 的 ImageNet 权重。请联网，或用 --init 指定权重文件。",
            f"{maker}'s ImageNet weights cannot be downloaded. Connect to the internet, or "
            "name a file of weights with --init.",
            hint="init-download",
        ) from error
