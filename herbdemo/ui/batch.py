"""The Batch tab: many photos in, a table of answers out, while someone watches or comes back."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from herbdemo import kept_piles
from herbdemo.errors import HerbError
from herbdemo.kept_piles import Limits, Pile
from herbdemo.ui import desk, pile_desk
from herbdemo.ui import texts_batch as t
from herbdemo.ui.batch_view import giver_html, terms_html
from herbdemo.ui.gate import Visitor
from herbdemo.ui.giver import MOST, Giver, joined, left_out
from herbdemo.ui.pieces import Change, Handler, Piece, notice_html, saving_html, wire
from herbdemo.ui.pile_desk import View
from herbdemo.ui.pile_worker import WORKER
from herbdemo.ui.result_view import ResultView

log = logging.getLogger(__name__)
HOUR = 3600
VISITORS = Limits(500, 1 << 30)  # of one pile; the owner's has no bounds but a zip's
MOST_EACH = 10  # piles kept for one address, so that nobody takes all the room; a page has one
MOST_VIEWS = 1000  # piles of which is remembered what was looked at
# beside the answers, not before them
QUEUE: dict[str, Any] = {"concurrency_id": "batch", "concurrency_limit": 2}


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    Batch()


class Batch:
    """The parts of the tab, and what their acts do.

    The browser remembers the id of its pile and sends it with every act, as `pile`; whoever sends
    an id may see that pile.
    """

    def __init__(self) -> None:
        self._views: dict[str, View] = {}
        self._hosts: dict[str, str] = {}  # of visitors' piles: the address that each came from
        self.notice = Piece(elem_id="batch-notice")
        self.giver = Giver(giver_html(), elem_id="batch-giver")
        self.terms = Piece(elem_id="batch-terms", shows="show", keeps="pile")
        self.pile = Piece(elem_id="batch-pile", keeps="pile", polls=poll)
        self.rows = Piece(elem_id="batch-rows", keeps="pile")
        self.result = ResultView(elem_id="batch-result")
        self.file = gr.DownloadButton(elem_id="batch-file", visible="hidden")
        drawn = [self.terms, self.pile, self.rows, self.result]
        given = {"photos": self.photos, "zip": self.zip}
        shown = {"show": self.show, "folder": self.folder}
        steered = {
            "changed": self.changed,
            "stop": self.stop,
            "resume": self.resume,
            "delete": self.delete,
        }
        looked: dict[str, Handler] = {
            "filter": self.filter,
            "page": self.page,
            "open": self.open,
            "back": self.back,
            "download": self.download,
        }
        to_all = frozenset((*given, *shown, *steered, *looked)) - {"folder"}
        common: dict[str, Any] = {"notice": self.notice, "open_to_all": to_all}
        wire(self.giver, given, inputs=[self.giver], outputs=drawn, **common, **QUEUE)
        wire(self.terms, shown, outputs=drawn, **common)
        wire(self.pile, steered, outputs=drawn, **common)
        wire(self.rows, looked, outputs=[self.rows, self.result, self.file], **common, **QUEUE)

    # Giving photos

    def show(self, data: dict[str, str], who: Visitor) -> Change:
        """Draw the tab for who is there, with the pile that this browser remembers."""
        hours = kept_piles.KEPT_SECONDS // HOUR
        terms = t.LIMITS.format(VISITORS.photos, VISITORS.bytes >> 20, hours)
        terms = t.KEPT.format(f"{MOST:,}", hours) if who.owner else terms
        folders = _folders() if who.owner else None
        return {self.terms: terms_html(terms, folders), **self._drawn(data)}

    def photos(self, files: list[str], data: dict[str, str], who: Visitor) -> Change:
        """Recognise uploaded photos."""
        pile = kept_piles.keep_photos([Path(file) for file in files], self._limits(who))
        begun = self._begun(pile, who)
        said = left_out(data)
        return {**begun, self.notice: notice_html(said)} if said else begun

    def zip(self, parts: list[str], data: dict[str, str], who: Visitor) -> Change:
        """Recognise the photos in a zip, in the parts that the browser sent."""
        limits = self._limits(who)
        with joined(parts) as file:
            return self._begun(kept_piles.keep_zip(file, data.get("name", "")[:120], limits), who)

    def folder(self, data: dict[str, str], who: Visitor) -> Change:
        """Recognise the photos in a folder of the server."""
        return self._begun(kept_piles.keep_folder(data.get("folder", "")), who)

    # The pile

    def changed(self, data: dict[str, str], who: Visitor) -> Change:
        """There are more rows, or the pile has ended."""
        pile = pile_desk.find(data.get("pile", ""))
        if pile is None or self._view(pile).opened is not None:
            return {}
        return {self.rows: pile_desk.rows(pile, self._view(pile))}

    def stop(self, data: dict[str, str], who: Visitor) -> Change:
        """Stop after the photos at hand."""
        WORKER.stop(data.get("pile", ""))
        return self._drawn(data)

    def resume(self, data: dict[str, str], who: Visitor) -> Change:
        """Go on where it was."""
        WORKER.start(_pile(data))
        return self._drawn(data)

    def delete(self, data: dict[str, str], who: Visitor) -> Change:
        """Delete photos, rows and all."""
        if pile := pile_desk.find(data.get("pile", "")):
            pile_desk.delete(pile)
            self._views.pop(pile.id, None)
        return {**self._drawn({}), self.notice: notice_html(t.DELETED)}

    # The rows

    def filter(self, data: dict[str, str], who: Visitor) -> Change:
        """Show only the rows of one verdict."""
        pile, verdict = _pile(data), data.get("verdict", "")
        self._views[pile.id] = View(verdict if verdict in t.VERDICTS else "")
        return {self.rows: pile_desk.rows(pile, self._view(pile))}

    def page(self, data: dict[str, str], who: Visitor) -> Change:
        """Show another page."""
        pile = _pile(data)
        self._view(pile).page = _number(data)
        return {self.rows: pile_desk.rows(pile, self._view(pile))}

    def open(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Show the full result of one photo."""
        pile, number = _pile(data), _number(data)
        html, name = pile_desk.opened(pile, number)
        self._view(pile).opened = number
        yield {self.rows: html}
        yield {self.result: pile_desk.result(pile, name)}

    def back(self, data: dict[str, str], who: Visitor) -> Change:
        """Close the result of one photo."""
        pile = _pile(data)
        self._view(pile).opened = None
        return {self.rows: pile_desk.rows(pile, self._view(pile)), self.result: ""}

    def download(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """The rows as a file, made where Gradio serves files from, and saved by the browser."""
        pile = _pile(data)
        yield {self.notice: notice_html(t.MAKING)}
        shelf = Path(self.file.GRADIO_CACHE) / "piles"
        file = pile_desk.file_of(pile, data.get("file", ""), shelf)
        self.file.temp_files.add(str(file))  # which Gradio deletes like uploads
        yield {self.file: str(file), self.notice: saving_html("#batch-file")}

    # What is drawn

    def _limits(self, who: Visitor) -> Limits | None:
        """How much a pile may hold.

        Raises:
            HerbError: many are kept for this visitor's address already.
        """
        if who.owner:
            return None
        self._hosts = {pile: host for pile, host in [*self._hosts.items()] if pile_desk.find(pile)}
        if sum(host == who.host for host in self._hosts.values()) >= MOST_EACH:
            raise HerbError(*t.MANY_PILES.format(MOST_EACH), hint="piles-many")
        return VISITORS

    def _begun(self, pile: Pile, who: Visitor) -> Change:
        pile_desk.begin(pile)
        if not who.owner:
            self._hosts[pile.id] = who.host
        return self._drawn({"pile": pile.id})

    def _drawn(self, data: dict[str, str]) -> Change:
        """The pile that was sent along and its rows; if there is none, the browser forgets it."""
        pile = pile_desk.find(data.get("pile", ""))
        if pile is None:
            return {self.pile: '<span hidden data-keep=""></span>', self.rows: "", self.result: ""}
        view = self._view(pile)
        view.opened = None
        pile.touch()
        return {
            self.pile: pile_desk.card(pile, keep=True),
            self.rows: pile_desk.rows(pile, view),
            self.result: "",
        }

    def _view(self, pile: Pile) -> View:
        while len(self._views) > MOST_VIEWS:
            del self._views[next(iter(self._views))]
        return self._views.setdefault(pile.id, View())


def poll(data: dict[str, Any], request: gr.Request) -> str:
    """The card of the pile that this browser remembers; what it asks again and again."""
    try:
        pile = pile_desk.find(str(data.get("pile", ""))) if isinstance(data, dict) else None
        return pile_desk.card(pile) if pile else ""
    except Exception:
        log.exception("a pile could not be shown")
        return ""


def _pile(data: dict[str, str]) -> Pile:
    return kept_piles.open_pile(data.get("pile", ""))


def _number(data: dict[str, str]) -> int:
    number = data.get("number", "")
    return int(number) if number.isdecimal() and len(number) < 9 else 0


def _folders() -> list[str] | None:
    """The folders below HERBDEMO_DATA to choose from; None where it is not set."""
    offered = os.environ.get("HERBDEMO_DATA")
    return desk.folder_names(Path(offered)) if offered else None
