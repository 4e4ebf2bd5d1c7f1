"""The Identify tab: a photo in, five herbs and their heatmaps out."""

import hashlib
import logging
from pathlib import Path

import gradio as gr

from herbdemo.errors import HerbError
from herbdemo.herbs import herb_named
from herbdemo.ui import gate, live, model, sandbox, texts, texts_learn
from herbdemo.ui.gate import Visitor
from herbdemo.ui.photo_input import PhotoInput, example_photos
from herbdemo.ui.pieces import Change, Piece, notice_html, wire
from herbdemo.ui.result import answer_html, error_html, herb_text
from herbdemo.ui.result_view import ResultView

log = logging.getLogger(__name__)


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    with gr.Tabs(elem_id="ways", elem_classes="subtabs"):
        for id_, name, layout in WAYS:
            with gr.Tab(name.zh, id=id_):
                layout()


def one_photo() -> None:
    """Lay out the way that most people come by: one photo of one herb."""
    examples = example_photos()
    photo = PhotoInput(examples, into="result", elem_id="photo")
    result = ResultView(elem_id="result")
    notice = Piece(elem_id="identify-notice")

    def uploaded(path: str | None, event: gr.EventData, request: gr.Request) -> str:
        given = event._data.get("pass") if isinstance(event._data, dict) else None
        return look(path, gate.visitor(request, given))

    def example(event: gr.EventData, request: gr.Request) -> str:
        path = examples.get(str(event._data.get("name")))
        if path is None:
            return error_html(texts.NO_EXAMPLE)
        # Nobody's own photo, so there is nothing to put into the library.
        return look(str(path), Visitor(False, "", str(request.session_hash)))

    def correct(path: str | None, data: dict[str, str], who: Visitor) -> Change:
        said = set_aside(path, data.get("photo", ""), data.get("herb", ""))
        return {notice: notice_html(said)}

    options = {
        "outputs": result,
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "multiple",  # photo_input.js sends one at a time
    } | model.QUEUE
    for event in (photo.photo(uploaded, photo, **options), photo.example(example, None, **options)):
        event.failure(None, js=result.no_answer)  # the queue is full, or the connection is gone
    wire(result, {"correct": correct}, inputs=[photo], outputs=[], notice=notice)


def look(path: str | None, who: Visitor | None = None) -> str:
    """The result of one uploaded photo as HTML; a sentence instead when there is none.

    A visitor's own sandbox answers where there is one; the owner may correct the answer.
    """
    if path is None:
        return error_html(texts.NO_UPLOAD)
    try:
        box = sandbox.recogniser(who.session) if who else None
        answer = model.recognise(path, by=box) if box else model.recognise(path)
        return answer_html(answer, correctable=who is not None and who.owner, closer=True)
    except HerbError as error:
        return error_html(error)
    except Exception:  # nothing else may reach a visitor, least of all a path or a traceback
        log.exception("a photo was not recognised")
        return error_html(texts.FAILED)


def set_aside(path: str | None, photo: str, herb: str) -> texts.Text:
    """Keep a photo that was answered wrongly in the library, under what it really shows.

    Args:
        path: the upload that the browser holds now.
        photo: sha256 of the one that was answered.

    Raises:
        HerbError: they are not the same any more, or the name cannot be a herb's.
    """
    from herbdemo.library import Library

    content = Path(path).read_bytes() if path and Path(path).is_file() else b""
    if hashlib.sha256(content).hexdigest() != photo:
        raise HerbError(*texts_learn.PHOTO_GONE, hint="photo-gone")
    entry = Library().add(content, herb, move=True)
    return texts_learn.WAS_SET_ASIDE.format(herb_text(herb_named(entry.herb)))


WAYS = (("photo", texts.TAB_PHOTO, one_photo), ("live", texts.TAB_LIVE, live.build))
