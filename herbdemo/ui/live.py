"""The Live tab: the camera's picture with names and heatmap, a few times a second.

The browser draws the picture itself and asks again only when the last answer is there, so a slow
server means fewer answers and never a backlog. Nothing is kept between two frames.
"""

import base64
import binascii
import logging

import gradio as gr

from herbdemo.errors import HerbError
from herbdemo.ui import model, texts
from herbdemo.ui.art import ICONS
from herbdemo.ui.candidates import herb_text
from herbdemo.ui.map_words import evidence_words
from herbdemo.ui.photo_input import HERE
from herbdemo.ui.pictures import cells
from herbdemo.ui.result import names_html, said

log = logging.getLogger(__name__)

LONGEST_FRAME = 2_000_000  # characters; a frame of 640 pixels has some 100,000
PATIENCE = 4  # seconds that a frame waits for its turn; later it would show the past


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    gr.HTML(
        html_template=_template(),
        js_on_load=(HERE / "live.js").read_text(encoding="utf-8"),
        server_functions=[look],
        apply_default_css=False,
        elem_id="live",
    )


def look(frame: str) -> dict[str, str]:
    """The names and the heatmap of the best one for a frame, a JPEG as a data: URL.

    Gives `html`, `map` (its cells, or empty without evidence) and what may be `said` aloud; or only
    `html` with a sentence.
    """
    try:
        answer = model.recognise(_decoded(frame), patience=PATIENCE)
        if answer is None:
            return {"html": f"<p>{texts.LIVE_BUSY.html}</p>"}
        first = answer.candidates[0].herb
        values = answer.heatmap(first.zh)
        shown = values.any() and answer.verdict != "unknown"
        words = evidence_words(herb_text(first), values).html if shown else ""
        return {
            "html": f"{names_html(answer.candidates, answer.verdict)}<p>{words}</p>",
            "map": cells(values) if shown else "",
            "said": said(answer.candidates[:1], answer.verdict).html,
        }
    except HerbError as error:
        return {"html": f"<p>{texts.Text(error.zh, error.en).html}</p>"}
    except Exception:
        log.exception("a frame was not recognised")
        return {"html": f"<p>{texts.FAILED.html}</p>"}


def _decoded(frame: str) -> bytes:
    """The bytes of a frame; b"" for anything else, which `open_photo` refuses in words."""
    if not isinstance(frame, str) or len(frame) > LONGEST_FRAME:
        return b""
    try:
        return base64.b64decode(frame.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return b""


def _template() -> str:
    return f"""
<section class="live">
  <div class="plate idle">
    <video playsinline muted {texts.TAB_LIVE.attribute("aria-label")}></video>
    <herb-map class="map" table="ember" aria-hidden="true" hidden></herb-map>
    <div class="invitation">
      {ICONS["camera"]}
      <h2>{texts.LIVE_TITLE.html}</h2>
      <p>{texts.LIVE_MORE.html}</p>
      <button type="button" class="primary" data-live="start">{texts.LIVE_START.html}</button>
    </div>
  </div>
  <div class="live-side">
    <div class="ways">
      <button type="button" data-live="stop">{texts.LIVE_STOP.html}</button>
      <label class="opacity"><span>{texts.LIVE_MAP.html}</span>
        <input type="range" min="0" max="100" value="60"></label>
    </div>
    <div class="names-live" role="region" {texts.LIVE_RESULT.attribute("aria-label")}></div>
    <p class="advice">{texts.NOT_ADVICE.html}</p>
  </div>
  <template data-view="no-camera"><h2>{texts.NO_CAMERA_TITLE.html}</h2>
    <p>{texts.NO_CAMERA.html}</p></template>
  <template data-view="no-answer"><p>{texts.NO_ANSWER.html}</p></template>
</section>"""
