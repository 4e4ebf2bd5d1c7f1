"""The library -> HTML: its herbs, and the photos of the one that is open."""

import html
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from herbdemo.herbs import herb_named
from herbdemo.ui import texts_learn as t
from herbdemo.ui.pieces import button
from herbdemo.ui.result import herb_text
from herbdemo.ui.thumbs import thumb

if TYPE_CHECKING:
    from herbdemo.library import Entry

MOST_PHOTOS = 120  # shown of one herb


def shelf_html(
    herbs: Mapping[str, int],
    covers: Mapping[str, Path],
    known: Collection[str],
    *,
    opened: str = "",
    photos: "Collection[Entry]" = (),
) -> str:
    """The whole library.

    Args:
        herbs: photos per herb.
        covers: a photo of each herb, or of some.
        known: the herbs of the model in use; the others are marked.
        opened: the herb whose `photos` are shown.
    """
    count = t.LIBRARY_COUNT.format(sum(herbs.values()), len(herbs))
    if not herbs:
        return (
            f'<section class="card shelf"><header><h3>{t.LIBRARY.html}</h3></header>'
            f'<p class="quiet-words">{t.LIBRARY_EMPTY.html}</p></section>'
        )
    items = "".join(
        _herb(herb, number, covers.get(herb), new=herb not in known, opened=herb == opened)
        for herb, number in herbs.items()
    )
    drawer = _drawer(opened, list(photos)) if opened in herbs else ""
    return (
        f'<section class="card shelf"><header><h3>{t.LIBRARY.html}</h3><p>{count.html}</p></header>'
        f'<ul class="herbs">{items}</ul>{drawer}</section>'
    )


def _herb(herb: str, number: int, cover: Path | None, *, new: bool, opened: bool) -> str:
    picture = thumb(cover) if cover else '<span class="no-thumb"></span>'
    star = f"<em>{t.REPORT_NEW.html}</em>" if new else ""
    return (
        f'<li><button type="button" data-act="{"close" if opened else "open"}" '
        f'data-herb="{html.escape(herb)}" aria-expanded="{str(opened).lower()}" '
        f'title="{html.escape(herb_named(herb).en)}">{picture}'
        f'<span class="name" lang="zh-CN">{html.escape(herb)}</span>'
        f"<small>{t.PHOTOS.format(number).html}{star}</small></button></li>"
    )


def _drawer(herb: str, photos: "list[Entry]") -> str:
    items = "".join(
        f"<li>{thumb(entry.path)}"
        f'<button type="button" data-act="remove-photo" data-herb="{html.escape(herb)}" '
        f'data-sha256="{html.escape(entry.sha256)}" data-sure="?" '
        f"{t.REMOVE_PHOTO.attribute('aria-label')}><span>×</span></button></li>"
        for entry in photos[:MOST_PHOTOS]
    )
    more = f"<p>{t.MORE_PHOTOS.format(MOST_PHOTOS).html}</p>" if len(photos) > MOST_PHOTOS else ""
    remove = button(t.REMOVE_HERB, "remove-herb", kind="quiet", sure=t.SURE_REMOVE, herb=herb)
    close = button(t.CLOSE_HERB, "close", kind="quiet", herb=herb)
    return (
        f'<div class="drawer"><header><h4>{herb_text(herb_named(herb)).html}</h4>{close}</header>'
        f'<ul class="thumbs">{items}</ul>{more}<footer>{remove}</footer></div>'
    )
