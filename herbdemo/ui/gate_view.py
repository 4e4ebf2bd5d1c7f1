"""Who is there -> HTML: the way in for the owner, and a visitor's sandbox."""

import html
from typing import TYPE_CHECKING

from herbdemo.herbs import herb_named
from herbdemo.ui import gate, sandbox
from herbdemo.ui import texts_learn as t
from herbdemo.ui.pieces import button
from herbdemo.ui.result import herb_text
from herbdemo.ui.text import Text
from herbdemo.ui.thumbs import thumb

if TYPE_CHECKING:
    from herbdemo.ui.sandbox import Box


def gate_html(who: gate.Visitor, *, new_pass: str | None = None) -> str:
    """The way in, or that one is in; nothing where everyone is the owner.

    Args:
        new_pass: handed to the browser to keep; "" takes it away.
    """
    if new_pass is not None:
        return f'<span hidden data-pass="{html.escape(new_pass)}"></span>'
    if not gate.restricted():
        return "<span hidden></span>"  # not "": the page shows that it waits until something comes
    if who.owner:
        leave = button(t.LEAVE, "leave", kind="quiet") if gate.has_password() else ""
        return f'<p class="signed-in">{t.SIGNED_IN.html} {leave}</p>'
    return (
        f'<details class="gate visitor"><summary>{t.GATE_OWNER.html}</summary>'
        f"<p>{t.GATE_OWNER_MORE.html}</p>{_ways_in()}</details>"
    )


def _ways_in() -> str:
    if not gate.has_password():
        return "" if gate.has_oauth() else f"<p>{t.NO_WAY_IN.html}</p>"
    return (
        f'<form data-act="enter" class="ways"><input type="password" name="password" '
        f'autocomplete="current-password" maxlength="200" required '
        f"{t.PASSWORD.attribute('placeholder')} {t.PASSWORD.attribute('aria-label')}>"
        f'<button type="submit" class="primary"><span>{t.ENTER.html}</span></button></form>'
    )


def sandbox_html(box: "Box | None", *, busy: bool = False) -> str:
    """A visitor's sandbox: what it may hold, what it holds, and what to do with it."""
    more = t.GATE_MORE.format(sandbox.HERBS)
    body = f'<p class="quiet-words">{t.BOX_EMPTY.html}</p>'
    if box:
        names = [herb_text(herb_named(herb)) for herb in box.photos]
        known = Text("、".join(name.zh for name in names), ", ".join(name.en for name in names))
        pictures = "".join(
            f"<li>{thumb(path)}</li>" for paths in box.photos.values() for path in paths
        )
        body = (
            f"<p><b>{t.BOX_KNOWS.format(known).html}</b></p><ul class='thumbs'>{pictures}</ul>"
            f"<p>{t.BOX_TRY.html}{t.BOX_TRY_MORE.html}</p>"
            f'<div class="ways">{button(t.BOX_CLEAR, "empty")}</div>'
        )
    if busy:
        body = (
            f'<p class="phase">{t.LEARNING_NOW.html} …</p>'
            '<span class="meter unknown"><i></i></span>'
        )
    return (
        f'<section class="card box"><header><h3>{t.GATE_TITLE.html}</h3></header>'
        f"<p>{more.html}</p>{body}</section>"
    )
