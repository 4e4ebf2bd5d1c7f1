"""Which engine answers, and why: the words for it, and the check that two engines see the same."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from herbdemo.checkpoint import Preprocessing

if TYPE_CHECKING:
    from herbdemo.engine import Engine


@dataclass(frozen=True)
class Reason:
    """Why this engine answers and no other, in Chinese and in English."""

    zh: str
    en: str


ASKED = Reason("HERBDEMO_ENGINE 指定了它", "HERBDEMO_ENGINE asks for it")
PREPARING = Reason("更快的引擎正在准备", "a faster engine is being made ready")
UNTRIED = Reason(
    "还没有试过更快的引擎，第一次启动时会试",
    "nothing faster has been tried yet, the first start does",
)
ACCELERATOR = Reason("网络在加速器上运行", "the network runs on an accelerator")
NOT_FASTER = Reason(
    "试过半精度，在这块显卡上并不更快", "half precision was tried, and is no faster on this GPU"
)
NOT_INSTALLED = Reason("没有安装 OpenVINO", "OpenVINO is not installed")
BROKEN = Reason(
    "更快的引擎在这里不能用，见日志", "the faster engine does not work here, see the log"
)
NO_LIMITS = Reason("这个模型没有通过 int8 的检验", "this model has not passed the gate for int8")


def same(correlation: float) -> Reason:
    """An engine that may answer: its maps agree with torch's by `correlation`, at most 1."""
    return Reason(
        f"它是这台电脑上最快的，所见与 torch 相同：特征图的相关系数不低于 {correlation:.4f}",
        "it is the fastest here and sees what torch sees: "
        f"their feature maps correlate by {correlation:.4f} or more",
    )


def other(correlation: float) -> Reason:
    """Why a faster engine may not answer: its maps agree by no more than `correlation`."""
    return Reason(
        f"更快的引擎所见不同：与 torch 特征图的相关系数低至 {correlation:.4f}",
        "the faster engine sees something else: "
        f"its feature maps correlate with those of torch by only {correlation:.4f}",
    )


def agreement(one: "Engine", other: "Engine", photos: Tensor) -> float:
    """The least correlation, over photos (N, 3, H, W), of the feature maps of two engines."""
    least = 1.0
    for photo in photos:
        a, b = (engine.features(photo[None]).ravel() for engine in (one, other))
        least = min(least, float(np.corrcoef(a, b)[0, 1]))
    return least if np.isfinite(least) else 0.0


def check_photos(preprocessing: Preprocessing) -> Tensor:
    """Four pictures of soft blobs in many colours, the same ones always: (4, 3, size, size)."""
    rng = np.random.default_rng(0)
    pictures = []
    for cells in (4, 8, 16, 32):
        small = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        picture = small.resize((256, 256), Image.Resampling.BICUBIC)
        pictures.append(preprocessing.tensor(picture))
    return torch.stack(pictures)
