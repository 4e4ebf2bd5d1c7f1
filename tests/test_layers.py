"""The arrows of CONTRIBUTING.md: what imports what, and the picture of it."""

import ast

from scripts.architecture import PICTURE, drawing, imported, imports, lines, ordered, rows


def test_every_module_stands_in_the_list_once():
    named = [name for layer in rows() for name in layer]
    assert len(named) > 60
    assert sorted(named) == sorted(imports())


def test_arrows_go_downward():
    at = {name: y for y, layer in enumerate(rows()) for name in layer}
    for name, others in imports().items():
        for other in others:
            assert at[other] >= at[name], f"{name} imports {other}"


def test_all_ways_to_import_count():
    code = """
from herbdemo.photo import open_photo
from herbdemo import herbs
from .errors import HerbError
import numpy
if TYPE_CHECKING:
    from herbdemo.recognise import Answer
def late():
    from herbdemo.ui.app import serve
"""
    assert set(imported(ast.parse(code))) == {"photo", "herbs", "errors", "ui"}


def test_the_picture_shows_the_code_as_it_is():
    drawn = drawing()
    assert drawn == drawing()
    assert PICTURE.read_text(encoding="utf-8") == drawn, "run `make picture`"


def test_a_line_is_left_out_where_others_lead_there():
    layers = [["top"], ["middle", "other"], ["bottom"]]
    arrows = {"top": {"middle", "bottom"}, "middle": {"other", "bottom"}, "other": {"bottom"}}
    arrows["bottom"] = set()
    drawn = [("top", "middle"), ("middle", "bottom"), ("other", "bottom")]
    assert lines(layers, arrows) == drawn
    assert [sorted(layer) for layer in ordered(layers, drawn)] == layers
