"""Where an answer is shown, the same on every tab. In the browser `answer.js` does the work."""

from typing import Any

import gradio as gr

from herbdemo.ui import texts
from herbdemo.ui.photo_input import script
from herbdemo.ui.result import error_html


class ResultView(gr.HTML):
    """Shows the HTML of `result.answer_html`, or meanwhile that it is waited for.

    Triggers `act`, as a `Piece` does. It follows the `PhotoInput` that names it in `into`.
    """

    def __init__(self, *, elem_id: str, **options: Any) -> None:
        super().__init__(
            html_template=_template(elem_id),
            js_on_load=script("answer.js"),
            apply_default_css=False,
            elem_id=elem_id,
            **options,  # Gradio makes it anew, with more, where a handler leaves it as it is
        )
        #: for an event's `failure`: the queue is full, or the connection is gone
        self.no_answer = (
            '() => document.dispatchEvent(new CustomEvent("herb:failed", '
            f'{{ detail: {{ reason: "no-answer", into: "{elem_id}" }} }}))'
        )

    def get_block_name(self) -> str:
        return "html"


def _template(into: str) -> str:
    """Where the result goes, and what the browser shows there by itself."""
    pending = (
        '<article class="answer pending" aria-busy="true"><section class="stage">'
        f'<figure class="plate"><img class="photo" {texts.PHOTO_ALT.attribute("alt")}>'
        '<span class="scan"></span></figure></section><div class="findings">'
        f'<h2>{texts.WORKING.html}</h2><p class="late">{texts.WAKING.html}</p>'
        '<div class="ghost"></div><div class="ghost"></div><div class="ghost"></div>'
        "</div></article>"
    )
    views = {"pending": pending, "plain": f"<p>{texts.PLAIN_CAPTION.html}</p>"}
    return f'<div class="result" data-into="{into}">${{value || ""}}</div>{templates_html(views)}'


def templates_html(views: dict[str, str]) -> str:
    """What the browser shows by itself: `views`, and why a photo did not come through."""
    views = {
        **views,
        "too-large": error_html(texts.TOO_LARGE),
        "no-upload": error_html(texts.NO_UPLOAD),
        "no-answer": error_html(texts.NO_ANSWER),
        "no-camera": error_html(texts.NO_CAMERA, texts.NO_CAMERA_TITLE),
        "no-clipboard": error_html(texts.NO_CLIPBOARD, texts.NO_CLIPBOARD_TITLE),
    }
    return "".join(
        f'<template data-view="{name}">{view}</template>' for name, view in views.items()
    )
