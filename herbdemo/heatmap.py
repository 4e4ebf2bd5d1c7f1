"""From the feature map to pictures: the evidence for a herb, in closed form.

For *convolutions -> A -> global average -> W, b* the gradient of herb k's score by A is the
constant W[k] / (h w), so Grad-CAM is `relu(W[k]·A)` up to a factor that its min-max scaling
removes. Layers between the average and W see no places, so the gradient is still the same for all
cells: then `Head.map_weights` gives it in place of W[k]. One matrix product gives the maps of all
herbs; nothing here needs a hook, a backward pass or torch.

The preprocessing squashes the whole photo to a square and crops nothing, so a map stretched back
to the photo's own proportions covers exactly what the network saw: the whole photo.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from herbdemo.colormaps import COLORMAPS
from herbdemo.one_thread import one_thread

FADE = 0.45  # map value from which its colour is at full opacity; below it the photo shines through


def class_maps(A: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The raw, signed evidence for each herb: float32 (K, h, w).

    Grad-CAM (Selvaraju et al. 2017) before its ReLU: A is averaged first, so the gradient of a
    score is the same at each place, and no backward pass is needed to know it.

    Args:
        A: the feature map of one photo, (C, h, w).
        weights: of the channels, one row per herb wanted, (K, C), see `Head.map_weights`.
    """
    channels, height, width = A.shape
    flat = np.asarray(A, np.float32).reshape(channels, height * width)
    return (np.asarray(weights, np.float32) @ flat).reshape(-1, height, width)


def normalised(raw: np.ndarray) -> np.ndarray:
    """Raw evidence (..., h, w) as Grad-CAM shows it: relu, then each map min-max scaled to 0..1.

    A map without positive evidence is all zero.
    """
    return _min_max(np.maximum(np.asarray(raw, np.float32), 0))


def contrast(A: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Why herb a and not herb b: float32 (h, w) in -1..1.

    Positive where the photo speaks for a, negative where it speaks for b; the scale is that of the
    strongest cell, so zero stays zero. `a` and `b` are weights of the channels, (C,).
    """
    difference = class_maps(A, (np.asarray(a, np.float32) - np.asarray(b, np.float32))[None])[0]
    return difference / max(float(np.abs(difference).max()), 1e-7)


def resized(values: np.ndarray, size: tuple[int, int], *, smooth: bool = False) -> np.ndarray:
    """A map (h, w) enlarged to `size` (width, height): float32.

    Bilinear exactly as OpenCV does it; `smooth` is bicubic, without the creases that the eye takes
    for structure of the photo, and may overshoot the map's range a little.
    """
    width, height = size
    kernel = _cubic if smooth else _linear
    rows = _interpolation(values.shape[0], height, kernel)
    columns = _interpolation(values.shape[1], width, kernel)
    with one_thread():
        return rows @ np.asarray(values, np.float32) @ columns.T


def grad_cam(raw: np.ndarray, size: tuple[int, int] = (224, 224)) -> np.ndarray:
    """Raw evidence (h, w) as pytorch-grad-cam returns it: scaled before and after enlarging.

    float32 (height, width) in 0..1 for `size` (width, height) in px.
    """
    return _min_max(resized(normalised(raw), size))


def layer(
    values: np.ndarray, size: tuple[int, int], *, opacity: float = 1, colormap: str = "ember"
) -> Image.Image:
    """The colours of a map alone, to be laid over a photo: RGBA of `size` (width, height).

    `values` (h, w) are in 0..1, or in -1..1 for the colour map "contrast". Where there is little
    evidence the layer is transparent; `opacity` is that of the strongest colours.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"`opacity` must be between 0 and 1, not {opacity}")
    if colormap == "contrast":
        values = (values + 1) / 2
    index = resized(np.asarray(values, np.float32) * 255 + 0.5, size, smooth=True)
    np.clip(index, 0, 255, out=index)
    colours = Image.fromarray(index.astype(np.uint8))
    colours.putpalette(colour_table(colormap, opacity).tobytes(), "RGBA")
    return colours.convert("RGBA")


def overlay(
    image: Image.Image,
    values: np.ndarray,
    *,
    opacity: float = 0.75,
    longest: int = 1024,
    colormap: str = "ember",
) -> Image.Image:
    """`image` with a map laid over it: RGB in the photo's own proportions.

    Args:
        image: any photo.
        values: (h, w) in 0..1, or in -1..1 for the colour map "contrast".
        opacity: of the strongest colours, 0 (the photo alone) to 1.
        longest: pixels of the longest side at most; a smaller photo is not enlarged.
        colormap: a name in `colormaps.COLORMAPS`.
    """
    photo = shrunk(image, longest)
    colours = layer(values, photo.size, opacity=opacity, colormap=colormap)
    photo.paste(colours, mask=colours)
    return photo


def shrunk(image: Image.Image, longest: int) -> Image.Image:
    """A copy of `image` in RGB, its longest side at most `longest` pixels; never enlarged."""
    image = image.convert("RGB")
    scale = longest / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)


def contours(values: np.ndarray, levels: Sequence[float], *, cells: int = 56) -> list[np.ndarray]:
    """Lines of equal evidence: for each level float32 (segments, 2, 2), ends as (x, y) in 0..1.

    Marching squares (Lorensen and Cline 1987, in the plane) on the map (h, w) enlarged to `cells` a
    side. Levels are in the map's own unit.
    Where a line could be drawn in two ways it goes around the higher values.
    """
    fine = resized(values, (cells, cells), smooth=True)
    a, b, c, d = fine[:-1, :-1], fine[:-1, 1:], fine[1:, 1:], fine[1:, :-1]  # clockwise
    y, x = np.mgrid[: cells - 1, : cells - 1].astype(np.float32)
    lines = []
    for level in levels:

        def cut(low: np.ndarray, high: np.ndarray, level: float = level) -> np.ndarray:
            step = np.where(high == low, 1, high - low)
            return np.clip((level - low) / step, 0, 1)

        top, right, bottom, left = (
            np.stack(edge, axis=-1)
            for edge in (
                (x + cut(a, b), y),
                (x + 1, y + cut(b, c)),
                (x + cut(d, c), y + 1),
                (x, y + cut(a, d)),
            )
        )
        over = (a > level) + 2 * (b > level) + 4 * (c > level) + 8 * (d > level)
        ends = (  # the corners above the level, and the edges between which they are cut off
            ((1, 14, 5), left, top),
            ((2, 13, 10), top, right),
            ((4, 11, 5), right, bottom),
            ((8, 7, 10), bottom, left),
            ((3, 12), left, right),
            ((6, 9), top, bottom),
        )
        segments = [
            np.stack([one, other], axis=2)[np.isin(over, cases)] for cases, one, other in ends
        ]
        lines.append((np.concatenate(segments) + 0.5) / cells)
    return lines


def _min_max(maps: np.ndarray) -> np.ndarray:
    maps = maps - maps.min(axis=(-2, -1), keepdims=True)
    return maps / (maps.max(axis=(-2, -1), keepdims=True) + 1e-7)  # + 1e-7 as Grad-CAM has it


def _interpolation(source: int, target: int, kernel: Callable) -> np.ndarray:
    """The matrix (target, source) that interpolates between the centres of cells.

    Cells beyond the border repeat the one at the border.
    """
    centres = (np.arange(target) + 0.5) * (source / target) - 0.5
    cells = np.arange(-2, source + 2)
    weights = kernel(np.abs(centres[:, None] - cells))
    matrix = np.zeros((target, source), np.float32)
    for cell, column in zip(cells, weights.T, strict=True):
        matrix[:, min(max(int(cell), 0), source - 1)] += column
    return matrix


def _linear(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - distance, 0)


def _cubic(distance: np.ndarray) -> np.ndarray:
    """The kernel of Catmull and Rom: goes through every cell's own value."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((2.5 - 0.5 * distance) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


@functools.lru_cache(maxsize=16)
def colour_table(colormap: str, opacity: float = 1) -> np.ndarray:
    """RGBA of 256 map values, uint8 (256, 4): the colours, transparent where evidence is weak.

    `opacity` is that of the strongest evidence, 0..1.
    """
    strength = np.linspace(0, 1, 256)
    if colormap == "contrast":
        strength = np.abs(2 * strength - 1)
    alpha = np.clip(strength / FADE, 0, 1)
    alpha = alpha * alpha * (3 - 2 * alpha) * opacity  # smooth at both ends: no edge is drawn
    return np.column_stack([COLORMAPS[colormap], np.round(alpha * 255)]).astype(np.uint8)
