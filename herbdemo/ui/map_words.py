"""What a map shows, in words: its caption, and its name for whoever cannot see it."""

import numpy as np

from herbdemo.ui import texts
from herbdemo.ui.text import Text
from herbdemo.where import where


def evidence_words(herb: Text, values: np.ndarray) -> Text:
    """Where a map (h, w) in 0..1 has the evidence for `herb`, or that it has none."""
    place = where(values)
    if place is None:
        return texts.EMPTY_CAPTION.format(herb)
    return texts.EVIDENCE_CAPTION.format(herb, place)


def contrast_words(a: Text, b: Text, values: np.ndarray) -> Text:
    """Where a map (h, w) in -1..1 speaks for herb `a`, and where for herb `b`."""
    places = (where(values) or texts.NOWHERE, where(-values) or texts.NOWHERE)
    return texts.CONTRAST_CAPTION.format(a, places[0], b, places[1])


def evidence_alt(herb: Text, values: np.ndarray) -> Text:
    """The name of a heatmap (h, w)."""
    return texts.MAP_ALT.format(herb, evidence_words(herb, values))


def contrast_alt(a: Text, b: Text, values: np.ndarray) -> Text:
    """The name of a contrast map (h, w)."""
    return texts.CONTRAST_ALT.format(contrast_words(a, b, values))
