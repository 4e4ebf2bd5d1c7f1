"""The networks: convolutions -> A -> global average -> (a tail) -> one linear layer.

That shape is what makes everything else cheap: scores, heatmaps, contrasts, unknowns and new herbs
are all linear algebra on the feature map A (see `heatmap.py`). A tail, the layer that a few light
networks have behind the average, sees no places: it only changes the weights of the map.

`ResNet50` and `KerasResNet50` are here, the others in `light`; `architectures` knows them by name.
"""

import copy
import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

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
        architecture: its name, as `architectures` has it.
        layers: the names of its four layers, at strides 4, 8, 16 and 32; the last makes A.
        fc: the linear layer, W (herbs, D) and b (herbs,).
        signed: whether half of what it sees is negative, as no ReLU comes before it.
    """

    architecture: str
    layers = ("layer1", "layer2", "layer3", "layer4")
    fc: nn.Linear
    signed = False

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
        self.layer1 = _stage(Bottleneck, 64, 64, blocks=3, stride=1)
        self.layer2 = _stage(Bottleneck, 256, 128, blocks=4, stride=2)
        self.layer3 = _stage(Bottleneck, 512, 256, blocks=6, stride=2)
        self.layer4 = _stage(Bottleneck, 1024, 512, blocks=3, stride=2)
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

    def forward(  # type: ignore[override]  # the original's way to ask for more
        self, x: Tensor, need_fea: bool = False
    ) -> Tensor | tuple[list[Tensor], Tensor, Tensor]:
        """Logits (N, herbs); with `need_fea` ([x1, x2, x3, x4], pooled, logits)."""
        stages = self.stages(x)
        pooled = torch.flatten(self.avgpool(stages[-1]), 1)
        logits = self.fc(pooled)
        return (stages, pooled, logits) if need_fea else logits


class _KerasConv(nn.Module):
    """A convolution of `KerasResNet50`: with bias, then ReLU, and normalised only after that.

    Args:
        inputs, outputs: channels. kernel: its side, 1, 3 or 7. stride: 1 or 2.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.pad = SamePad(3) if kernel == 3 and stride == 2 else nn.Identity()
        padding = 0 if kernel == 3 and stride == 2 else kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=padding)
        self.relu = nn.ReLU(inplace=True)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)  # Keras's default

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))."""
        return self.bn(self.relu(self.conv(self.pad(x))))


class SamePad(nn.Module):
    """What TensorFlow's padding "same" adds for an odd window that moves by 2.

    Half a window on both ends, as PyTorch adds; for an even side one of them behind instead of in
    front, so that the window starts a pixel later. TensorFlow leaves that one out: no window
    reaches it. With it the sum is the same for all sides, which exporters can reckon with.

    Args:
        window: its side. value: what is added; minus infinity before a maximum.
    """

    def __init__(self, window: int, value: float = 0.0) -> None:
        super().__init__()
        self.reach = window // 2
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H + window - 1, W + window - 1)."""
        half = self.reach
        down, right = (1 - side % 2 for side in x.shape[2:])
        ends = (half - right, half + right, half - down, half + down)
        return functional.pad(x, ends, value=self.value)


class _KerasBlock(nn.Module):
    """One block of `KerasResNet50`: the stride is in the first convolution and in the shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = _KerasConv(inputs, width, 1, stride)
        self.conv2 = _KerasConv(width, width, 3)
        self.conv3 = _KerasConv(width, outputs, 1)
        self.shortcut = _KerasConv(inputs, outputs, 3, stride) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 4 * width, ceil(H / stride), ceil(W / stride)), of any sign."""
        y = self.conv3(self.conv2(self.conv1(x)))
        return y + (x if self.shortcut is None else self.shortcut(x))


class KerasResNet50(HerbNet):
    """The original's Keras network, whose weights `keras_h5` reads.

    It differs from a ResNet-50 in more than the padding: see `_KerasConv` and `_KerasBlock`. No
    ReLU follows a sum, so A has both signs. Keras averages 7x7 cells, which is all of A for the
    photos of 224 px that it takes; here it is all of A for photos of any size.

    Args:
        num_classes: herbs in the head, at least 1.
    """

    architecture = "keras-resnet50"
    signed = True

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem = _KerasConv(3, 64, 7, stride=2)
        self.maxpool = nn.Sequential(SamePad(3, -torch.inf), nn.MaxPool2d(3, stride=2))
        self.layer1 = _stage(_KerasBlock, 64, 64, blocks=3, stride=1)
        self.layer2 = _stage(_KerasBlock, 256, 128, blocks=4, stride=2)
        self.layer3 = _stage(_KerasBlock, 512, 256, blocks=6, stride=2)
        self.layer4 = _stage(_KerasBlock, 1024, 512, blocks=3, stride=2)
        self.fc = nn.Linear(FEATURES, num_classes)

    def parts(self) -> list[list[nn.Module]]:
        """See `HerbNet`."""
        return [[self.stem, self.maxpool, self.layer1], [self.layer2], [self.layer3], [self.layer4]]


def _stage(
    block: Callable[[int, int, int], nn.Module],
    inputs: int,
    width: int,
    *,
    blocks: int,
    stride: int,
) -> nn.Sequential:
    rest = (block(4 * width, width, 1) for _ in range(blocks - 1))
    return nn.Sequential(block(inputs, width, stride), *rest)


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
