"""The buttons under a result that carry it away: a link, and a picture card. See share.py."""

from herbdemo.ui import texts_share as t


def keepsake_html(*, shareable: bool) -> str:
    """The buttons, as a row of their own.

    Args:
        shareable: with the one for a link, where `share.build` listens.
    """
    share = (
        f'<button type="button" class="quiet" data-share>{_icon(_SHARE)}{t.SHARE.html}</button>'
        if shareable
        else ""
    )
    card = f'<button type="button" class="quiet" data-card>{_icon(_CARD)}{t.CARD.html}</button>'
    return f'<div class="keepsakes">{share}{card}</div>'


def _icon(path: str) -> str:
    return (
        '<svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true" fill="none" '
        'stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">'
        f'<path d="{path}"/></svg>'
    )


_SHARE = "M10 12.5V3m-3.5 3L10 2.7 13.5 6M5 9H4v8h12V9h-1"
_CARD = "M3 3.5h14v13H3zM3 12l4-3.5 4 4 2-1.5 4 3M13 7.2v.1"
