"""From a photo's bytes to its result: each costly thing is done once, and none that nobody needs.

Counted, not timed: what is counted here is what a slow request would do more of.
"""

import collections
import contextlib
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile, JpegImagePlugin
from toys import encoded, herb_picture, refusal

from herbdemo.one_thread import _pools, one_thread
from herbdemo.recognise import Recogniser
from herbdemo.ui import identify, model, share, specimen
from herbdemo.ui.gate import Visitor
from herbdemo.ui.lately import Lately

SOMEONE = Visitor(False, "", "a-session", host="10.0.0.1")


@pytest.fixture
def used(toy_model, monkeypatch) -> Recogniser:
    """The toy is the model in use, and nothing has been answered yet."""
    toy = Recogniser(toy_model)
    monkeypatch.setattr(model, "recogniser", lambda: toy)
    kept = model._answers
    fresh = Lately(kept.most, weigh=kept._weigh, over=kept._over)
    monkeypatch.setattr(model, "_answers", fresh)
    monkeypatch.setattr(share, "_lately", [])
    return toy


@pytest.fixture
def done(used, photo, monkeypatch) -> collections.Counter:
    """How often each costly thing was done since."""
    count: collections.Counter = collections.Counter()
    forward, load, save = used.engine.features, ImageFile.ImageFile.load, Image.Image.save

    def features(batch: torch.Tensor) -> np.ndarray:
        count["forward"] += 1
        return forward(batch)

    def loaded(image: ImageFile.ImageFile) -> object:
        count["decode"] += bool(image.tile)  # a second call finds the pixels there
        return load(image)

    def saved(image: Image.Image, file: object, **options: object) -> None:
        count[f"save {options.get('format', 'file').upper()}"] += 1
        save(image, file, **options)

    def backward(*args: object, **options: object) -> None:
        count["backward"] += 1

    monkeypatch.setattr(used.engine, "features", features)
    monkeypatch.setattr(ImageFile.ImageFile, "load", loaded)
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", loaded, raising=False)
    monkeypatch.setattr(Image.Image, "save", saved)
    monkeypatch.setattr(torch.Tensor, "backward", backward)
    monkeypatch.setattr(torch.autograd, "grad", backward)
    return count


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(herb_picture("党参", 3, size=(2400, 1800)), "JPEG"))
    return path


def test_a_result_costs_one_decode_one_forward_and_one_jpeg(done, photo, used):
    page = identify.look(str(photo), SOMEONE)
    assert page.count("<herb-map cells=") >= 10  # five maps and five contrasts: no click asks again
    assert done == {"decode": 1, "forward": 1, "save JPEG": 1}
    assert all(p.grad is None for p in used.checkpoint.network.parameters())


def test_nothing_is_kept_for_a_backward_pass(used, photo, monkeypatch):
    asked = []
    real = used.checkpoint.network.features
    monkeypatch.setattr(
        used.checkpoint.network,
        "features",
        lambda x: (asked.append(torch.is_grad_enabled()), real(x))[1],
    )
    model.recognise(str(photo))
    assert asked == [False]


def test_a_photo_is_decoded_small_enough_to_be_left_as_it_is(used, photo, monkeypatch):
    sizes = []
    resize = Image.Image.resize

    def resized(image: Image.Image, size: tuple, *args: object, **options: object) -> Image.Image:
        sizes.append(tuple(size))
        return resize(image, size, *args, **options)

    monkeypatch.setattr(Image.Image, "resize", resized)
    identify.look(str(photo), SOMEONE)
    assert len(sizes) <= 1  # from the 1200 pixels decoded to those of the page


def test_the_same_photo_again_costs_nothing_and_says_so(done, photo):
    first = model.recognise(str(photo))
    assert set(first.stages) == {"open", "prepare", "network", "scores", "maps"}
    done.clear()
    again = model.recognise(photo.read_bytes())  # known by its content
    assert done == {}
    assert set(again.stages) == {"kept"}
    assert again.candidates == first.candidates
    page = identify.look(str(photo), SOMEONE)
    assert "answered before, from memory" in page
    assert done == {"save JPEG": 1}


def test_a_link_and_a_photo_of_several_cost_no_second_forward(done, photo, used):
    identify.look(str(photo), SOMEONE)
    done.clear()
    share.share_it(photo, used.checkpoint.sha256, "党参", SOMEONE)
    specimen.one_photo([str(photo)], "0", SOMEONE)
    assert done["forward"] == done["decode"] == 0


def test_other_models_answer_for_themselves(done, photo, toy, used):
    """A visitor's own has no sha256, and two of them must not be mixed up."""
    boxes = [Recogniser(replace(toy, herbs=toy.herbs[k:] + toy.herbs[:k])) for k in (1, 2)]
    names = [model.recognise(str(photo), by=by).candidates[0].herb.zh for by in (None, *boxes)]
    assert len(set(names)) == 3
    again = [model.recognise(str(photo), by=by).candidates[0].herb.zh for by in (None, *boxes)]
    assert again == names


def test_a_frame_of_the_camera_is_not_kept(done, photo):
    for _ in range(2):
        model.recognise(photo.read_bytes(), patience=4)
    assert done["forward"] == 2
    assert not model._answers._found


def test_two_who_ask_at_once_are_answered_by_one_forward(done, photo):
    barrier = threading.Barrier(4)

    def ask(_: int) -> object:
        barrier.wait()
        return model.recognise(str(photo)).candidates

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert done["forward"] == 1


def test_whoever_finds_all_turns_taken_waits(used, photo):
    with ThreadPoolExecutor(1) as pool:
        with contextlib.ExitStack() as taken:
            for _ in range(model.AT_ONCE):
                taken.enter_context(model.turn())
            waiting = pool.submit(model.recognise, photo)
            assert not wait([waiting], timeout=0.5).done
            assert model.recognise(photo, patience=0.1) is None  # a frame does not wait for long
        assert waiting.result(60).candidates


def test_an_error_is_not_kept(used, photo, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:900])
    for _ in range(2):
        assert refusal(model.recognise, str(broken)).hint == "photo-truncated"
    assert not model._answers._found
    assert not model._answers._making


def test_what_is_kept_is_bounded_and_the_oldest_goes():
    kept = Lately(100, weigh=len)
    for key in "abc":
        kept.get((key,), lambda: "x" * 40)
    assert [kept.has((key,)) for key in "abc"] == [False, True, True]
    assert kept.get(("b",), lambda: pytest.fail("was kept")) == "x" * 40
    kept.get(("d",), lambda: "x" * 40)
    assert [kept.has((key,)) for key in "bcd"] == [True, False, True]
    kept.get(("large",), lambda: "x" * 101)
    assert not kept.has(("large",))


def test_what_is_old_is_forgotten(used, photo, monkeypatch):
    model.recognise(str(photo))
    model.sweep()
    assert len(model._answers._found) == 1
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3601)
    model.sweep()
    assert not model._answers._found
    assert model._answers._weight == 0


def test_a_model_that_is_gone_leaves_no_answers(used, toy_model, photo):
    other = Recogniser(toy_model)
    gone = weakref.ref(other.head)
    model.recognise(str(photo), by=other)
    model.recognise(str(photo))
    assert len(model._answers._found) == 2
    del other
    model.sweep()
    assert len(model._answers._found) == 1
    assert gone() is None
    assert "kept" in model.recognise(str(photo)).stages


def test_small_products_run_on_one_thread_and_leave_the_others_as_they_were(used):
    before = [pool.num_threads for pool in _pools()]
    assert before
    inside = []
    barrier = threading.Barrier(2)

    def multiply(_: int) -> None:
        with one_thread():
            barrier.wait()
            inside.extend(pool.num_threads for pool in _pools())
            barrier.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(multiply, range(2)))
    assert set(inside) == {1}
    assert [pool.num_threads for pool in _pools()] == before


def test_a_group_is_dealt_once_for_a_model(used, photo, monkeypatch):
    import herbdemo.specimen as fused

    dealt = []
    real = fused.least_familiarity
    monkeypatch.setattr(fused, "least_familiarity", lambda *a: (dealt.append(a), real(*a))[1])
    for _ in range(3):
        specimen.look_at([str(photo)] * 2, SOMEONE)
    assert len(dealt) == 1
