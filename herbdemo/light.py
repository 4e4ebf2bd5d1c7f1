"""Light networks for phones and small machines, with timm's layers and timm's names for them.

    python -m herbdemo train FOLDER --name ID --network ghostnet --init imagenet

| here               | timm                  | behind the average |
|--------------------|-----------------------|--------------------|
| efficientnet-lite0 | tf_efficientnet_lite0 | nothing            |
| ghostnet           | ghostnet_100          | 960 -> 1280, ReLU  |
| mnasnet            | mnasnet_100           | nothing            |
| mobilenetv3        | mobilenetv3_large_100 | 960 -> 1280, hard swish |

timm's code and weights: Apache-2.0.
"""

import itertools

import timm
from torch import Tensor, nn

from herbdemo.network import HerbNet, SamePad

# timm's name, and the last of its blocks at strides 4, 8 and 16.
TIMM = {
    "efficientnet-lite0": ("tf_efficientnet_lite0", (1, 2, 4)),
    "ghostnet": ("ghostnet_100", (2, 4, 6)),
    "mnasnet": ("mnasnet_100", (1, 2, 4)),
    "mobilenetv3": ("mobilenetv3_large_100", (1, 2, 4)),
}


def pretrained(architecture: str) -> dict[str, Tensor]:
    """The weights that timm has for it, downloaded once."""
    return timm.create_model(TIMM[architecture][0], pretrained=True).state_dict()


class LightNet(HerbNet):
    """One of timm's light networks with its feature map in reach.

    Parameters carry timm's names, but for the head, which is `fc` as everywhere.

    Args:
        architecture: of `TIMM`.
        herbs: in the head, at least 1.
    """

    blocks: nn.Sequential
    conv_stem: nn.Module
    bn1: nn.Module
    act1: nn.Module  # only where it is not in `bn1`
    conv_head: nn.Module
    bn2: nn.Module
    act2: nn.Module  # only where there is a tail

    def __init__(self, architecture: str, herbs: int) -> None:
        super().__init__()
        self.architecture = architecture
        name, self._ends = TIMM[architecture]
        body = timm.create_model(name, num_classes=herbs)
        for name, module in body.named_children():
            if name == "classifier":
                assert isinstance(module, nn.Linear)
                self.fc = module
            elif name not in ("global_pool", "flatten"):
                self.add_module(name, module)
        for name, module in list(self.named_modules()):
            if type(module) is not nn.Conv2d and isinstance(module, nn.Conv2d):
                self.set_submodule(name, _SameConv(module))

    def parts(self) -> list[list[nn.Module]]:
        """See `HerbNet`."""
        blocks = list(self.blocks)
        cuts = [0, *(end + 1 for end in self._ends), len(blocks)]
        stem = [self.conv_stem, self.bn1]
        if hasattr(self, "act1"):
            stem.append(self.act1)
        first, *others, last = (blocks[a:b] for a, b in itertools.pairwise(cuts))
        top = [] if self.tail() else [self.conv_head, self.bn2]
        return [[*stem, *first], *others, [*last, *top]]

    def tail(self) -> list[nn.Module]:
        """See `HerbNet`."""
        return [self.conv_head, self.act2] if hasattr(self, "act2") else []


class _SameConv(nn.Conv2d):
    """A convolution of stride 2 padded as TensorFlow pads.

    timm's own, whose weights it takes, works the padding out in a way that a converter cannot
    follow.

    Args:
        theirs: timm's.
    """

    def __init__(self, theirs: nn.Conv2d) -> None:
        super().__init__(
            theirs.in_channels, theirs.out_channels, theirs.kernel_size[0], theirs.stride[0],
            groups=theirs.groups, bias=False,
        )  # fmt: skip
        self.weight = theirs.weight
        self.pad = SamePad(self.kernel_size[0])

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, ceil(H / 2), ceil(W / 2))."""
        return super().forward(self.pad(x))
