"""Suggestions under every field for the name of a herb; the fields carry `data-herb-name`."""

import html
import logging

import gradio as gr

from herbdemo.herbs import find, search
from herbdemo.ui import texts_learn
from herbdemo.ui.photo_input import script

log = logging.getLogger(__name__)
MOST = 8


def build() -> None:
    """Add the list of suggestions to the current Blocks; one serves all fields."""
    gr.HTML(
        html_template='<ul class="suggestions" role="listbox" hidden></ul>',
        js_on_load=script("names.js"),
        server_functions=[suggest],
        apply_default_css=False,
        elem_id="herb-names",
    )


def suggest(typed: str) -> str:
    """The herbs that may be meant, as list items; what is typed itself when none is."""
    try:
        typed = typed.strip()[:40] if isinstance(typed, str) else ""
        items = [_item(herb.zh, herb.zh, f"{herb.pinyin} {herb.en}") for herb in _found(typed)]
        if typed and not items:
            new = texts_learn.NEW_HERB.format(typed)
            items = [f'<li role="option" data-name="{html.escape(typed)}">{new.html}</li>']
        return "".join(items)
    except Exception:
        log.exception("no suggestions")
        return ""


def _found(typed: str) -> list:
    exact = find(typed)
    rest = [herb for herb in search(typed, limit=MOST) if herb != exact]
    return ([exact] if exact else []) + rest


def _item(name: str, zh: str, more: str) -> str:
    return (
        f'<li role="option" data-name="{html.escape(name)}"><b lang="zh-CN">{html.escape(zh)}</b>'
        f'<span lang="en">{html.escape(more)}</span></li>'
    )


def name_field(*, name: str = "herb") -> str:
    """A field for the name of a herb, with suggestions."""
    how = texts_learn.HERB_NAME_HOW.attribute("placeholder")
    return (
        f'<input type="text" name="{name}" data-herb-name maxlength="60" autocomplete="off" '
        f'role="combobox" aria-expanded="false" spellcheck="false" {how} '
        f"{texts_learn.HERB_NAME.attribute('aria-label')}>"
    )
