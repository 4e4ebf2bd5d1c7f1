"""Links that reopen a result, and the picture card; what the browser does is in share.js, card.js.

Gradio's own DeepLinkButton is not used: it keeps the raw upload with all that its metadata says,
and the state of every component, for ever, without asking or telling.
"""

import hashlib
import html
import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from herbdemo.errors import HerbError
from herbdemo.ui import model, sandbox, texts
from herbdemo.ui import texts_share as t
from herbdemo.ui.gate import Visitor
from herbdemo.ui.photo_input import PhotoInput, script
from herbdemo.ui.pieces import Change, Piece, notice_html, wire
from herbdemo.ui.result import answer_html, error_html
from herbdemo.ui.result_view import ResultView

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.kept import Kept

# Links in an hour, from one address and from all together; 500 are kept, so nobody can push out
# those of others in less than two hours, and only by asking from many addresses.
SOME, ALL, HOUR = 20, 200, 3600.0
DAYS, SIDE = 7, 1024  # as in `kept`, which imports torch; a test holds them together

_lock = threading.Lock()
_lately: list[tuple[float, str]] = []  # when, and from which address


class Sharing(gr.HTML):
    """The dialog that makes a link. Its value, JSON, tells the browser what became of an act."""

    def __init__(self, *, into: str, **options: Any) -> None:
        super().__init__(
            html_template=_template(into),
            js_on_load=script("card.js", "share.js"),
            apply_default_css=False,
            **options,
        )

    def get_block_name(self) -> str:
        return "html"


def build(
    photo: PhotoInput, result: ResultView, notice: Piece, examples: Mapping[str, Path]
) -> None:
    """Let the answers in `result` be shared, and open those that a link names."""
    sharing = Sharing(into=str(result.elem_id), elem_id="sharing")

    def share(path: str | None, data: dict[str, str], who: Visitor) -> Change:
        given = photo_of(data.get("photo", ""), [path, *examples.values()])
        return {sharing: share_it(given, data.get("model", ""), data.get("herb", ""), who)}

    def reopen(_: str | None, data: dict[str, str], who: Visitor) -> Change:
        return {result: kept_html(data.get("name", ""))}

    def forget(_: str | None, data: dict[str, str], who: Visitor) -> Change:
        from herbdemo.kept import forget

        forget(data.get("name", ""), data.get("secret", ""))
        gone = json.dumps({"gone": data.get("name", "")})
        return {sharing: gone, notice: notice_html(t.DELETED)}

    acts = {"share": share, "reopen": reopen, "forget": forget}
    wire(
        sharing,
        acts,
        inputs=[photo],
        outputs=[sharing, result],
        notice=notice,
        open_to_all=frozenset(acts),
    )


def share_it(path: Path, model_sha256: str, herb: str, who: Visitor) -> str:
    """Keep the answer for this photo; JSON with the name and the secret of its link.

    Raises:
        HerbError: another model would answer now, or too much was shared lately.
    """
    from herbdemo.kept import DAYS, keep

    _bound(who.host)
    answer = model.recognise(str(path), by=sandbox.recogniser(who.session))
    if answer.sha256 != model_sha256:
        raise HerbError(*t.NO_LONGER, hint="model-changed")
    name, secret = keep(answer, herb)
    return json.dumps({"name": name, "secret": secret, "ends": _day(time.time() + DAYS * 86400)})


def photo_of(sha256: str, paths: list[str | Path | None]) -> Path:
    """The one of these files that was answered.

    Raises:
        HerbError: none is.
    """
    for path in (Path(path) for path in paths if path):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content).hexdigest() == sha256:
            return path
    raise HerbError(*t.NO_LONGER, hint="photo-gone")


def kept_html(name: str) -> str:
    """A shared result as it was seen, under a line that says so; or why there is none."""
    from herbdemo.kept import open_kept

    try:
        kept = open_kept(name)
    except HerbError as error:
        return error_html(error, t.GONE_TITLE)
    return _banner(name, kept) + answer_html(kept.answer, shareable=True)


def _banner(name: str, kept: "Kept") -> str:
    seen = t.SEEN.format(_day(kept.made), _day(kept.ends))
    changed = ""
    if kept.answer.sha256 != model.recogniser().checkpoint.sha256:
        changed = f" <span>{t.OTHER_MODEL.html}</span>"
    return (
        f'<aside class="shared" data-name="{name}" data-herb="{html.escape(kept.herb)}" '
        f'data-day="{_day(kept.made)}" data-ends="{_day(kept.ends)}">'
        f"<p><b>{t.SHARED.html}</b> <span>{seen.html}</span>{changed}</p></aside>"
    )


def _bound(host: str) -> None:
    """Refuse who shares without end.

    Raises:
        HerbError: too much was shared in the last hour.
    """
    now = time.monotonic()
    with _lock:
        _lately[:] = [(when, whose) for when, whose in _lately if now - when < HOUR]
        if len(_lately) >= ALL or sum(whose == host for _, whose in _lately) >= SOME:
            raise HerbError(*t.TOO_MANY, hint="too-many-links")
        _lately.append((now, host))


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _template(into: str) -> str:
    privacy = t.PRIVACY.format(DAYS, SIDE)
    return f"""
<dialog class="sharing" data-into="{into}" {t.TITLE.attribute("aria-label")}>
  <form method="dialog" class="ask">
    <h2>{t.TITLE.html}</h2>
    <p>{privacy.html} {t.PRIVACY_MORE.html}</p>
    <div class="ways"><button value="cancel">{t.CANCEL.html}</button>
      <button type="button" class="primary" data-share-make><span class="idle">{t.MAKE.html}</span>
        <span class="busy">{t.MAKING.html}</span></button></div>
  </form>
  <form method="dialog" class="link">
    <h2>{t.READY.html}</h2>
    <p><input type="text" readonly {t.LINK.attribute("aria-label")}></p>
    <p class="until">{t.ENDS.html}<time></time></p>
    <div class="ways"><button type="button" class="primary" data-share-copy>
        <span class="idle">{t.COPY.html}</span><span class="done">{t.COPIED.html}</span></button>
      <button type="button" data-share-send hidden>{t.SEND.html}</button>
      <button type="button" data-share-delete><span class="idle">{t.DELETE.html}</span>
        <span class="done">{t.SURE.html}</span></button>
      <button value="close">{texts.CLOSE.html}</button></div>
  </form>
</dialog>
<span class="card-advice" hidden>{texts.NOT_ADVICE.html}</span>
<span class="card-unknown" hidden>{t.CARD_UNKNOWN.html}</span>"""
