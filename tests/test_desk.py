"""What the Learn tab asks of the library and of the job."""

import json
import types

import pytest
from toys import HERBS, fill, refusal

from herbdemo.library import Library
from herbdemo.ui import desk


@pytest.fixture
def library(home, tmp_path, monkeypatch):
    """A library of two herbs, and no model."""
    monkeypatch.setattr(desk, "_known", lambda: ())
    for herb in HERBS[:2]:
        fill(tmp_path / "given", herb, range(2))
    library = Library()
    for path in sorted((tmp_path / "given").rglob("*.png")):
        library.add(path, path.parent.name)
    return library


def test_a_herb_that_vanishes_meanwhile_is_passed_over(library, monkeypatch):
    (library.root / "空").mkdir()
    assert "空" not in desk.shelf()
    photos = Library.photos
    monkeypatch.setattr(
        Library, "photos", lambda self, herb: [] if herb == HERBS[0] else photos(self, herb)
    )
    page = desk.shelf(HERBS[0])
    assert f'data-herb="{HERBS[1]}"' in page
    assert HERBS[0] not in page


# The job


@pytest.fixture
def jobs(home, monkeypatch):
    """The job of this computer, which only notes what it was to start."""

    class Jobs:
        root, started, job = home, (), None

        def start(self, kind, *, source, name, options, who):
            self.started = (kind, name, options)
            (home / "runs" / name).mkdir(parents=True, exist_ok=True)
            self.job = types.SimpleNamespace(id=name, kind=kind, state="running")

        def latest(self):
            return self.job

    jobs, models = Jobs(), []
    jobs.models = models
    monkeypatch.setattr(desk, "jobs", lambda: jobs)
    monkeypatch.setattr(desk, "registry", lambda: types.SimpleNamespace(list=lambda: models))
    return jobs


PROPERLY = {"mode": "properly", "preset": "full", "epochs": "7", "name": "mine"}


@pytest.mark.parametrize("state", ["lost", "failed", "stopped"])
def test_a_training_that_broke_off_goes_on_as_what_it_was(library, jobs, state):
    desk.begin(PROPERLY, "me")
    assert refusal(desk.go_on, "me").hint == "not-resumable"  # it is running
    jobs.job.state = state
    assert refusal(desk.go_on, "me").hint == "not-resumable"  # it ended before its first epoch
    (jobs.root / "runs/mine/state.safetensors").touch()
    first = jobs.started[2]
    desk.go_on("me")
    assert jobs.started == ("train", "mine", first | {"resume": True})
    assert json.loads((jobs.root / "runs/mine/options.json").read_bytes()) == first


def test_a_training_that_made_a_model_does_not_go_on(library, jobs):
    desk.begin(PROPERLY, "me")
    (jobs.root / "runs/mine/state.safetensors").touch()
    jobs.job.state = "stopped"
    jobs.models.append(types.SimpleNamespace(id="mine"))
    assert not desk.resumable(jobs.job)


@pytest.mark.parametrize(("kind", "state"), [("extend", "lost"), ("train", "done")])
def test_other_jobs_do_not_go_on(jobs, kind, state):
    assert not desk.resumable(types.SimpleNamespace(id="mine", kind=kind, state=state))


def test_a_library_with_errors_is_not_learnt_from(library, jobs):
    (library.root / "空").mkdir()
    photo = library.photos(HERBS[0])[0].path
    (library.root / HERBS[1] / photo.name).write_bytes(photo.read_bytes())
    error = refusal(desk.begin, PROPERLY, "me")
    assert error.hint == "copy-other-herb"
    assert HERBS[0] in error.zh
    assert not jobs.started
    (library.root / HERBS[1] / photo.name).unlink()
    desk.begin(PROPERLY, "me")
    assert jobs.started[0] == "train"
