"""Colours for maps: tables of 256 RGB entries, made once from a few anchors in OKLab.

OKLab is a space in which equal steps look equal, so equal steps of evidence look equal too, and a
lightness that only rises can be read without seeing hues, or in print.
"""

import numpy as np

# Lightness, chroma and hue (degrees) of anchors at equal distances.
# Night violet, madder, cinnabar, amber, pale gold: stands out from leaves and dried roots.
EMBER = (
    (0.20, 0.09, 290),
    (0.35, 0.17, 305),
    (0.50, 0.21, 355),
    (0.65, 0.20, 392),
    (0.80, 0.16, 430),
    (0.95, 0.12, 465),
)
# Blue for one, orange for the other: the pair that all kinds of colour vision tell apart.
CONTRAST = (
    (0.48, 0.17, 258),
    (0.72, 0.10, 245),
    (0.95, 0.00, 245),
    (0.74, 0.13, 55),
    (0.54, 0.17, 40),
)
# Night blue, slate, straw, yellow: told apart without red or without green, by hue as by lightness.
DUSK = (
    (0.22, 0.09, 262),
    (0.40, 0.08, 262),
    (0.56, 0.02, 255),
    (0.74, 0.09, 100),
    (0.94, 0.15, 105),
)
GREY = ((0.0, 0.0, 0), (1.0, 0.0, 0))

_LAB_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def srgb(lab: np.ndarray) -> np.ndarray:
    """OKLab (..., 3) as sRGB in 0..1; colours that no screen can show are clipped."""
    linear = (lab @ _LAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _table(anchors: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    lightness, chroma, hue = np.array(anchors).T
    hue = np.radians(hue)
    lab = np.column_stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    at = np.linspace(0, len(anchors) - 1, 256)
    smooth = np.column_stack([np.interp(at, range(len(anchors)), part) for part in lab.T])
    return np.round(srgb(smooth) * 255).astype(np.uint8)


COLORMAPS = {
    "ember": _table(EMBER),
    "dusk": _table(DUSK),
    "grey": _table(GREY),
    "contrast": _table(CONTRAST),
}
