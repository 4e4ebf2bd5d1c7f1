"""The Herbs tab: every herb, found by any of its names, and a page for each."""

import logging
from collections.abc import Mapping
from typing import Any

import gradio as gr

from herbdemo.errors import HerbError
from herbdemo.herbs import Herb, by_pinyin, catalogue, find, herb_named, search
from herbdemo.ui import desk, sandbox, texts
from herbdemo.ui import texts_herbs as t
from herbdemo.ui.gate import Visitor
from herbdemo.ui.herbs_view import finder_html, list_html, page_html
from herbdemo.ui.photo_input import script
from herbdemo.ui.pieces import Change, Piece, wire

log = logging.getLogger(__name__)

STEP = 60  # herbs that are drawn at a time: some three screens
MOST = 5000  # no catalogue is larger


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    gr.HTML(
        html_template=finder_html(),
        js_on_load=script("herbs.js"),
        server_functions=[look],
        apply_default_css=False,
        elem_id="herbs-finder",
    )
    page = Piece(elem_id="herb-page", hears="herbs")
    notice = Piece(elem_id="herbs-notice")

    def goto(data: dict[str, str], who: Visitor) -> Change:
        return {page: page_of(data.get("herb", ""), who)}

    wire(page, {"goto": goto}, notice=notice, outputs=[page], open_to_all=frozenset({"goto"}))


def look(asked: dict[str, Any]) -> str:
    """The herbs that are asked for, as a list.

    Args:
        asked: `text` that was typed, `scope` "model" or "all", `toxic` and `twins` to see only
            these, and how many `steps` of the list.
    """
    try:
        from herbdemo.dossier import dossier

        asked = asked if isinstance(asked, dict) else {}
        card = active_card()
        herbs = chosen(
            card,
            str(asked.get("text") or "")[:60],
            everything=asked.get("scope") == "all",
            toxic=bool(asked.get("toxic")),
            twins=bool(asked.get("twins")),
        )
        steps = asked.get("steps")
        shown = herbs[: STEP * max(1, steps if isinstance(steps, int) else 1)]
        return list_html([dossier(herb.zh, card) for herb in shown], len(herbs))
    except Exception:  # nothing else may reach a visitor, least of all a path or a traceback
        log.exception("no herbs could be listed")
        return f'<p class="count" role="alert">{texts.FAILED.html}</p>'


def chosen(
    card: Mapping[str, Any], text: str, *, everything: bool, toxic: bool, twins: bool
) -> list[Herb]:
    """The herbs of the model, or all, that go by `text`, likeliest first; without it, by pinyin.

    Args:
        card: of the model. everything: herbs of the catalogue as well.
        toxic, twins: only those that are listed as poisonous, or have look-alikes.
    """
    own = [herb_named(zh) for zh in card.get("herbs", ())]
    if text.strip():
        herbs = search(text, limit=MOST, also=own)
    else:
        herbs = sorted({*own, *catalogue().values()}, key=by_pinyin)
    known = {herb.zh for herb in own}
    return [
        herb
        for herb in herbs
        if (everything or herb.zh in known)
        and (herb.toxic or not toxic)
        and (herb.confused_with or not twins)
    ]


def page_of(name: str, who: Visitor) -> str:
    """The page of a herb by any of its names, under the model that answers for this visitor.

    Raises:
        HerbError: there is no such herb.
    """
    from herbdemo.dossier import dossier
    from herbdemo.library import Library

    card = active_card()
    if (box := sandbox.of(who.session)) and box.recogniser:
        own = box.recogniser.checkpoint
        card = {**own.card, "herbs": own.herbs}
    library = Library()
    herb = name if name in catalogue() or name in card.get("herbs", ()) else ""
    if not herb:
        known = find(name)
        if known is None:
            raise HerbError(*t.NO_SUCH_HERB, hint="no-such-herb")
        herb = known.zh
    photos = [entry.path for entry in library.photos(herb)] if who.owner else None
    facts = dossier(herb, card, library=len(photos or ()))
    return page_html(facts, card.get("herbs", ()), photos=photos)


def active_card() -> Mapping[str, Any]:
    """The card of the model in use; {} while there is none that can be used."""
    from herbdemo.checkpoint import read_card

    registry = desk.registry()
    try:
        return read_card(registry.folder(registry.active_id()))
    except HerbError:
        return {}
