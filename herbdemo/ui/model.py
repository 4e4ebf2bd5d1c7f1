"""The model behind the page: how it is started, and how many requests may use it at once."""

import contextlib
import dataclasses
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from herbdemo import zero
from herbdemo.errors import HerbError
from herbdemo.heap import lasting
from herbdemo.photo import PhotoBytes, open_photo, read_photo
from herbdemo.ui.lately import Lately

if TYPE_CHECKING:
    from herbdemo.recognise import Answer, Recogniser

AT_ONCE = 4  # photos at a time; those that wait together go through the network together
# of every event that uses it
QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": AT_ONCE}
_gate = threading.BoundedSemaphore(AT_ONCE)
KEPT = 128 << 20  # bytes of answers, some 4 MB each with their photos; in memory only
_answers = Lately(
    KEPT,
    weigh=lambda answer: answer.features.nbytes + 4 * _pixels(answer),  # Pillow keeps four of three
    over=lambda key: key[1]() is None,  # its model is gone, and would stay for its answers
)


def recogniser() -> "Recogniser":
    """The active model."""
    from herbdemo.recognise import current  # importing torch takes seconds; the page does not wait

    return current()


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """A turn at the network, for work that is not one photo; it should be given back soon."""
    with _gate:
        yield


def place() -> None:
    """On ZeroGPU: have the network ready for a GPU, before the page is served; see `zero`."""
    if not zero.on():
        return
    network = None
    with contextlib.suppress(HerbError):  # the first photo will say it
        network = recogniser().checkpoint.network
    zero.place(network)


def wake() -> None:
    """Load the model in the background, so that the first photo is as quick as the second."""
    threading.Thread(target=_load, name="model", daemon=True).start()


def _load() -> None:
    try:
        with lasting():
            recogniser().warm_up()
    except HerbError:
        return  # the first photo will say the same, to someone who reads it


@overload
def recognise(photo: str | Path | bytes, *, by: "Recogniser | None" = None) -> "Answer": ...


@overload
def recognise(
    photo: str | Path | bytes, *, patience: float, by: "Recogniser | None" = None
) -> "Answer | None": ...


def recognise(
    photo: str | Path | bytes, *, patience: float | None = None, by: "Recogniser | None" = None
) -> "Answer | None":
    """The answer for an uploaded file or the bytes of one.

    Answers of late are kept in memory: the same photo is answered by the same model at once, and
    its one stage, "kept", says so.

    Args:
        photo: path or content.
        by: another model than the active one, such as a visitor's own.
        patience: seconds to wait for a turn, for a frame of a film, which never comes again; None
            waits as long as it takes.

    Returns:
        None when no turn came within `patience`.

    Raises:
        HerbError: the photo or the model cannot be used.
    """
    given, used = read_photo(photo), by or recogniser()
    if patience is not None:
        return _answered(given, used, patience)
    fresh: list[Answer] = []

    def answer() -> "Answer":
        answered = _answered(given, used)
        assert answered is not None  # it waited as long as it took
        fresh.append(answered)
        return answered

    # Not by the model's sha256: a visitor's own has none, and thresholds may differ.
    started = time.perf_counter()
    kept = _answers.get((given.sha256, weakref.ref(used)), answer)
    if fresh:
        return kept
    ms = given.ms + (time.perf_counter() - started) * 1000
    # Why its engine was chosen may no longer hold, and nothing has run.
    return dataclasses.replace(kept, stages={"kept": ms}, why=None)


def sweep() -> None:
    """Forget answers that are more than an hour old, with their photos; called now and then."""
    _answers.sweep(3600)


def _answered(
    given: PhotoBytes, used: "Recogniser", patience: float | None = None
) -> "Answer | None":
    opened = open_photo(given)
    if not _gate.acquire(timeout=patience):
        return None
    try:
        return used.recognise([opened])[0]
    finally:
        _gate.release()


def _pixels(answer: "Answer") -> int:
    width, height = answer.photo.image.size
    return width * height
