"""What visitors try: a model of their own, in memory, for their browser tab and no longer.

It is the shared model with a few herbs added by `extend`. Neither the library nor the shared model
is touched; the photos stay where Gradio put the uploads, which it deletes.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from herbdemo.errors import HerbError
from herbdemo.ui import model
from herbdemo.ui import texts_learn as t

if TYPE_CHECKING:  # importing them imports torch
    from herbdemo.recognise import Recogniser

NAME = "sandbox"  # the id of its model
HERBS, PHOTOS = 3, 10  # of one sandbox, and of each of its herbs
BOXES = 8  # at a time
IDLE_SECONDS = 900  # after that a sandbox makes room for another one


@dataclass
class Box:
    """One visitor's herbs with their photos, and the model that knows them."""

    photos: dict[str, list[Path]] = field(default_factory=dict)
    recogniser: "Recogniser | None" = None
    base: str = ""  # sha256 of the shared model that it extends
    used: float = 0.0


_lock = threading.Lock()
_learning = threading.Lock()  # one at a time; the answers come first
_boxes: dict[str, Box] = {}


def learn(session: str, herb: str, photos: Sequence[str]) -> Box:
    """Teach the sandbox of this browser tab a herb, beside those it knows.

    Raises:
        HerbError: too many herbs, photos or sandboxes, or photos that do not open.
    """
    from herbdemo.library import herb_folder
    from herbdemo.photo import open_photo

    herb = herb_folder(herb)
    if not session:
        raise HerbError(*t.WENT_WRONG, hint="no-session")
    with _learning:
        box = of(session) or Box()
        wanted = {**box.photos, herb: [*box.photos.get(herb, []), *map(Path, photos)]}
        if len(wanted) > HERBS or len(wanted[herb]) > PHOTOS:
            raise HerbError(*t.BOX_FULL.format(HERBS, PHOTOS), hint="sandbox-full")
        for path in wanted[herb]:
            open_photo(path, longest=64)  # a sentence for each that does not
        _make_room(session)
        return _taught(session, wanted)


def of(session: str) -> Box | None:
    """The sandbox of this browser tab, if there is one."""
    with _lock:
        box = _boxes.get(session)
        if box:
            box.used = time.monotonic()
        return box


def recogniser(session: str) -> "Recogniser | None":
    """The model that answers for this browser tab instead of the shared one.

    It learns again when the shared model was changed meanwhile.

    Raises:
        HerbError: it cannot, as its photos are gone; the sandbox is empty then.
    """
    box = of(session)
    if box is None or box.base == model.recogniser().checkpoint.sha256:
        return box.recogniser if box else None
    with _learning:
        box = of(session)
        if box and box.base != model.recogniser().checkpoint.sha256:
            try:
                box = _taught(session, box.photos)
            except HerbError as error:
                drop(session)
                raise HerbError(*t.BOX_GONE, hint="sandbox-gone") from error
    return box.recogniser if box else None


def sweep() -> None:
    """Let go of models that nobody asked lately, or that extend one which is no longer in use.

    Each keeps the network that it extends in memory. The photos stay, and teach it again.
    """
    if not _boxes:  # do not load a model for this
        return
    base = model.recogniser().checkpoint.sha256
    with _lock:
        for session, box in _boxes.items():
            if box.base != base or time.monotonic() - box.used > IDLE_SECONDS:
                _boxes[session] = Box(box.photos, used=box.used)


def drop(session: str) -> None:
    """Forget the sandbox: its tab was closed, or its visitor emptied it."""
    with _lock:
        _boxes.pop(session, None)


def _taught(session: str, photos: dict[str, list[Path]]) -> Box:
    """The shared model, extended by `photos`, as the sandbox of this tab. Holds `_learning`."""
    from herbdemo.dataset import Sample
    from herbdemo.extend import extend
    from herbdemo.recognise import Recogniser

    base = model.recogniser()
    shared = base.checkpoint
    samples = [Sample(path, herb) for herb, paths in photos.items() for path in paths]
    # Only the head is its own: the convolutions, and so the engine, are those of the shared model.
    taught = Recogniser(extend(shared, samples, name=NAME), engine=base.engine)
    box = Box(photos, taught, shared.sha256, time.monotonic())
    with _lock:
        _boxes[session] = box
    return box


def _make_room(session: str) -> None:
    with _lock:
        if session in _boxes or len(_boxes) < BOXES:
            return
        idle = min(_boxes, key=lambda key: _boxes[key].used)
        if time.monotonic() - _boxes[idle].used < IDLE_SECONDS:
            raise HerbError(*t.BOX_NO_ROOM, hint="sandboxes-full")
        del _boxes[idle]
