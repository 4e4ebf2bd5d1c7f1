"""The networks: convolutions -> A -> global average -> (a tail) -> one linear layer.

That shape is what makes everything else cheap: scores, heatmaps, contrasts, unknowns and new herbs
are all linear algebra on the feature map A (see `heatmap.py`). A tail, the layer that a few light
networks have behind the average, sees no places: it only changes the weights of the map.

`ResNet50` is here, the others in `light.py`.
"""

import copy
import itertools
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from herbdemo.errors import HerbError

LIGHT = ("efficientnet-lite0", "ghostnet", "mnasnet", "mobilenetv3")
ARCHITECTURES = ("resnet50", *LIGHT)  # what a card and `--network` may say
FEATURES = 2048  # channels of A in a ResNet-50
STRIDE = 32  # input pixels per cell of A: a 224 px photo gives a 7x7 map


class Bottleneck(nn.Module):
    """One block: 1x1, 3x3 and 1x1 convolutions, added to what came in.

    The stride is in the 3x3 convolution, as in torchvision (ResNet "v1.5"); He et al. 2016 have it
    in the first one.

    Args:
        inputs: channels that come in. width: channels between; four times as many come out.
        stride: of the block.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 4 * width, ceil(H / stride), ceil(W / stride))."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class HerbNet(nn.Module):
    """What all networks have in common.

    Attributes:
        architecture: its name, of `ARCHITECTURES`.
        layers: the names of its four layers, at strides 4, 8, 16 and 32; the last makes A.
        fc: the linear layer, W (herbs, D) and b (herbs,).
    """

    architecture: str
    layers = ("layer1", "layer2", "layer3", "layer4")
    fc: nn.Linear

    def parts(self) -> list[list[nn.Module]]:
        """What each of `layers` consists of, in the order in which a photo runs through it."""
        raise NotImplementedError

    def tail(self) -> list[nn.Module]:
        """What lies between the average and `fc`, for tensors (N, C, 1, 1); mostly nothing."""
        return []

    def stages(self, x: Tensor) -> list[Tensor]:
        """The outputs of the four layers for `x` (N, 3, H, W), at strides 4, 8, 16 and 32."""
        outputs = []
        for part in self.parts():
            for module in part:
                x = module(x)
            outputs.append(x)
        return outputs

    def features(self, x: Tensor) -> Tensor:
        """A, the last feature map: (N, C, ceil(H/32), ceil(W/32))."""
        return self.stages(x)[-1]

    def embed(self, pooled: Tensor) -> Tensor:
        """What `fc` sees, (N, D), of mean(A), (N, C): the same where there is no tail."""
        if not self.tail():
            return pooled
        x = pooled[:, :, None, None]
        for module in self.tail():
            x = module(x)
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, herbs) of photos (N, 3, H, W)."""
        return self.fc(self.embed(self.features(x).mean((2, 3))))

    def trainable(self) -> list[nn.Module]:
        """What a training may change, from the head towards the input.

        Most leave the last of these as it is: edges and colours need no retraining, and cost a
        quarter of it.
        """
        head = nn.ModuleList([*self.tail(), self.fc]) if self.tail() else self.fc
        return [head, *(nn.ModuleList(part) for part in reversed(self.parts()))]

    def cam_layer(self) -> nn.Module:
        """The layer whose output, A, Grad-CAM looks at."""
        return self.parts()[-1][-1]

    def split(self, at: int) -> tuple[nn.Sequential, nn.Sequential]:
        """New modules that end with layer `at` and begin after it; the parts inside are shared."""
        parts = self.parts()
        below, above = (list(itertools.chain(*half)) for half in (parts[: at + 1], parts[at + 1 :]))
        head = (nn.AdaptiveAvgPool2d(1), *self.tail(), nn.Flatten(), self.fc)
        return nn.Sequential(*below), nn.Sequential(*above, *head)


class ResNet50(HerbNet):
    """ResNet-50 with its feature map in reach.

    Parameters carry torchvision's names, so a state dict of torchvision, or of the original
    herb recogniser, loads unchanged. It is written out here because importing torchvision takes
    as long as importing torch, and the first answer would wait for it.

    Args:
        num_classes: herbs in the head, at least 1.
    """

    architecture = "resnet50"

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks=3, stride=1)
        self.layer2 = _stage(256, 128, blocks=4, stride=2)
        self.layer3 = _stage(512, 256, blocks=6, stride=2)
        self.layer4 = _stage(1024, 512, blocks=3, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(FEATURES, num_classes)
        for module in self.modules():  # He et al. 2015; BatchNorm starts as torch makes it
            # Without values to draw, asking for normal ones imports torch._dynamo, a second's work.
            if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def parts(self) -> list[list[nn.Module]]:
        """See `HerbNet`."""
        stem = [self.conv1, self.bn1, self.relu, self.maxpool]
        return [[*stem, self.layer1], [self.layer2], [self.layer3], [self.layer4]]

    def forward(
        self, x: Tensor, need_fea: bool = False
    ) -> Tensor | tuple[list[Tensor], Tensor, Tensor]:
        """Logits (N, herbs); with `need_fea` ([x1, x2, x3, x4], pooled, logits)."""
        stages = self.stages(x)
        pooled = torch.flatten(self.avgpool(stages[-1]), 1)
        logits = self.fc(pooled)
        return (stages, pooled, logits) if need_fea else logits


def _stage(inputs: int, width: int, *, blocks: int, stride: int) -> nn.Sequential:
    rest = (Bottleneck(4 * width, width, 1) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inputs, width, stride), *rest)


def new_network(architecture: str, herbs: int) -> HerbNet:
    """A network of that architecture for so many herbs, with random weights.

    Raises:
        HerbError: this program has no such network.
    """
    if architecture == "resnet50":
        return ResNet50(herbs)
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
    if head is None or head.ndim != 2:
        raise _other_weights(architecture)
    with torch.device("meta"):  # no time spent on random weights that are overwritten at once
        network = new_network(architecture, head.shape[0])
    own = {name: value.dtype for name, value in network.state_dict().items()}
    copies = {k: v.to(own.get(k, v.dtype), copy=True) for k, v in state.items()}
    try:
        network.load_state_dict(copies, assign=True)
    except RuntimeError as error:  # torch lists every name that differs; a user needs one sentence
        raise _other_weights(architecture) from error
    return network.eval().requires_grad_(False)


def replace_head(network: HerbNet, num_classes: int) -> None:
    """Give `network` a fresh linear head for `num_classes` herbs, in place."""
    network.fc = nn.Linear(network.fc.in_features, num_classes)
    nn.init.normal_(network.fc.weight, std=0.01)
    nn.init.zeros_(network.fc.bias)


def with_head(network: HerbNet, weight: Tensor, bias: Tensor) -> HerbNet:
    """`network` with another linear head: W (herbs, D), b (herbs,). The layers below are shared."""
    twin = copy.copy(network)
    # A shallow copy shares the table of its parts, too; the head must not move into both.
    twin._modules = {**network._modules, "fc": nn.Linear(*weight.shape[::-1])}
    twin.fc.weight.data, twin.fc.bias.data = weight, bias
    twin.fc.to(next(network.parameters()).device)
    return twin.eval().requires_grad_(False)


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
    return HerbError(
        f"这些权重不是 {architecture} 的。请提供 timm 结构的 {architecture} 权重。",
        f"These weights are not those of a {architecture}. Give weights of timm's {architecture}.",
        hint="weights-other-network",
    )
