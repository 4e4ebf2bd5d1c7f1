"""What all commands share: their options, what they print, and how they are told to stop."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from herbdemo.events import Event

if TYPE_CHECKING:  # importing it imports torch, for which `--help` need not wait
    from herbdemo.registry import Registry

out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="Id of a model, or OWNER/NAME[@REVISION] on the Hub; the active one."
    ),
]


def open_registry() -> "Registry":
    """The models on this computer."""
    from herbdemo.registry import Registry

    return Registry()


def say(event: Event, json_: bool = True) -> None:
    """One event on standard error, where programs listen, by the first of several processes."""
    from herbdemo import distributed

    if json_ and distributed.first():
        sys.stderr.write(event.line() + "\n")
        sys.stderr.flush()


def print_json(value: dict[str, Any]) -> None:
    """An object as one line on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


def print_failure(row: dict[str, Any]) -> None:
    """Why a photo was not recognised, on standard error."""
    said = row["error"]
    err.print(f"{row['file']}: {said['zh']} {said['en']}", markup=False, highlight=False)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on standard error, where someone looks at it: what to tell it of how much is done."""
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=err, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or Ctrl-C has come; a second one does what it always does."""
    came: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}

    def note(number: int, frame: Any) -> None:
        came.append(number)
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)

    for number in numbers:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        for number in numbers:
            signal.signal(number, before[number])
