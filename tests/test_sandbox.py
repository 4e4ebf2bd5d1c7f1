"""What visitors try: their own model, for their own tab, and nothing of it stays."""

import time
import types

import pytest
from toys import HERBS, encoded, fill, herb_picture, refusal

from herbdemo.photo import open_photo
from herbdemo.ui import model, sandbox

NEW = "洋葱"


@pytest.fixture
def teach(monkeypatch, toy_model, tmp_path):
    """`teach(session, herb, n)` gives the sandbox of a tab n photos; `extend` itself is a toy."""

    class Recogniser:
        def __init__(self, checkpoint, *, engine):
            self.checkpoint, self.engine = checkpoint, engine

    def extend(checkpoint, samples, *, name):
        assert checkpoint is model.recogniser().checkpoint
        for sample in samples:
            open_photo(sample.path)
        assert name == sandbox.NAME
        herbs = sorted({sample.herb for sample in samples})
        return types.SimpleNamespace(herbs=herbs, photos=len(samples))

    shared = types.SimpleNamespace(checkpoint=toy_model, engine=object())
    monkeypatch.setattr(model, "recogniser", lambda: shared)
    monkeypatch.setattr("herbdemo.extend.extend", extend)
    monkeypatch.setattr("herbdemo.recognise.Recogniser", Recogniser)
    monkeypatch.setattr(sandbox, "_boxes", {})

    def teach(session="tab", herb=NEW, n=2):
        folder = tmp_path / str(time.monotonic_ns())
        fill(folder, HERBS[0], range(n))
        return sandbox.learn(session, herb, [str(path) for path in folder.rglob("*.png")])

    return teach


def test_a_sandbox_learns_for_one_tab_alone(teach, home):
    teach()
    assert sandbox.recogniser("tab").checkpoint.herbs == [NEW]
    assert sandbox.recogniser("another") is None
    assert sandbox.recogniser("tab").engine is model.recogniser().engine  # no second network
    assert not home.exists()  # neither the library nor a model


def test_herbs_add_up(teach):
    teach(n=2)
    teach(herb="dangshen", n=3)
    box = teach(n=1)
    assert {herb: len(photos) for herb, photos in box.photos.items()} == {NEW: 3, "党参": 3}
    assert box.recogniser.checkpoint.photos == 6


def test_a_sandbox_is_small(teach):
    for number in range(sandbox.HERBS):
        teach(herb=f"新药{number}", n=1)
    assert refusal(teach, herb="一种太多").hint == "sandbox-full"
    assert refusal(teach, herb="新药0", n=sandbox.PHOTOS).hint == "sandbox-full"
    assert len(sandbox.of("tab").photos) == sandbox.HERBS


def test_a_photo_that_does_not_open_changes_nothing(teach, tmp_path):
    before = teach()
    broken = tmp_path / "broken.jpg"
    broken.write_text("no photo")
    refusal(sandbox.learn, "tab", "党参", [str(broken)])
    assert sandbox.of("tab") is before


@pytest.mark.parametrize("herb", ["", "..", "a/b", "x" * 60])
def test_an_unusable_name_is_refused(teach, herb):
    assert refusal(teach, herb=herb).hint == "herb-name"


def test_a_sandbox_learns_again_when_the_shared_model_was_changed(teach, toy_model, monkeypatch):
    before = teach(n=2).recogniser
    assert sandbox.recogniser("tab") is before
    other = types.SimpleNamespace(sha256="another")
    monkeypatch.setattr(
        model, "recogniser", lambda: types.SimpleNamespace(checkpoint=other, engine=None)
    )
    after = sandbox.recogniser("tab")
    assert after is not before
    assert after.checkpoint.photos == 2
    assert sandbox.recogniser("tab") is after


def test_a_sandbox_keeps_no_model_alive_that_nobody_uses(teach, toy_model, monkeypatch):
    teach(), teach("idle"), teach("asked")
    sandbox._boxes["idle"].used -= sandbox.IDLE_SECONDS + 1
    sandbox.sweep()
    assert sandbox._boxes["idle"].recogniser is None
    assert sandbox._boxes["asked"].recogniser
    assert sandbox.recogniser("idle").checkpoint.herbs == [NEW]  # learnt again from its photos
    other = types.SimpleNamespace(
        checkpoint=types.SimpleNamespace(sha256="another"), engine=object()
    )
    monkeypatch.setattr(model, "recogniser", lambda: other)
    sandbox.sweep()
    assert not any(box.recogniser for box in sandbox._boxes.values())
    assert sandbox.of("asked").photos


def test_without_sandboxes_no_model_is_loaded_to_sweep(monkeypatch):
    monkeypatch.setattr(sandbox, "_boxes", {})
    monkeypatch.setattr(model, "recogniser", lambda: pytest.fail("loaded"))
    sandbox.sweep()


def test_a_sandbox_whose_photos_are_gone_ends_with_the_model_it_was_made_for(teach, monkeypatch):
    for path in teach(n=1).photos[NEW]:
        path.unlink()
    other = types.SimpleNamespace(sha256="another")
    monkeypatch.setattr(
        model, "recogniser", lambda: types.SimpleNamespace(checkpoint=other, engine=None)
    )
    assert refusal(sandbox.recogniser, "tab").hint == "sandbox-gone"
    assert sandbox.of("tab") is None
    assert sandbox.recogniser("tab") is None


def test_without_a_tab_there_is_no_sandbox(teach):
    assert refusal(teach, session="").hint == "no-session"


def test_a_closed_tab_takes_its_sandbox_with_it(teach):
    teach()
    sandbox.drop("tab")
    assert sandbox.recogniser("tab") is None
    sandbox.drop("tab")


def test_sandboxes_are_few_and_the_idle_one_makes_room(teach):
    for number in range(sandbox.BOXES):
        teach(session=f"tab{number}", n=1)
    assert refusal(teach, session="one more", n=1).hint == "sandboxes-full"
    sandbox._boxes["tab3"].used -= sandbox.IDLE_SECONDS + 1
    teach(session="one more", n=1)
    assert len(sandbox._boxes) == sandbox.BOXES
    assert "tab3" not in sandbox._boxes


def test_the_sandbox_answers_instead_of_the_shared_model(toy_model, monkeypatch):
    from herbdemo.recognise import Recogniser

    monkeypatch.setattr(model, "recogniser", lambda: pytest.fail("the shared model was asked"))
    own = Recogniser(toy_model)
    photo = encoded(herb_picture(HERBS[0], 1))
    assert model.recognise(photo, by=own).model == toy_model.id
