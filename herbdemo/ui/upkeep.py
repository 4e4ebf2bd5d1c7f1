"""What the server throws away when its time is over: answers, uploads, links, piles of photos."""

import logging
import threading
import time

from herbdemo import kept_piles
from herbdemo.heap import give_back
from herbdemo.ui import model, uploads
from herbdemo.ui.pile_worker import WORKER

log = logging.getLogger(__name__)
PAUSE = 60  # seconds between two rounds


def keep_clean() -> None:
    """Sweep as long as the server runs, and each time it starts."""
    threading.Thread(target=_sweep_for_ever, name="sweep", daemon=True).start()


def _sweep_for_ever() -> None:
    from herbdemo.kept import sweep_kept  # imports torch, for which the page does not wait

    while True:
        for sweep in (model.sweep, WORKER.tidy, uploads.sweep, kept_piles.sweep, sweep_kept):
            try:
                sweep()
            except Exception:  # the next round may do better
                log.exception("not swept")
        give_back()  # or what models and trays once needed would be held for ever
        time.sleep(PAUSE)
