"""What training does to photos, so that the network holds on other cameras and backgrounds."""

import io
import random

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
            v2.Normalize(preprocessing.mean, preprocessing.std),
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
            frame = image.filter(ImageFilter.GaussianBlur(max(image.size) / 12))
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


def mixed(x: Tensor, y: Tensor, *, num_classes: int, share: float) -> tuple[Tensor, Tensor]:
    """Mixup (alpha 0.2) or CutMix on a `share` of the batches.

    Args:
        x: photos (N, 3, H, W). y: herb indices (N,).
    Returns:
        the batch, and targets (N, num_classes) that sum to one per photo.
    """
    if torch.rand(()) < share:
        mix = v2.RandomChoice(
            [v2.MixUp(alpha=0.2, num_classes=num_classes), v2.CutMix(num_classes=num_classes)]
        )
        return mix(x, y)
    return x, nn.functional.one_hot(y, num_classes).float()
