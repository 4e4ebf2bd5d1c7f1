"""The network: convolutions -> A -> global average -> one linear layer.

That shape is what makes everything else cheap: scores, heatmaps, contrasts, unknowns and new herbs
are all linear algebra on the feature map A (see `heatmap.py`).
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from herbdemo.errors import HerbError

FEATURES = 2048  # channels of A
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
    """ResNet-50 with its feature map in reach.

    Parameters carry torchvision's names, so a state dict of torchvision, or of the original
    herb recogniser, loads unchanged. It is written out here because importing torchvision takes
    as long as importing torch, and the first answer would wait for it.

    Args:
        num_classes: herbs in the head, at least 1.
    """

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

    def stages(self, x: Tensor) -> list[Tensor]:
        """The outputs of the four stages for `x` (N, 3, H, W), at strides 4, 8, 16 and 32."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        outputs = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            outputs.append(x)
        return outputs

    def features(self, x: Tensor) -> Tensor:
        """A, the last feature map: (N, 2048, ceil(H/32), ceil(W/32)), never negative."""
        return self.stages(x)[-1]

    def forward(
        self, x: Tensor, need_fea: bool = False
    ) -> Tensor | tuple[list[Tensor], Tensor, Tensor]:
        """Logits (N, herbs); with `need_fea` ([x1, x2, x3, x4], pooled, logits)."""
        stages = self.stages(x)
        pooled = torch.flatten(self.avgpool(stages[-1]), 1)
        logits = self.fc(pooled)
        return (stages, pooled, logits) if need_fea else logits

    def trainable(self) -> list[nn.Module]:
        """What a training changes, from the head towards the input.

        The stem and layer1 stay: edges and colours need no retraining, and cost a quarter of it.
        """
        return [self.fc, self.layer4, self.layer3, self.layer2]

    def cam_layer(self) -> nn.Module:
        """The layer whose output Grad-CAM looks at."""
        return self.layer4


def _stage(inputs: int, width: int, *, blocks: int, stride: int) -> nn.Sequential:
    rest = (Bottleneck(4 * width, width, 1) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inputs, width, stride), *rest)


def network_from_state(state: Mapping[str, Tensor]) -> HerbNet:
    """A `HerbNet` with the weights of `state`, its head as wide as they say.

    They are copied, so `state` may lie in a file that goes. The network comes in evaluation mode
    and asks for no gradients.

    Raises:
        HerbError: the weights are those of another network.
    """
    head = state.get("fc.weight")
    if head is None or head.ndim != 2 or head.shape[1] != FEATURES:
        raise _not_resnet50()
    with torch.device("meta"):  # no time spent on random weights that are overwritten at once
        network = HerbNet(head.shape[0])
    own = {name: value.dtype for name, value in network.state_dict().items()}
    copies = {k: v.to(own.get(k, v.dtype), copy=True) for k, v in state.items()}
    try:
        network.load_state_dict(copies, assign=True)
    except RuntimeError as error:  # torch lists every name that differs; a user needs one sentence
        raise _not_resnet50() from error
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


def _not_resnet50() -> HerbError:
    return HerbError(
        "这些权重不是 ResNet-50 的。请提供 torchvision 结构的 ResNet-50 权重。",
        "These weights are not those of a ResNet-50. Give weights of a torchvision ResNet-50.",
        hint="weights-other-network",
    )
