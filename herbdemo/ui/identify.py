"""The Identify tab: a photo in, five herbs and their heatmaps out."""

import logging

import gradio as gr

from herbdemo.errors import HerbError
from herbdemo.ui import live, model, texts
from herbdemo.ui.photo_input import HERE, PhotoInput, example_photos
from herbdemo.ui.result import answer_html, error_html

log = logging.getLogger(__name__)


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    examples = example_photos()
    with gr.Tabs(elem_id="ways", elem_classes="subtabs"):
        with gr.Tab(texts.TAB_PHOTO.zh, id="photo"):
            photo = PhotoInput(examples, elem_id="photo")
            result = gr.HTML(
                html_template=_views(),
                js_on_load=(HERE / "answer.js").read_text(encoding="utf-8"),
                apply_default_css=False,
                elem_id="result",
            )
        with gr.Tab(texts.TAB_LIVE.zh, id="live"):
            live.build()

    def example(event: gr.EventData) -> str:
        path = examples.get(str(event._data.get("name")))
        return look(str(path)) if path else error_html(texts.NO_EXAMPLE)

    options = {
        "outputs": result,
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "multiple",  # photo_input.js sends one at a time
    } | model.QUEUE
    for event in (photo.photo(look, photo, **options), photo.example(example, None, **options)):
        event.failure(None, js=_NO_ANSWER)  # the queue is full, or the connection is gone


def look(path: str | None) -> str:
    """The result of one uploaded photo as HTML; a sentence instead when there is none."""
    if path is None:
        return error_html(texts.NO_UPLOAD)
    try:
        return answer_html(model.recognise(path))
    except HerbError as error:
        return error_html(error)
    except Exception:  # nothing else may reach a visitor, least of all a path or a traceback
        log.exception("a photo was not recognised")
        return error_html(texts.FAILED)


def _views() -> str:
    """Where the result goes, and what the browser shows there by itself."""
    pending = (
        '<article class="answer pending" aria-busy="true"><section class="stage">'
        f'<figure class="plate"><img class="photo" {texts.PHOTO_ALT.attribute("alt")}>'
        '<span class="scan"></span></figure></section><div class="findings" role="status">'
        f'<h2>{texts.WORKING.html}</h2><p class="late">{texts.WAKING.html}</p>'
        '<div class="ghost"></div><div class="ghost"></div><div class="ghost"></div>'
        "</div></article>"
    )
    views = {
        "pending": pending,
        "plain": f"<p>{texts.PLAIN_CAPTION.html}</p>",
        "too-large": error_html(texts.TOO_LARGE),
        "no-upload": error_html(texts.NO_UPLOAD),
        "no-answer": error_html(texts.NO_ANSWER),
        "no-camera": error_html(texts.NO_CAMERA, texts.NO_CAMERA_TITLE),
        "no-clipboard": error_html(texts.NO_CLIPBOARD, texts.NO_CLIPBOARD_TITLE),
    }
    templates = "".join(
        f'<template data-view="{name}">{view}</template>' for name, view in views.items()
    )
    return f'<div class="result">${{value || ""}}</div>{templates}'


_NO_ANSWER = """() => {
    document.dispatchEvent(new CustomEvent("herb:failed", { detail: { reason: "no-answer" } }));
}"""
