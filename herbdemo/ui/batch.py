"""The Batch tab: many photos in, a table of answers out, while someone watches or comes back."""

import logging
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from herbdemo.errors import HerbError
from herbdemo.ui import desk, model
from herbdemo.ui import texts_batch as t
from herbdemo.ui.batch_view import (
    PER_PAGE,
    Page,
    Progress,
    giver_html,
    opened_html,
    progress_html,
    rows_html,
    terms_html,
)
from herbdemo.ui.gate import Visitor
from herbdemo.ui.giver import Giver, joined
from herbdemo.ui.pieces import Change, Piece, notice_html, saving_html, wire
from herbdemo.ui.pile_worker import WORKER
from herbdemo.ui.result import answer_html, error_html
from herbdemo.ui.result_view import ResultView
from herbdemo.ui.text import Text

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.kept_piles import Pile

log = logging.getLogger(__name__)
HOUR = 3600  # a file that was made for a download is kept no longer
VISITORS_PHOTOS, VISITORS_MB = 500, 1024  # of one pile; the owner's has no bounds but a zip's
QUEUE = {"concurrency_id": "batch", "concurrency_limit": 2}  # beside the answers, not before them


@dataclass
class View:
    """What someone looks at: the rows of a verdict, a page of them, or one photo."""

    verdict: str = ""
    page: int = 0
    opened: int | None = None


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    Batch()


class Batch:
    """The parts of the tab, and what their acts do."""

    def __init__(self) -> None:
        self._views: dict[str, View] = {}
        self.notice = Piece(elem_id="batch-notice")
        self.giver = Giver(giver_html(), elem_id="batch-giver")
        self.terms = Piece(elem_id="batch-terms", shows="show", keeps="pile")
        self.pile = Piece(elem_id="batch-pile", keeps="pile", polls=poll)
        self.rows = Piece(elem_id="batch-rows", keeps="pile")
        self.result = ResultView(elem_id="batch-result")
        self.file = gr.DownloadButton(elem_id="batch-file", visible="hidden")
        outputs = [self.terms, self.pile, self.rows, self.result]
        wire(
            self.giver,
            {"photos": self.photos, "zip": self.zip},
            inputs=[self.giver],
            notice=self.notice,
            outputs=outputs,
            open_to_all=frozenset({"photos", "zip"}),
            **QUEUE,
        )
        wire(
            self.terms,
            {"show": self.show, "folder": self.folder},
            notice=self.notice,
            outputs=outputs,
            open_to_all=frozenset({"show"}),
        )
        acts = {
            "changed": self.changed,
            "stop": self.stop,
            "resume": self.resume,
            "delete": self.delete,
        }
        wire(
            self.pile,
            acts,
            notice=self.notice,
            outputs=outputs,
            open_to_all=frozenset(acts),
        )
        acts = {
            "filter": self.filter,
            "page": self.page,
            "open": self.open,
            "back": self.back,
            "download": self.download,
        }
        wire(
            self.rows,
            acts,
            notice=self.notice,
            outputs=[self.rows, self.result, self.file],
            open_to_all=frozenset(acts),
            **QUEUE,
        )

    # Giving photos

    def show(self, data: dict[str, str], who: Visitor) -> Change:
        """Draw the tab for who is there, with the pile that this browser remembers."""
        terms = terms_html(_terms(who), _folders() if who.owner else None)
        return {self.terms: terms, **self._drawn(data.get("pile", ""))}

    def photos(self, files: list[str], data: dict[str, str], who: Visitor) -> Change:
        """Recognise uploaded photos."""
        from herbdemo.kept_piles import keep_photos

        return self._begun(keep_photos([Path(file) for file in files], _limits(who)))

    def zip(self, parts: list[str], data: dict[str, str], who: Visitor) -> Change:
        """Recognise the photos in a zip, in the parts that the browser sent."""
        from herbdemo.kept_piles import keep_zip

        with joined(parts) as file:
            return self._begun(keep_zip(file, data.get("name", "")[:120], _limits(who)))

    def folder(self, data: dict[str, str], who: Visitor) -> Change:
        """Recognise the photos in a folder of the server."""
        from herbdemo.kept_piles import keep_folder

        return self._begun(keep_folder(data.get("folder", "")))

    def _begun(self, pile: "Pile") -> Change:
        from herbdemo.kept_piles import delete

        try:
            WORKER.start(pile)
        except HerbError:
            delete(pile)
            raise
        return {self.pile: _card(pile, keep=True), self.rows: self._rows(pile), self.result: ""}

    # The pile

    def changed(self, data: dict[str, str], who: Visitor) -> Change:
        """There are more rows, or the pile has ended."""
        pile = _pile(data)
        if pile is None or self._view(pile).opened is not None:
            return {}
        return {self.rows: self._rows(pile)}

    def stop(self, data: dict[str, str], who: Visitor) -> Change:
        """Stop after the photos at hand."""
        WORKER.stop(data.get("pile", ""))
        return self._drawn(data.get("pile", ""))

    def resume(self, data: dict[str, str], who: Visitor) -> Change:
        """Go on where it was."""
        from herbdemo.kept_piles import open_pile

        WORKER.start(open_pile(data.get("pile", "")))
        return self._drawn(data.get("pile", ""))

    def delete(self, data: dict[str, str], who: Visitor) -> Change:
        """Delete photos, rows and all."""
        from herbdemo.kept_piles import delete

        if (pile := _pile(data)) is not None:
            WORKER.forget(pile.id)
            delete(pile)
            self._views.pop(pile.id, None)
        return {**self._drawn(""), self.notice: notice_html(t.DELETED)}

    # The rows

    def filter(self, data: dict[str, str], who: Visitor) -> Change:
        """Show only the rows of one verdict."""
        pile = _opened(data)
        verdict = data.get("verdict", "")
        self._views[pile.id] = View(verdict if verdict in t.VERDICTS else "")
        return {self.rows: self._rows(pile)}

    def page(self, data: dict[str, str], who: Visitor) -> Change:
        """Show another page."""
        pile = _opened(data)
        self._view(pile).page = _number(data)
        return {self.rows: self._rows(pile)}

    def open(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Show the full result of one photo, which is recognised once more for it."""
        pile, number = _opened(data), _number(data)
        found = pile.journal.page(number, 1)
        if not found:
            raise HerbError(*t.NONE_SUCH, hint="no-such-row")
        self._view(pile).opened = number
        row = found[0][1]
        yield {self.rows: opened_html(number, row, _count(pile))}
        yield {self.result: _result(pile, number)}

    def back(self, data: dict[str, str], who: Visitor) -> Change:
        """Close the result of one photo."""
        pile = _opened(data)
        self._view(pile).opened = None
        return {self.rows: self._rows(pile), self.result: ""}

    def download(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """The rows as a file, made where Gradio serves files from, and saved by the browser."""
        pile, kind = _opened(data), data.get("file", "")
        if kind not in (*t.FILES, "pdf"):
            raise HerbError(*t.NONE_SUCH, hint="no-such-file")
        yield {self.notice: notice_html(t.MAKING)}
        shelf = Path(self.file.GRADIO_CACHE) / "piles"
        for old in shelf.glob("*"):
            if time.time() - old.stat().st_mtime > HOUR:
                shutil.rmtree(old, ignore_errors=True)
        # Nobody can guess its address.
        file = shelf / secrets.token_hex(16) / f"herb-lens-{time.strftime('%m%d-%H%M')}.{kind}"
        file.parent.mkdir(parents=True)
        _write(pile, file)
        pile.touch()
        yield {self.file: str(file), self.notice: saving_html("#batch-file")}

    # What is drawn

    def _drawn(self, pile_id: str) -> Change:
        pile = _pile({"pile": pile_id})
        if pile is None:
            return {self.pile: '<span hidden data-keep=""></span>', self.rows: "", self.result: ""}
        self._view(pile).opened = None
        pile.touch()
        return {self.pile: _card(pile, keep=True), self.rows: self._rows(pile), self.result: ""}

    def _view(self, pile: "Pile") -> View:
        while len(self._views) > 1000:  # what people looked at long ago
            del self._views[next(iter(self._views))]
        return self._views.setdefault(pile.id, View())

    def _rows(self, pile: "Pile") -> str:
        view = self._view(pile)
        counts = Counter(row["verdict"] for row in pile.journal.rows())
        shown = counts[view.verdict] if view.verdict else counts.total()
        view.page = max(0, min(view.page, -(-shown // PER_PAGE) - 1))
        found = pile.journal.page(view.page * PER_PAGE, PER_PAGE, verdict=view.verdict)
        rows = [(number, row, pile.thumb(number)) for number, row in found]
        moving = _progress(pile).state in ("waiting", "running")
        return rows_html(Page(rows, counts, view.verdict, view.page), moving=moving)


def poll(data: dict[str, Any], request: gr.Request) -> str:
    """The card of the pile that this browser remembers; what it asks again and again."""
    try:
        pile = _pile({"pile": str(data.get("pile", ""))} if isinstance(data, dict) else {})
        return _card(pile) if pile else ""
    except Exception:
        log.exception("a pile could not be shown")
        return ""


def _pile(data: dict[str, str]) -> "Pile | None":
    """The pile that was sent along, if it is still there."""
    from herbdemo.kept_piles import open_pile

    try:
        return open_pile(data.get("pile", ""))
    except HerbError:
        return None


def _opened(data: dict[str, str]) -> "Pile":
    from herbdemo.kept_piles import open_pile

    return open_pile(data.get("pile", ""))


def _number(data: dict[str, str]) -> int:
    number = data.get("number", "")
    return int(number) if number.isdecimal() and len(number) < 9 else 0


def _card(pile: "Pile", *, keep: bool = False) -> str:
    """The pile's card; with `keep` the browser shall remember the pile from now on."""
    kept = f'<span hidden data-keep="{pile.id}"></span>' if keep else ""
    return kept + progress_html(_progress(pile))


def _progress(pile: "Pile") -> Progress:
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


def _count(pile: "Pile") -> int:
    return sum(1 for _ in pile.journal.rows())


def _result(pile: "Pile", number: int) -> str:
    """The full result of one photo of the pile; a sentence where there is none."""
    from itertools import islice

    try:
        with pile.photos() as photos:
            photo = next(islice(photos, number, None))
            return answer_html(model.recognise(photo.read()))
    except HerbError as error:
        return error_html(error)


def _write(pile: "Pile", file: Path) -> None:
    if file.suffix == ".pdf":
        from herbdemo import contact_sheet

        cells = (
            contact_sheet.Cell(row, pile.thumb(number))
            for number, row in enumerate(pile.journal.rows())
        )
        title = f"{t.FILE_TITLE.zh} {t.FILE_TITLE.en} · {pile.title or pile.total}"
        contact_sheet.write(cells, file, title=title, total=_count(pile))
        return
    from herbdemo.piles_out import write

    write(pile.journal.rows(), file)


def _limits(who: Visitor) -> Any:
    from herbdemo.kept_piles import Limits

    return None if who.owner else Limits(VISITORS_PHOTOS, VISITORS_MB << 20)


def _terms(who: Visitor) -> Text:
    from herbdemo.kept_piles import KEPT_SECONDS

    hours = KEPT_SECONDS // HOUR
    return (
        t.KEPT.format(hours) if who.owner else t.LIMITS.format(VISITORS_PHOTOS, VISITORS_MB, hours)
    )


def _folders() -> list[str] | None:
    """The folders below HERBDEMO_DATA to choose from; None where it is not set."""
    offered = os.environ.get("HERBDEMO_DATA")
    return desk.folder_names(Path(offered)) if offered else None
