"""Recognises the piles of `kept_piles`, one at a time, in a thread beside the page."""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from herbdemo.errors import HerbError, shortage
from herbdemo.ui import model, texts_learn
from herbdemo.ui import texts_batch as t
from herbdemo.ui.text import Text

if TYPE_CHECKING:  # importing them imports torch
    from PIL import Image

    from herbdemo.kept_piles import Pile
    from herbdemo.recognise import Answer

log = logging.getLogger(__name__)
MOST_WAITING = 8  # piles; whoever comes later is told to come back
THUMB_SIDE = 200  # pixels, some 8 KB; fifty of them make a page


@dataclass
class Work:
    """What this server knows of a pile that it has, or had, in hand.

    Attributes:
        state: "waiting", "running", "stopped", "done", or "failed" with its `error`.
        done: photos that have rows; `first` of them had some before it began.
        began: when the first photo of this time was begun, by `time.monotonic`.
    """

    pile: "Pile"
    state: str = "waiting"
    done: int = 0
    first: int = 0
    began: float = 0.0
    error: Text | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def seconds_left(self) -> float | None:
        """How long the rest may take; None before that can be told."""
        now = self.done - self.first
        if self.state != "running" or not now:
            return None
        return (time.monotonic() - self.began) / now * (self.pile.total - self.done)


class Worker:
    """One thread, and the piles that wait for it. Safe to share."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Work] = deque()
        self._works: dict[str, Work] = {}
        self._thread: threading.Thread | None = None

    def start(self, pile: "Pile") -> None:
        """Put a pile in the queue; one that is there or being done already stays where it is.

        Raises:
            HerbError: too many are waiting.
        """
        with self._changed:
            work = self._works.get(pile.id)
            if work and work.state in ("waiting", "running"):
                return
            if len(self._waiting) >= MOST_WAITING:
                raise HerbError(*t.BUSY.format(MOST_WAITING), hint="piles-waiting")
            work = self._works[pile.id] = Work(pile)
            self._waiting.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="piles", daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self, pile_id: str) -> None:
        """Stop a pile after the batch at hand, or take it out of the queue."""
        with self._changed:
            work = self._works.get(pile_id)
            if work is None:
                return
            work.stop.set()
            if work in self._waiting:
                self._waiting.remove(work)
                work.state = "stopped"

    def work(self, pile_id: str) -> Work | None:
        """What is known of a pile; None after a restart of the server."""
        return self._works.get(pile_id)

    def ahead(self, pile_id: str) -> int:
        """How many piles come before one that waits."""
        with self._changed:
            waiting = [work.pile.id for work in self._waiting]
            running = any(work.state == "running" for work in self._works.values())
        return running + (waiting.index(pile_id) if pile_id in waiting else 0)

    def forget(self, pile_id: str) -> None:
        """Stop a pile, and wait for the batch at hand, so that its folder may go."""
        self.stop(pile_id)
        with self._changed:
            work = self._works.pop(pile_id, None)
            self._changed.wait_for(lambda: work is None or work.state != "running", timeout=60)

    def tidy(self) -> None:
        """Forget piles that are gone; those that wait for their turn are not to go meanwhile."""
        with self._changed:
            for work in self._waiting:
                work.pile.touch()
            for pile_id, work in list(self._works.items()):
                moving = work.state in ("waiting", "running")
                if not moving and not work.pile.folder.exists():
                    del self._works[pile_id]

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                work = self._waiting.popleft()
                work.state = "running"
            try:
                state = "done" if _recognise(work) else "stopped"
            except HerbError as error:
                said = t.NOT_GONE_ON.get(error.hint) or Text(error.zh, error.en)
                state, work.error = "failed", said
            except Exception as error:
                log.exception("a pile of photos was not recognised")
                short = shortage(error)
                state = "failed"
                work.error = Text(short.zh, short.en) if short else texts_learn.WENT_WRONG
            with self._changed:
                work.state = state
                self._changed.notify_all()


def _recognise(work: Work) -> bool:
    """Do a pile, or what is left of it; whether it is done now."""
    from herbdemo.piles import recognised
    from herbdemo.recognise import BATCH

    pile, journal = work.pile, work.pile.journal
    recogniser = model.recogniser()

    def see(number: int, name: str, answer: "Answer") -> None:
        _picture(answer).save(pile.thumb(number), "JPEG", quality=80)

    with pile.photos() as photos:
        names = (photo.name for photo in photos)
        sha256 = recogniser.checkpoint.sha256
        work.done = work.first = journal.resume(names, sha256=sha256, batch=BATCH)
    work.began = time.monotonic()
    with pile.photos() as photos:
        batches = recognised(
            recogniser, photos, done=work.done, see=see, keep=journal.append, stop=work.stop.is_set
        )
        while True:
            with model.turn():  # whoever gives one photo meanwhile waits for a batch at most
                rows = next(batches, None)
            if rows is None:
                return work.done >= pile.total or not work.stop.is_set()
            work.done += len(rows)


def _picture(answer: "Answer") -> "Image.Image":
    """The photo, with the heatmap of the best herb unless it shows none that is known."""
    from herbdemo.heatmap import overlay, shrunk

    if answer.verdict == "unknown":
        return shrunk(answer.photo.image, THUMB_SIDE)
    best = answer.heatmap(answer.candidates[0].herb.zh)
    return overlay(answer.photo.image, best, longest=THUMB_SIDE)


WORKER = Worker()  # of this server
