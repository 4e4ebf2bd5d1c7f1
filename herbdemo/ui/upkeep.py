"""What the server throws away when its time is over: answers, uploads, links, piles of photos."""

import logging
import threading
from collections.abc import Callable

from herbdemo import kept_piles
from herbdemo.heap import keep_small
from herbdemo.ui import model, sandbox, uploads
from herbdemo.ui.pile_worker import WORKER

log = logging.getLogger(__name__)
PAUSE = 60  # seconds between two rounds


def keep_clean() -> Callable[[], None]:
    """Sweep now and each minute, and give memory back; gives what ends it."""
    ended = threading.Event()
    for name, work in (("sweep", _sweep_until), ("heap", keep_small)):
        threading.Thread(target=work, args=(ended,), name=name, daemon=True).start()
    return ended.set


def _sweep_until(ended: threading.Event) -> None:
    from herbdemo.kept import sweep_kept  # imports torch, for which the page does not wait

    while not ended.is_set():
        for sweep in (model.sweep, sandbox.sweep, WORKER.tidy, uploads.sweep, kept_piles.sweep,
                      sweep_kept):  # fmt: skip
            try:
                sweep()
            except Exception:  # the next round may do better
                log.exception("not swept")
        ended.wait(PAUSE)
