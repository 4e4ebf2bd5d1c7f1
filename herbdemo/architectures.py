"""The networks by their names: a new one, or one with given weights."""

from collections.abc import Mapping

import torch
from torch import Tensor

from herbdemo.errors import HerbError
from herbdemo.network import HerbNet, KerasResNet50, ResNet50

LIGHT = ("efficientnet-lite0", "ghostnet", "mnasnet", "mobilenetv3")
ARCHITECTURES = ("resnet50", *LIGHT)  # what a card and `--network` may say


def new_network(architecture: str, herbs: int) -> HerbNet:
    """A network of that architecture for so many herbs, with random weights.

    Raises:
        HerbError: this program has no such network.
    """
    if architecture == "resnet50":
        return ResNet50(herbs)
    if architecture == KerasResNet50.architecture:
        return KerasResNet50(herbs)
    if architecture in LIGHT:
        from herbdemo.light import LightNet  # imported late: it needs torchvision, a second

        return LightNet(architecture, herbs)
    raise no_such_network(architecture)


def network_from_state(state: Mapping[str, Tensor], architecture: str = "resnet50") -> HerbNet:
    """A network with the weights of `state`, its head as wide as they say.

    They are copied, so `state` may lie in a file that goes. The network comes in evaluation mode
    and asks for no gradients.

    Raises:
        HerbError: the weights are those of another network, or there is no such architecture.
    """
    # timm, which the light networks have their names from, calls the head `classifier`.
    state = {
        "fc." + k.removeprefix("classifier.") if k.startswith("classifier.") else k: v
        for k, v in state.items()
    }
    head = state.get("fc.weight")
    # An empty one has no herbs, or rows without end that take no room in a file.
    if head is None or head.ndim != 2 or not head.numel():
        raise _other_weights(architecture)
    with torch.device("meta"):  # no time spent on random weights that are overwritten at once
        network = new_network(architecture, head.shape[0])
    own = network.state_dict()
    # Asked before anything is copied: a file may say that a tensor has any size.
    if any(k not in own or v.shape != own[k].shape for k, v in state.items()):
        raise _other_weights(architecture)
    copies = {k: v.to(own[k].dtype, copy=True) for k, v in state.items()}
    try:
        network.load_state_dict(copies, assign=True)
    except RuntimeError as error:  # torch lists every name that differs; a user needs one sentence
        raise _other_weights(architecture) from error
    return network.eval().requires_grad_(False)


def no_such_network(name: str) -> HerbError:
    """What to tell whoever asks for a network that there is not."""
    return HerbError(
        f"没有“{name[:40]}”这种网络。可用的有：{'、'.join(ARCHITECTURES)}。",
        f"There is no network “{name[:40]}”. Choose one of {', '.join(ARCHITECTURES)}.",
        hint="no-such-network",
    )


def _other_weights(architecture: str) -> HerbError:
    if architecture == "resnet50":
        return HerbError(
            "这些权重不是 ResNet-50 的。请提供 torchvision 结构的 ResNet-50 权重。",
            "These weights are not those of a ResNet-50. Give weights of a torchvision ResNet-50.",
            hint="weights-other-network",
        )
    if architecture == KerasResNet50.architecture:
        return HerbError(
            "这些权重不是原项目 Keras 网络的。请重新导入它的 .h5 文件。",
            "These weights are not those of the original's Keras network. Import its .h5 again.",
            hint="weights-other-network",
        )
    return HerbError(
        f"这些权重不是 {architecture} 的。请提供 timm 结构的 {architecture} 权重。",
        f"These weights are not those of a {architecture}. Give weights of timm's {architecture}.",
        hint="weights-other-network",
    )
