"""The model behind the page: how it is started, and how many requests may use it at once."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from herbdemo.errors import HerbError
from herbdemo.heap import lasting
from herbdemo.photo import open_photo

if TYPE_CHECKING:
    from herbdemo.recognise import Answer, Recogniser

AT_ONCE = 2  # photos in the network at a time; more would only make all of them slower
QUEUE = {"concurrency_id": "model", "concurrency_limit": AT_ONCE}  # of every event that uses it
_gate = threading.BoundedSemaphore(AT_ONCE)


def recogniser() -> "Recogniser":
    """The active model."""
    from herbdemo.recognise import current  # importing torch takes seconds; the page does not wait

    return current()


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """A turn at the network, for work that is not one photo; it should be given back soon."""
    with _gate:
        yield


def wake() -> None:
    """Load the model in the background, so that the first photo is as quick as the second."""
    threading.Thread(target=_load, name="model", daemon=True).start()


def _load() -> None:
    try:
        with lasting():
            recogniser().warm_up()
    except HerbError:
        return  # the first photo will say the same, to someone who reads it


def recognise(
    photo: str | bytes, *, patience: float | None = None, by: "Recogniser | None" = None
) -> "Answer | None":
    """The answer for an uploaded file or the bytes of one.

    Args:
        photo: path or content.
        by: another model than the active one, such as a visitor's own.
        patience: seconds to wait for a turn; None waits as long as it takes.

    Returns:
        None when no turn came within `patience`.

    Raises:
        HerbError: the photo or the model cannot be used.
    """
    opened = open_photo(photo)
    if not _gate.acquire(timeout=-1 if patience is None else patience):
        return None
    try:
        return (by or recogniser()).recognise([opened])[0]
    finally:
        _gate.release()
