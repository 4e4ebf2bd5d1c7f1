"""What has had its time goes, also where nobody comes who would make room."""

import os
import threading
import time

from toys import herb_picture

from herbdemo import kept, kept_piles
from herbdemo.ui import upkeep


def test_piles_go_when_their_time_is_over_and_one_failure_stops_nothing(tmp_path, monkeypatch):
    herb_picture("党参", 1).save(tmp_path / "1.png")
    old, new = (kept_piles.keep_photos([tmp_path / "1.png"], None) for _ in range(2))
    long_ago = time.time() - kept_piles.KEPT_SECONDS - 60
    os.utime(old.folder, (long_ago, long_ago))
    swept = threading.Event()

    def fails() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(upkeep.WORKER, "tidy", fails)
    monkeypatch.setattr(kept, "sweep_kept", swept.set)
    end = upkeep.keep_clean()
    assert swept.wait(60)
    end()
    assert not old.folder.exists()
    assert new.folder.exists()
