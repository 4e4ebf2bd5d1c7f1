"""The model behind the page: how it is started, and how many requests may use it at once."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from herbdemo.errors import HerbError
from herbdemo.photo import open_photo

if TYPE_CHECKING:
    from herbdemo.recognise import Answer, Recogniser

T = TypeVar("T")
AT_ONCE = 2  # photos in the network at a time; more would only make all of them slower
QUEUE = {"concurrency_id": "model", "concurrency_limit": AT_ONCE}  # of every event that uses it
_gate = threading.BoundedSemaphore(AT_ONCE)


def recogniser() -> "Recogniser":
    """The active model."""
    from herbdemo.recognise import current  # importing torch takes seconds; the page does not wait

    return current()


def wake() -> None:
    """Load the model in the background, so that the first photo need not wait for it."""
    threading.Thread(target=_load, name="model", daemon=True).start()


def _load() -> None:
    try:
        recogniser()
    except HerbError:
        return  # the first photo will say the same, to someone who reads it


def use(
    job: Callable[["Recogniser"], T],
    *,
    by: "Recogniser | None" = None,
    patience: float | None = None,
) -> T | None:
    """What `job` makes of the model, when its turn has come.

    Args:
        by: another model than the active one, such as a visitor's own.
        patience: seconds to wait for a turn; None waits as long as it takes.

    Returns:
        None when no turn came within `patience`.

    Raises:
        HerbError: the model cannot be used.
    """
    if not _gate.acquire(timeout=-1 if patience is None else patience):
        return None
    try:
        return job(by or recogniser())
    finally:
        _gate.release()


def recognise(
    photo: str | bytes, *, patience: float | None = None, by: "Recogniser | None" = None
) -> "Answer | None":
    """The answer for an uploaded file or the bytes of one; the options are those of `use`.

    Args:
        photo: path or content.

    Raises:
        HerbError: the photo or the model cannot be used.
    """
    opened = open_photo(photo)
    return use(lambda it: it.recognise([opened])[0], patience=patience, by=by)
