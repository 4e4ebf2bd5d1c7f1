"""The thread that recognises piles: one after another, stopped, gone on with, failing politely."""

import os
import time

import pytest
from toys import HERBS, herb_picture, refusal

from herbdemo import kept_piles
from herbdemo.kept_piles import keep_photos
from herbdemo.recognise import BATCH, Recogniser
from herbdemo.ui import model, pile_worker
from herbdemo.ui.pile_worker import Worker

PHOTOS = 2 * BATCH + 2


@pytest.fixture
def pile(tmp_path):
    for number in range(PHOTOS - 1):
        herb_picture(HERBS[number % 7], number).save(tmp_path / f"{number:02d}.png")
    (tmp_path / "99.png").write_bytes(b"no photo")
    return keep_photos(sorted(tmp_path.glob("*.png")), None)


@pytest.fixture
def held(toy_model, monkeypatch):
    """The toy model is in use; `held.acquire()` lets the network wait until `held.release()`."""
    recogniser = Recogniser(toy_model)
    monkeypatch.setattr(model, "recogniser", lambda: recogniser)
    gate = model.threading.BoundedSemaphore(1)
    monkeypatch.setattr(model, "_gate", gate)
    return gate


def until(worker: Worker, pile, *states: str) -> None:
    end = time.monotonic() + 120
    while worker.work(pile.id).state not in states:
        assert time.monotonic() < end, worker.work(pile.id)
        time.sleep(0.02)


def test_a_pile_ends_with_a_row_for_each_photo_and_pictures(held, pile):
    worker = Worker()
    worker.start(pile)
    until(worker, pile, "done")
    rows = list(pile.journal.rows())
    assert len(rows) == PHOTOS
    assert rows[-1]["verdict"] == "failed"
    assert [pile.thumb(number).exists() for number in range(PHOTOS)] == [True] * (PHOTOS - 1) + [
        False
    ]
    assert worker.work(pile.id).done == PHOTOS


def test_stopped_it_goes_on_where_it_was_also_after_a_restart(held, pile):
    worker = Worker()
    held.acquire()
    worker.start(pile)
    until(worker, pile, "running")
    worker.stop(pile.id)
    held.release()
    until(worker, pile, "stopped")
    done = len(list(pile.journal.rows()))
    assert done == BATCH

    again = Worker()  # as after a restart
    assert again.work(pile.id) is None
    again.start(pile)
    until(again, pile, "done")
    assert again.work(pile.id).first == done
    files = [row["file"] for row in pile.journal.rows()]
    assert files == sorted(files)
    assert len(files) == PHOTOS


def test_one_at_a_time_in_order_and_not_too_many(held, pile, tmp_path, monkeypatch):
    monkeypatch.setattr(pile_worker, "MOST_WAITING", 2)
    photo = sorted(tmp_path.glob("*.png"))[:1]
    others = [keep_photos(photo, None) for _ in range(3)]
    worker = Worker()
    held.acquire()
    worker.start(pile)
    until(worker, pile, "running")
    for other in others[:2]:
        worker.start(other)
        worker.start(other)  # pressed twice
    assert refusal(worker.start, others[2]).hint == "piles-waiting"
    assert [worker.ahead(other.id) for other in others[:2]] == [1, 2]
    worker.stop(others[0].id)
    assert worker.work(others[0].id).state == "stopped"
    assert worker.ahead(others[1].id) == 1
    held.release()
    until(worker, others[1], "done")
    assert worker.work(pile.id).state == "done"
    assert list(others[0].journal.rows()) == []


def test_a_pile_begun_with_another_model_says_what_can_be_done_here(held, pile):
    pile.journal.append([{"file": "00.png", "verdict": "unsure", "sha256": "another"}])
    worker = Worker()
    worker.start(pile)
    until(worker, pile, "failed")
    assert "give them again" in worker.work(pile.id).error.en


def test_a_pile_whose_photos_are_gone_fails_and_the_next_one_runs(held, pile, tmp_path):
    gone = keep_photos(sorted(tmp_path.glob("*.png"))[:1], None)
    for photo in (gone.folder / "photos").iterdir():
        photo.unlink()
    (gone.folder / "photos").rmdir()
    worker = Worker()
    worker.start(gone)
    worker.start(pile)
    until(worker, gone, "failed")
    assert worker.work(gone.id).error.en.endswith(".")
    assert str(tmp_path) not in worker.work(gone.id).error.en
    until(worker, pile, "done")


def test_what_is_gone_is_forgotten_and_what_waits_is_not_swept(held, pile, tmp_path):
    photo = sorted(tmp_path.glob("*.png"))[:1]
    gone, waiting = keep_photos(photo, None), keep_photos(photo, None)
    worker = Worker()
    worker.start(gone)
    until(worker, gone, "done")
    kept_piles.delete(gone)
    held.acquire()
    worker.start(pile)
    until(worker, pile, "running")
    worker.start(waiting)
    long_ago = time.time() - kept_piles.KEPT_SECONDS - 60
    os.utime(waiting.folder, (long_ago, long_ago))
    worker.tidy()
    kept_piles.sweep()
    assert worker.work(gone.id) is None
    assert worker.work(pile.id).state == "running"
    held.release()
    until(worker, waiting, "done")


def test_forgotten_while_it_runs_it_stops_first(held, pile):
    worker = Worker()
    held.acquire()
    worker.start(pile)
    until(worker, pile, "running")
    model.threading.Timer(0.5, held.release).start()
    worker.forget(pile.id)
    assert worker.work(pile.id) is None
    rows = len(list(pile.journal.rows()))
    time.sleep(0.3)
    assert len(list(pile.journal.rows())) == rows < PHOTOS
