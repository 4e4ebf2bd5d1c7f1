"""The Learn tab: give photos, read the report, keep a library, learn, see the proof, decide."""

import functools
import logging
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.components import Component

from herbdemo.errors import HerbError
from herbdemo.herbs import herb_named
from herbdemo.ui import desk, gate, sandbox
from herbdemo.ui import texts_learn as t
from herbdemo.ui.gate import Visitor
from herbdemo.ui.gate_view import gate_html, sandbox_html
from herbdemo.ui.giver import Giver, joined, left_out, photos_and_zip
from herbdemo.ui.pieces import Change, Piece, notice_html, wire
from herbdemo.ui.progress import job_html
from herbdemo.ui.result import herb_text

log = logging.getLogger(__name__)
# beside the answers, not before them
QUEUE: dict[str, Any] = {"concurrency_id": "learn", "concurrency_limit": 2}
DAY = 24 * 3600  # how long a job that has ended is still shown
OPEN_TO_ALL = frozenset({"show", "enter", "leave", "changed", "photos", "empty"})


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    Learn()


class Learn:
    """The parts of the tab, and what their acts do."""

    def __init__(self) -> None:
        self.notice = Piece(elem_id="learn-notice")
        if gate.has_oauth():
            gr.LoginButton(t.HUB_LOGIN.zh, t.HUB_LOGOUT.zh, elem_id="hub-login")
        self.gate = Piece(elem_id="gate", shows="show")
        self.giver = Giver(photos_and_zip(), elem_id="giver")
        self.folders = Piece(elem_id="folders")
        self.report = Piece(elem_id="report")
        self.shelf = Piece(elem_id="shelf")
        self.start = Piece(elem_id="start")
        self.job = Piece(elem_id="job", polls=poll)
        self.proof = Piece(elem_id="proof")
        owned: list[Component] = [self.folders, self.report, self.shelf, self.start, self.proof]
        self.owned = owned
        common: dict[str, Any] = {"notice": self.notice, "open_to_all": OPEN_TO_ALL}
        wire(
            self.gate,
            {"show": self.show, "enter": self.enter, "leave": self.leave, "empty": self.empty},
            outputs=[self.gate, *owned],
            **common,
        )
        wire(
            self.giver,
            {"photos": self.photos, "zip": self.zip},
            inputs=[self.giver],
            outputs=[self.gate, self.report],
            **common,
            **QUEUE,
        )
        wire(self.folders, {"folder": self.folder}, outputs=[self.report], **common, **QUEUE)
        wire(
            self.report,
            {"accept": self.accept, "discard": self.discard},
            outputs=[self.report, self.shelf, self.start],
            **common,
        )
        wire(
            self.shelf,
            {
                "open": self.open_herb,
                "close": self.close_herb,
                "remove-photo": self.remove,
                "remove-herb": self.remove,
            },
            outputs=[self.shelf, self.start],
            **common,
        )
        wire(self.start, {"start": self.begin}, outputs=[self.start], **common)
        wire(
            self.job,
            {"stop": self.stop, "go-on": self.go_on, "changed": self.changed},
            outputs=[self.start, self.proof],
            **common,
        )
        wire(
            self.proof,
            {"use": self.use, "keep": self.keep, "throw": self.throw},
            outputs=[self.start, self.shelf, self.proof],
            **common,
        )

    # Who is there

    def show(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Draw the tab for who is there."""
        if not who.owner:
            box = sandbox_html(sandbox.of(who.session))
            yield {self.gate: gate_html(who) + box} | dict.fromkeys(self.owned, "")
            return
        yield {
            self.gate: gate_html(who),
            self.folders: desk.folders(),
            self.shelf: desk.shelf(),
            self.start: desk.start(),
        }
        for html in desk.waiting():
            yield {self.report: html}

    def enter(self, data: dict[str, str], who: Visitor) -> Change:
        """Let in who knows the password; the browser keeps the pass and asks to be shown again."""
        return {self.gate: gate_html(who, new_pass=gate.enter(data.get("password"), who.host))}

    def leave(self, data: dict[str, str], who: Visitor) -> Change:
        """Take the pass away from this browser, and let it end."""
        gate.leave(who)
        return {self.gate: gate_html(who, new_pass="")} | dict.fromkeys(self.owned, "")

    # Giving photos

    def photos(self, files: list[str], data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Photos of one herb: for the library from the owner, for the sandbox from a visitor.

        Raises:
            HerbError: there are none, or they cannot be taken.
        """
        if not files:
            raise HerbError(*t.NO_PHOTOS_GIVEN, hint="no-photos")
        herb = data.get("herb", "")
        if said := left_out(data):
            yield {self.notice: notice_html(said)}
        if who.owner:
            from herbdemo.intake import take_files

            yield from self._check(functools.partial(take_files, files, herb))
            return
        from herbdemo.library import herb_folder

        yield {self.gate: gate_html(who) + sandbox_html(sandbox.of(who.session), busy=True)}
        try:
            sandbox.learn(who.session, herb, files)
        finally:
            yield {self.gate: gate_html(who) + sandbox_html(sandbox.of(who.session))}
        name = herb_text(herb_named(herb_folder(herb)))
        yield {self.notice: notice_html(t.BOX_LEARNT.format(name))}

    def empty(self, data: dict[str, str], who: Visitor) -> Change:
        """Empty the visitor's sandbox."""
        sandbox.drop(who.session)
        return {
            self.gate: gate_html(who) + sandbox_html(None),
            self.notice: notice_html(t.BOX_CLEARED),
        }

    def zip(self, parts: list[str], data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """A zip of class folders, in the parts that the browser sent.

        Raises:
            HerbError: there is none, or it is refused.
        """
        if not parts:
            raise HerbError(*t.NO_PHOTOS_GIVEN, hint="no-photos")
        from herbdemo.intake import take_zip

        with joined(parts) as file:
            yield from self._check(functools.partial(take_zip, file))

    def folder(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """A folder of the server."""
        from herbdemo.intake import take_folder

        yield from self._check(functools.partial(take_folder, data.get("folder", "")))

    def _check(self, take: desk.Take) -> Iterator[Change]:
        try:
            for html in desk.taken(take):
                yield {self.report: html}
        except Exception:
            for html in desk.waiting():  # an earlier batch may be there
                yield {self.report: html}
            raise

    # The report

    def accept(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Move the batch into the library, and show another one that waits."""
        said = desk.accepted(data.get("batch", ""))
        yield {
            self.report: "",
            self.shelf: desk.shelf(),
            self.start: desk.start(),
            self.notice: notice_html(said),
        }
        for html in desk.waiting():
            yield {self.report: html}

    def discard(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Delete the batch, and show another one that waits."""
        desk.discard(data.get("batch", ""))
        yield {self.report: "", self.notice: notice_html(t.DISCARDED)}
        for html in desk.waiting():
            yield {self.report: html}

    # The library

    def open_herb(self, data: dict[str, str], who: Visitor) -> Change:
        """Show the photos of a herb."""
        return {self.shelf: desk.shelf(data.get("herb", ""))}

    def close_herb(self, data: dict[str, str], who: Visitor) -> Change:
        """Show herbs only."""
        return {self.shelf: desk.shelf()}

    def remove(self, data: dict[str, str], who: Visitor) -> Change:
        """Remove a photo, or all of a herb where none is named."""
        from herbdemo.library import Library

        herb, sha256 = data.get("herb", ""), data.get("sha256")
        Library().remove(herb, sha256)
        said = t.REMOVED_PHOTO if sha256 else t.REMOVED_HERB.format(herb_text(herb_named(herb)))
        return {
            self.shelf: desk.shelf(herb),
            self.start: desk.start(),
            self.notice: notice_html(said),
        }

    # The job

    def begin(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Start to learn from the library, which is checked first."""
        yield {self.notice: notice_html(t.CHECKING_LIBRARY)}
        desk.begin(data, who.name)
        yield {self.start: desk.start(), self.notice: notice_html(t.STARTED)}

    def stop(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Stop the job; the best so far stays as a candidate."""
        yield {self.notice: notice_html(t.STOPPING)}
        desk.jobs().stop()
        yield {self.notice: ""}

    def go_on(self, data: dict[str, str], who: Visitor) -> Change:
        """Start a training again where it ended."""
        desk.go_on(who.name)
        return {self.start: desk.start(), self.notice: notice_html(t.STARTED)}

    def changed(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """The job has begun or ended: what may be done now has changed."""
        if not who.owner:
            return
        yield {self.start: desk.start()}
        for html in desk.proof_of_job(look=data.get("was", "").endswith(":running")):
            yield {self.proof: html}

    # The proof

    def use(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Switch to the new model."""
        model = data.get("model", "")
        desk.activate(model)
        yield {self.notice: notice_html(t.USED.format(model)), self.shelf: desk.shelf()}
        yield {self.start: desk.start()}
        for html in desk.proof_of(model):
            yield {self.proof: html}

    def keep(self, data: dict[str, str], who: Visitor) -> Change:
        """Leave the new model where it is."""
        said = t.KEPT.format(data.get("model", ""))
        return {self.proof: "", self.notice: notice_html(said)}

    def throw(self, data: dict[str, str], who: Visitor) -> Change:
        """Delete the new model."""
        model = data.get("model", "")
        desk.delete(model)
        said = t.THROWN.format(model)
        return {self.proof: "", self.start: desk.start(), self.notice: notice_html(said)}


def poll(data: dict[str, Any], request: gr.Request) -> str:
    """The job's card as it is now; what the browser asks again and again."""
    try:
        given = data.get("pass") if isinstance(data, dict) else None
        if not gate.visitor(request, given).owner:
            return ""
        jobs = desk.jobs()
        job = jobs.latest()
        if job is None or (job.state != "running" and time.time() - job.started > DAY):
            return ""
        memory, resumable = jobs.memory(), desk.resumable(job)
        return job_html(job, jobs.events(), memory=memory, resumable=resumable)
    except Exception:
        log.exception("the job could not be shown")
        return ""
