"""What the Batch tab asks of the piles: thin calls that end in HTML or in a file."""

import contextlib
import secrets
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from herbdemo import contact_sheet, kept_piles
from herbdemo.errors import HerbError
from herbdemo.kept_piles import Pile
from herbdemo.ui import model
from herbdemo.ui import texts_batch as t
from herbdemo.ui.batch_view import (
    PER_PAGE,
    Page,
    Progress,
    opened_html,
    progress_html,
    rows_html,
)
from herbdemo.ui.pile_worker import WORKER
from herbdemo.ui.result import answer_html, error_html

HOUR = 3600  # a file that was made for a download is kept no longer
FILES = (*t.FILES, "pdf")


@dataclass
class View:
    """What someone looks at: the rows of a verdict, a page of them, or one photo."""

    verdict: str = ""
    page: int = 0
    opened: int | None = None


def find(pile_id: str) -> Pile | None:
    """The pile of that id, if it is still there."""
    try:
        return kept_piles.open_pile(pile_id)
    except HerbError:
        return None


def begin(pile: Pile) -> None:
    """Have a new pile recognised; it does not stay where that cannot be.

    Raises:
        HerbError: too many are waiting.
    """
    try:
        WORKER.start(pile)
    except HerbError:
        kept_piles.delete(pile)
        raise


def delete(pile: Pile) -> None:
    """Delete photos, rows and all."""
    WORKER.forget(pile.id)
    kept_piles.delete(pile)


def card(pile: Pile, *, keep: bool = False) -> str:
    """The pile's card; with `keep` the browser shall remember the pile from now on."""
    kept = f'<span hidden data-keep="{pile.id}"></span>' if keep else ""
    return kept + progress_html(_progress(pile))


def rows(pile: Pile, view: View) -> str:
    """The page of rows that `view` asks for; it is put right where there is no such page."""
    counts = Counter(row["verdict"] for row in pile.journal.rows())
    shown = counts[view.verdict] if view.verdict else counts.total()
    view.page = max(0, min(view.page, -(-shown // PER_PAGE) - 1))
    found = pile.journal.page(view.page * PER_PAGE, PER_PAGE, verdict=view.verdict)
    listed = [(number, row, pile.thumb(number)) for number, row in found]
    moving = _progress(pile).state in ("waiting", "running")
    return rows_html(Page(listed, counts, view.verdict, view.page), moving=moving)


def opened(pile: Pile, number: int) -> tuple[str, str]:
    """What stands above the full result of one photo, and the name of the photo.

    Raises:
        HerbError: there is no such row.
    """
    found = pile.journal.page(number, 1)
    if not found:
        raise HerbError(*t.NONE_SUCH, hint="no-such-row")
    row = found[0][1]
    return opened_html(number, row, _count(pile)), row["file"]


def result(pile: Pile, name: str) -> str:
    """The full result of one photo, recognised once more for it; a sentence where there is none."""
    try:
        with pile.photos() as photos:
            photo = next((photo for photo in photos if photo.name == name), None)
            if photo is None:
                raise HerbError(*t.NONE_SUCH, hint="no-such-photo")
            return answer_html(model.recognise(photo.read()))
    except HerbError as error:
        return error_html(error)


def file_of(pile: Pile, kind: str, shelf: Path) -> Path:
    """The rows as a file of a kind, in a folder below `shelf` that nobody can guess.

    Raises:
        HerbError: there is no such kind, or no room.
    """
    if kind not in FILES:
        raise HerbError(*t.NONE_SUCH, hint="no-such-file")
    for old in shelf.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another download was quicker
            if time.time() - old.stat().st_mtime > HOUR:
                shutil.rmtree(old, ignore_errors=True)
    file = shelf / secrets.token_hex(16) / f"herb-lens-{time.strftime('%m%d-%H%M')}.{kind}"
    file.parent.mkdir(parents=True)
    if kind == "pdf":
        cells = (
            contact_sheet.Cell(row, pile.thumb(number))
            for number, row in enumerate(pile.journal.rows())
        )
        title = f"{t.FILE_TITLE.zh} {t.FILE_TITLE.en} · {pile.title or pile.total}"
        contact_sheet.write(cells, file, title=title, total=_count(pile))
    else:
        from herbdemo.piles_out import write  # imports torch, for which the page does not wait

        write(pile.journal.rows(), file)
    pile.touch()
    return file


def _progress(pile: Pile) -> Progress:
    work = WORKER.work(pile.id)
    if work is None:  # of an earlier life of the server
        done = _count(pile)
        state = "done" if done >= pile.total else "interrupted"
        return Progress(pile.id, pile.title, pile.total, done, state)
    left = work.seconds_left()
    return Progress(
        pile.id,
        pile.title,
        pile.total,
        work.done,
        work.state,
        stopping=work.stop.is_set(),
        ahead=WORKER.ahead(pile.id),
        per_second=(pile.total - work.done) / left if left else None,
        seconds_left=left,
        error=work.error,
    )


def _count(pile: Pile) -> int:
    return sum(1 for _ in pile.journal.rows())
