"""A pile of photos -> HTML: what may be given, how far it is, its rows. Pure functions."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herbdemo.ui import texts_batch as t
from herbdemo.ui.candidates import percent
from herbdemo.ui.giver import MOST, photos_card, status, zip_card
from herbdemo.ui.pictures import file_url
from herbdemo.ui.pieces import button
from herbdemo.ui.text import Text

PER_PAGE = 50
MINUTE = 60


@dataclass(frozen=True)
class Progress:
    """How far a pile is; `state` as of `pile_worker.Work`, or "interrupted"."""

    pile: str
    title: str
    total: int
    done: int
    state: str
    stopping: bool = False
    ahead: int = 0
    per_second: float | None = None
    seconds_left: float | None = None
    error: Text | None = None


@dataclass(frozen=True)
class Page:
    """Some of a pile's rows, each with its number and its small picture.

    Attributes:
        counts: rows of each verdict. verdict: the one that is shown, "" for all.
        number: of the page, from 0.
    """

    rows: Sequence[tuple[int, Mapping[str, Any], Path]]
    counts: Mapping[str, int]
    verdict: str
    number: int


def giver_html() -> str:
    """The markup of the tab's giver: photos, and beside them a zip."""
    return f"""
<section class="piece givers" data-most="{MOST}">
  {photos_card(t.GIVE_PHOTOS, t.GIVE_PHOTOS_MORE)}
  {zip_card(t.GIVE_ZIP, t.GIVE_ZIP_MORE)}
  {status()}
</section>"""


def terms_html(terms: Text, folders: Sequence[str] | None) -> str:
    """What becomes of the photos, and for the owner the folders on the server, if it offers any."""
    card = ""
    if folders is not None:
        items = "".join(
            f'<li><button type="button" data-act="folder" data-folder="{html.escape(name)}">'
            f"<span>{html.escape(name)}</span></button></li>"
            for name in folders
        )
        body = f'<ul class="chips">{items}</ul>' if items else f"<p>{t.NO_FOLDERS.html}</p>"
        card = (
            f'<section class="card folders"><h3>{t.GIVE_FOLDER.html}</h3>'
            f"<p>{t.GIVE_FOLDER_MORE.html}</p>{body}</section>"
        )
    return f'<p class="batch-terms">{terms.html}</p>{card}'


def progress_html(at: Progress) -> str:
    """The card of a pile: how far it is, and what can be done about it.

    Its state changes with the photos too, so that the rows below are drawn anew: with every batch
    until the first page is full, then with every page.
    """
    moving = at.state in ("waiting", "running")
    drawn = at.done // PER_PAGE * PER_PAGE if moving and at.done > PER_PAGE else at.done
    state = f"{at.pile[:8]}:{at.state}:{drawn}"
    title = html.escape(at.title) or f"{_photos(at.total).html}"
    share = 100 * at.done / max(at.total, 1)
    acts = []
    if moving:
        acts.append(button(t.STOP, "stop"))
    elif at.done < at.total:
        acts.append(button(t.RESUME, "resume", kind="primary"))
    acts.append(button(t.DELETE, "delete", kind="danger", sure=t.SURE_DELETE))
    facts = [t.OF.format(at.done, at.total)]
    if at.per_second:
        facts.append(t.PER_SECOND.format(f"{at.per_second:.1f}"))
    if at.seconds_left is not None:
        facts.append(_left(at.seconds_left))
    items = "".join(f"<li>{fact.html}</li>" for fact in facts)
    return (
        f'<section class="card pile {at.state}" data-state="{state}">'
        f"<header><h3>{title}</h3><p>{_said(at).html}</p></header>{_tell(at)}"
        f'<span class="meter" role="progressbar" aria-valuemin="0" aria-valuemax="{at.total}" '
        f'aria-valuenow="{at.done}" {t.RUNNING.attribute("aria-label")}>'
        f'<i style="width:{share:.1f}%"></i></span>'
        f'<ul class="facts">{items}</ul><div class="ways">{"".join(acts)}</div></section>'
    )


def _tell(at: Progress) -> str:
    """What is read out, and no oftener than at each quarter."""
    quarter = 4 * at.done // max(at.total, 1)
    said, count = _said(at), t.OF.format(at.done, at.total)
    key = f"{at.pile[:8]}:{at.state}:{quarter}:{at.stopping}"
    return f'<p hidden data-tell="{key}">{said.html} {count.html}</p>'


def rows_html(page: Page, *, moving: bool) -> str:
    """The rows of one page, with what chooses them and the files to download."""
    total = sum(page.counts.values())
    if not total:
        return f'<p class="quiet-words">{t.SOON.html}</p>' if moving else ""
    shown = page.counts.get(page.verdict, 0) if page.verdict else total
    pages = max(1, -(-shown // PER_PAGE))
    body = "".join(_row(number, row, thumb) for number, row, thumb in page.rows)
    listed = f'<ol class="rows">{body}</ol>' if body else f"<p>{t.NONE_SUCH.html}</p>"
    return (
        f'<section class="card batch-rows"><header><h3>{t.ROWS.html}</h3>{_files()}</header>'
        f"{_filter(page, total)}{listed}{_pager(page, pages)}</section>"
    )


def opened_html(number: int, row: Mapping[str, Any], total: int) -> str:
    """What stands above the full result of one photo: its name, and the ways on and back."""
    before = button(t.BEFORE, "open", number=number - 1) if number > 0 else ""
    after = button(t.AFTER, "open", number=number + 1) if number + 1 < total else ""
    return (
        f'<nav class="batch-opened" data-look><div class="ways">{button(t.BACK, "back")}'
        f"{before}{after}</div><p>{html.escape(row['file'])}</p></nav>"
    )


def _photos(count: int) -> Text:
    return t.ONE_PHOTO if count == 1 else t.SOME_PHOTOS.format(count)


def _said(at: Progress) -> Text:
    if at.error:
        return at.error
    if at.stopping and at.state == "running":
        return t.STOPPING
    return {
        "waiting": t.WAITING.format(at.ahead),
        "running": t.RUNNING,
        "done": t.DONE,
        "stopped": t.STOPPED,
        "interrupted": t.INTERRUPTED,
    }[at.state]


def _left(seconds: float) -> Text:
    if seconds < 2 * MINUTE:
        return t.SECONDS_LEFT.format(max(1, round(seconds)))
    return t.MINUTES_LEFT.format(round(seconds / MINUTE))


def _files() -> str:
    kinds = "".join(
        button(Text(name, name), "download", kind="quiet", file=kind)
        for kind, name in t.FILES.items()
    )
    sheet = button(t.SHEET, "download", kind="quiet", file="pdf")
    return f'<div class="files"><span>{t.SAVE.html}</span>{kinds}{sheet}</div>'


def _filter(page: Page, total: int) -> str:
    choices = [("", t.ALL, total)]
    choices += [(key, name, page.counts.get(key, 0)) for key, name in t.VERDICTS.items()]
    buttons = "".join(
        f'<button type="button" data-act="filter" data-verdict="{key}" '
        f'aria-pressed="{str(key == page.verdict).lower()}" {"" if count else "disabled"}>'
        f"<span>{name.html} <b>{count}</b></span></button>"
        for key, name, count in choices
    )
    return f'<div class="verdicts" role="group" {t.FILTER.attribute("aria-label")}>{buttons}</div>'


def _row(number: int, row: Mapping[str, Any], thumb: Path) -> str:
    verdict = row["verdict"]
    seal = f'<span class="stamp">{t.VERDICTS[verdict].html}</span>'
    source = file_url(thumb, "jpeg")
    picture = (
        f'<img src="{source}" alt="" width="76" height="76" decoding="async">'
        if source
        else '<span class="no-thumb" aria-hidden="true"></span>'
    )
    file = f'<span class="file">{html.escape(row["file"])}</span>'
    if not row["candidates"]:
        said = Text(row["error"]["zh"], row["error"]["en"])
        return (
            f'<li class="failed"><div class="line">{picture}{seal}'
            f'<span class="what">{file}<span class="said">{said.html}</span></span></div></li>'
        )
    best, *others = row["candidates"]
    name = Text(best["zh"], best["en"] or best["pinyin"] or best["zh"])
    rest = "".join(f"<li>{_herb(c)} <b>{_odds(c)}</b></li>" for c in others)
    return (
        f'<li class="{verdict}"><button type="button" class="line" data-act="open" '
        f'data-number="{number}" {t.OPEN.format(row["file"]).attribute("title")}>'
        f"{picture}{seal}"
        f'<span class="what"><span class="best"><span lang="zh-CN" class="han">'
        f"{html.escape(best['zh'])}</span>"
        f'<span class="pinyin" lang="zh-Latn">{html.escape(best["pinyin"])}</span>'
        f'<span class="en">{html.escape(name.en)}</span></span>{file}</span>'
        f'<span class="odds">{_odds(best)}</span></button>'
        f'<ul class="rest" {t.OTHER_HERBS.attribute("aria-label")}>{rest}</ul></li>'
    )


def _odds(candidate: Mapping[str, Any]) -> str:
    return html.escape(percent(candidate["probability"]))


def _herb(candidate: Mapping[str, Any]) -> str:
    english = candidate["en"] or candidate["pinyin"] or candidate["zh"]
    return Text(candidate["zh"], english).html


def _pager(page: Page, pages: int) -> str:
    if pages == 1:
        return ""
    newer = button(t.NEWER, "page", number=page.number - 1) if page.number else ""
    older = button(t.OLDER, "page", number=page.number + 1) if page.number + 1 < pages else ""
    return (
        f'<nav class="ways pager">{newer}<span>{t.PAGE_OF.format(page.number + 1, pages).html}'
        f"</span>{older}</nav>"
    )
