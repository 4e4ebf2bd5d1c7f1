"""A map in words: the caption under it, and its name for whoever cannot see it."""

import numpy as np
import pytest
from PIL import Image

from herbdemo.heatmap import overlay
from herbdemo.ui.map_words import contrast_alt, contrast_words, evidence_alt, evidence_words
from herbdemo.ui.text import Text

ROOT, PEONY = Text("党参", "codonopsis root"), Text("白芍", "white peony root")


def spots(*places: tuple[int, int], cells: int = 7) -> np.ndarray:
    values = np.zeros((cells, cells), np.float32)
    for place in places:
        values[place] = 1
    return values


def test_the_evidence_is_where_the_map_is_bright():
    words = evidence_words(ROOT, spots((6, 0), (5, 0)))
    assert words.en == "The evidence for codonopsis root, bright, lies mainly in the lower left."
    assert words.zh == "党参的依据（亮处）主要在左下。"
    alt = evidence_alt(ROOT, spots((6, 0)))
    assert alt.en.startswith("Heatmap for codonopsis root. The evidence")


def test_an_empty_map_and_a_full_one():
    assert "Nothing in the photo speaks for" in evidence_words(ROOT, np.zeros((7, 7))).en
    assert evidence_words(ROOT, np.ones((7, 7))).en.endswith("lies mainly all over the photo.")
    assert evidence_words(ROOT, np.ones((7, 7))).zh.endswith("主要在全图各处。")


def test_a_contrast_has_two_sides():
    words = contrast_words(ROOT, PEONY, spots((0, 0)) - spots((6, 6)))
    assert "for codonopsis root lies in the upper left" in words.en
    assert words.en.endswith("for white peony root in the lower right.")
    one_sided = contrast_words(ROOT, PEONY, spots((0, 0)))
    assert one_sided.en.endswith("for white peony root nowhere.")
    assert one_sided.zh.endswith("支持白芍的地方：无。")
    assert contrast_alt(ROOT, PEONY, spots((0, 0))).zh.startswith("对比图。为什么是党参")


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (600, 90)])
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((6, 0), "in the lower left"), ((0, 3), "at the top"), ((3, 6), "on the right"),
        ((0, 6), "in the upper right"), ((3, 3), "in the middle"),
    ],
)  # fmt: skip
def test_the_words_agree_with_the_picture_in_any_format(size, place, words):
    """A map is stretched over the photo, so the ninth of the photo that glows has that name."""
    assert evidence_words(ROOT, spots(place)).en.endswith(f"{words}.")
    photo = Image.new("RGB", size, "black")
    glow = np.asarray(overlay(photo, spots(place), opacity=1).convert("L"), float)
    row, column = np.unravel_index(glow.argmax(), glow.shape)
    ninth = (3 * row // size[1], 3 * column // size[0])
    names = (("upper left", "top", "upper right"), ("left", "middle", "right"),
             ("lower left", "bottom", "lower right"))  # fmt: skip
    assert words.endswith(names[ninth[0]][ninth[1]])
