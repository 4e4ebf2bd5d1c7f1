"""What training does to photos, so that the network holds on other cameras and backgrounds."""

import io
import random

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torchvision.transforms import v2

from herbdemo.checkpoint import Preprocessing


def training_transform(preprocessing: Preprocessing, *, size: int) -> v2.Compose:
    """PIL RGB image -> normalised float tensor (3, size, size), different at each call."""
    crop = v2.Compose(
        [
            # From a quarter of the photo on: single pieces seen close. The aspect range covers the
            # squashing to a square that recognition does.
            v2.RandomResizedCrop(size, scale=(0.25, 1.0), ratio=(0.66, 1.5), antialias=True),
            # A phone held at an angle.
            v2.RandomApply([v2.RandomPerspective(0.3, p=1.0, fill=128)], p=0.15),
        ]
    )
    # A herb may also lie small in the middle of a table. Never cropped afterwards: the crop might
    # hold the table alone.
    small = v2.Compose([SmallInFrame(least=0.45), v2.Resize((size, size), antialias=True)])
    lights = v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05)
    return v2.Compose(
        [
            v2.RandomChoice([crop, small], p=[0.85, 0.15]),
            v2.RandomHorizontalFlip(),
            # A third each: the photo's own colours, other lights, anything at all.
            v2.RandomChoice([v2.Identity(), lights, v2.TrivialAugmentWide(fill=128)]),
            v2.RandomGrayscale(p=0.03),
            # Cheap lenses, motion, and what messengers do to a photo.
            v2.RandomApply([v2.GaussianBlur(5, sigma=(0.3, 1.5))], p=0.1),
            v2.RandomApply([Recompressed(quality=(30, 75))], p=0.1),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(preprocessing.mean, preprocessing.std, inplace=True),
            v2.RandomErasing(p=0.1, scale=(0.02, 0.15)),
        ]
    )


class SmallInFrame(nn.Module):
    """Put the photo, shrunk, at a random place of a plain or blurred background.

    Args:
        least: smallest side of the shrunk photo, as a share of the frame.
    """

    def __init__(self, *, least: float) -> None:
        super().__init__()
        self.least = least

    def forward(self, image: Image.Image) -> Image.Image:
        share = random.uniform(self.least, 0.9)
        width, height = image.size
        small = image.resize((max(1, round(width * share)), max(1, round(height * share))))
        if random.random() < 0.5:
            shade = random.randint(40, 255)
            tint = tuple(min(255, max(0, shade + random.randint(-25, 25))) for _ in range(3))
            frame = Image.new("RGB", image.size, tint)
        else:
            # At an eighth of the size: nobody can tell, and it takes a tenth of the time.
            least = image.reduce(8)
            frame = least.filter(ImageFilter.GaussianBlur(max(least.size) / 12)).resize(image.size)
        left = random.randint(0, width - small.width)
        top = random.randint(0, height - small.height)
        frame.paste(small, (left, top))
        return frame


class Recompressed(nn.Module):
    """Save as JPEG at a random quality and read it back."""

    def __init__(self, *, quality: tuple[int, int]) -> None:
        super().__init__()
        self.quality = quality

    def forward(self, image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=random.randint(*self.quality))
        return Image.open(buffer).convert("RGB")


def mixed(
    x: Tensor, y: Tensor, *, num_classes: int, share: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Mixup (alpha 0.2; Zhang et al. 2018) or CutMix (Yun et al. 2019) on a `share` of the batches.

    Photos 2i and 2i + 1 are mixed with one another, all by the same share: whoever has a part of
    the batch and an `rng` in the same state mixes its part alike. A last one without a partner
    stays as it is.

    Args:
        x: photos (N, 3, H, W). y: herb indices (N,).
        rng: the same draws are made of it whatever N is.
    Returns:
        the batch, and targets (N, num_classes) that sum to one per photo.
    """
    target = nn.functional.one_hot(y, num_classes).float()
    mixes, cuts = rng.random() < share, rng.random() < 0.5
    own, left, top = rng.beta(0.2, 0.2) if not cuts else rng.random(), rng.random(), rng.random()
    if not mixes:
        return x, target
    partner = torch.arange(len(x), device=x.device) ^ 1
    partner[partner == len(x)] = len(x) - 1
    if not cuts:
        return x.lerp(x[partner], 1 - own), target.lerp(target[partner], 1 - own)
    # A box of 1 - own of the area, its centre anywhere; what lies outside the photo is lost.
    height, width = x.shape[2:]
    half = 0.5 * (1 - own) ** 0.5
    y0, y1 = (round(height * min(1, max(0, top + side))) for side in (-half, half))
    x0, x1 = (round(width * min(1, max(0, left + side))) for side in (-half, half))
    cut = x.clone()
    cut[:, :, y0:y1, x0:x1] = x[partner, :, y0:y1, x0:x1]
    return cut, target.lerp(target[partner], (y1 - y0) * (x1 - x0) / (height * width))
