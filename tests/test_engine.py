"""The engines: a faster one answers as torch does, is made once, and keeps no photo waiting."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import HERBS, herb_photo, refusal

from herbdemo import openvino_engine
from herbdemo.choice import ASKED, NO_LIMITS, UNTRIED, agreement, check_photos
from herbdemo.dataset import scan
from herbdemo.engine import TorchEngine, said, serving
from herbdemo.files import home
from herbdemo.likeness import likeness
from herbdemo.openvino_engine import AGREEMENT, OpenVinoEngine, converted, engine_of, precisions
from herbdemo.quantise import limits_in, limits_of
from herbdemo.recognise import Recogniser
from herbdemo.registry import Registry

openvino = pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def reference(toy_model) -> TorchEngine:
    return TorchEngine(toy_model.network)


@pytest.fixture(scope="module")
def model(toy_model):
    """The toy network for OpenVINO, not kept on disk."""
    return converted(replace(toy_model, sha256=""))


@pytest.fixture
def answering(toy_model, monkeypatch):
    """`answering("auto")` is the engine that serves the toy model, once the choice is made."""

    def make(wanted: str = "auto", **card):
        monkeypatch.setenv("HERBDEMO_ENGINE", wanted)
        engine = serving(replace(toy_model, card={**toy_model.card, **card}))
        assert engine.wait(120)
        return engine

    return make


@pytest.fixture
def no_conversion(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("converted again")

    return lambda: monkeypatch.setattr(openvino_engine, "_traced", refuse)


# The same maps


def test_any_number_of_photos_goes_through_in_few_sizes(model, monkeypatch):
    engine = OpenVinoEngine(model, "f32")
    sizes, parts = [], openvino_engine._parts

    def seen(batch: torch.Tensor) -> list[torch.Tensor]:
        found = parts(batch)
        sizes.append([len(part) for part in found])
        return found

    monkeypatch.setattr(openvino_engine, "_parts", seen)
    photos = torch.rand(13, 3, 64, 64)
    together = engine.features(photos)
    alone = np.concatenate([engine.features(photo[None]) for photo in photos])
    assert sizes == [[8, 4, 1], *[[1]] * 13]
    assert np.abs(together - alone).max() < 1e-4 * np.abs(alone).max()


@pytest.mark.parametrize("shape", [(1, 64, 64), (5, 64, 64), (1, 96, 160), (2, 33, 65)])
def test_float32_finds_what_torch_finds_at_any_size(model, reference, shape):
    n, height, width = shape
    batch = torch.randn(n, 3, height, width)
    found = OpenVinoEngine(model, "f32").features(batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference.features(batch), atol=2e-4, rtol=2e-4)


def test_threads_do_not_mix_their_photos(model, reference):
    engine = OpenVinoEngine(model, "f32")
    batches = [torch.randn(1, 3, 64, 64) for _ in range(24)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(engine.features, batches))
    for batch, one in zip(batches, found, strict=True):
        np.testing.assert_allclose(one, reference.features(batch), atol=2e-4, rtol=2e-4)


def test_a_second_answer_leaves_the_first_one_alone(model):
    engine = OpenVinoEngine(model, "f32")
    first = engine.features(torch.zeros(1, 3, 64, 64))
    kept = first.copy()
    engine.features(torch.ones(1, 3, 64, 64))
    assert (first == kept).all()


@pytest.fixture(scope="module")
def alike(data):
    """How each precision that this CPU is quick in answers beside torch, on all test photos."""
    checkpoint = Registry().load()
    here = replace(checkpoint, sha256="")  # not kept on disk
    engines = {p: engine_of(here, p) for p in precisions(limits_in(checkpoint.card))}
    return likeness(checkpoint, engines, scan(data / "herbs" / "test"))


@pytest.mark.parametrize("precision", ["int8", "bf16", "f32"])
def test_the_default_model_passes_the_gate(alike, precision):
    if precision not in alike:
        pytest.skip(f"this CPU has no instructions for {precision}")
    assert alike[precision].passes, alike[precision]


# What is chosen


def test_the_first_answer_waits_for_no_conversion(toy_model, monkeypatch):
    monkeypatch.setenv("HERBDEMO_ENGINE", "auto")
    engine = serving(toy_model)
    answer = Recogniser(toy_model, engine=engine).recognise([herb_photo(HERBS[0], 1)])[0]
    assert answer.candidates
    assert engine.wait(120)
    assert "openvino" in engine.name
    assert "sees what torch sees" in engine.why.en
    assert answer.why.zh


def test_what_was_converted_and_chosen_is_not_done_again(answering, no_conversion, monkeypatch):
    first = answering()
    no_conversion()
    monkeypatch.setattr(TorchEngine, "features", None)  # calling it would fail
    again = answering()
    assert (again.name, again.why) == (first.name, first.why)
    assert again.features(torch.zeros(1, 3, 64, 64)).shape == (1, 2048, 2, 2)


def test_a_damaged_copy_is_made_anew(answering):
    answering("openvino-f32")
    (copy,) = (home() / "engines").glob("*/features.xml")
    copy.write_bytes(b"<net")
    assert answering("openvino-f32").name == "cpu · openvino f32"
    assert len(copy.read_bytes()) > 1000


def test_on_a_full_disk_it_answers_all_the_same(answering, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("basic_ios::clear: iostream error")  # as OpenVINO says it

    monkeypatch.setattr("openvino.save_model", full)
    assert answering("openvino-f32").name == "cpu · openvino f32"
    assert not list((home() / "engines").glob("*/features.xml"))


def test_copies_do_not_pile_up_and_the_least_used_goes(answering):
    kept = home() / "engines"
    old = [kept / (f"{number}" * 32) for number in range(6)]
    for age, folder in enumerate(old):
        for name in (f"{folder.name}-1.0", f"{folder.name}-int8-1.0"):
            (kept / name).mkdir(parents=True)
            os.utime(kept / name, (1000 - age,) * 2)
    answering("openvino-f32")
    left = {folder.name[:32] for folder in kept.iterdir()}
    assert len(left) == openvino_engine.KEPT
    assert {folder.name for folder in old} - left == {old[-1].name}
    (own,) = (folder for folder in kept.iterdir() if folder.stat().st_mtime > 1000)
    os.utime(own, (1, 1))
    answering("openvino-f32")
    assert own.stat().st_mtime > 1000


def test_torch_forgets_what_it_traced(toy_model, monkeypatch):
    """It would keep the weights of every network that was ever converted."""
    kept, forget = [], openvino_engine._forget_traces

    def look() -> None:
        name = f"__torch__.{openvino_engine.__name__}._Features"
        kept.append(torch.jit._state._python_cu.get_class(name) is not None)

    monkeypatch.setattr(openvino_engine, "_forget_traces", lambda: (look(), forget(), look()))
    converted(replace(toy_model, sha256=""))
    assert kept == [True, False]


def test_in_eight_bits_nothing_else_is_kept(answering, passed):
    answering("openvino-int8", int8=passed)
    (copy,) = (home() / "engines").glob("*/features.xml")
    assert "-int8-" in copy.parent.name


def test_an_engine_that_finds_something_else_is_not_used(answering, monkeypatch):
    monkeypatch.setattr(openvino_engine, "agreement", lambda *engines: 0.98)
    engine = answering()
    assert engine.name.endswith("torch")
    assert "something else" in engine.why.en


def test_agreement_notices_a_network_that_is_another(toy_model, reference, model):
    photos = check_photos(toy_model.preprocessing)
    assert agreement(reference, OpenVinoEngine(model, "f32"), photos) >= AGREEMENT["f32"]

    class Other:
        name = "other"

        def features(self, batch):
            return reference.features(batch.flip(-1))

    assert agreement(reference, Other(), photos) < AGREEMENT["bf16"]


def test_without_openvino_torch_goes_on(answering, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    engine = answering()
    assert engine.name.endswith("torch")
    assert "not installed" in engine.why.en


def test_a_folder_that_cannot_be_written_costs_only_time(answering):
    home().mkdir(parents=True)
    (home() / "engines").write_text("in the way")
    assert "openvino" in answering("openvino-f32").name


def test_torch_is_used_where_it_is_asked_for(answering):
    assert answering("torch").name.endswith("torch")
    assert not (home() / "engines").exists()


def test_the_fastest_is_used_where_nothing_is_asked_for(answering):
    assert "openvino" in answering("").name


def test_it_says_what_answers_and_why(answering, toy_model):
    for wanted, name in (("torch", "cpu · torch"), ("openvino-f32", "cpu · openvino f32")):
        answering(wanted)
        assert said(toy_model.card) == (name, ASKED)
    chosen = answering("auto")
    assert said(toy_model.card) == (chosen.name, chosen.why)
    assert said({**toy_model.card, "sha256": "0" * 64}) == ("cpu · torch", UNTRIED)


# Eight bits


@pytest.fixture(scope="module")
def passed(toy_model, reference) -> dict:
    """What the card of a model that passed the gate says of eight bits."""
    limits = limits_of(reference, [check_photos(toy_model.preprocessing)])
    return {"passes": True, "limits": limits}


def test_eight_bits_are_chosen_once_the_card_lets_them(answering, passed, monkeypatch):
    monkeypatch.setattr(openvino_engine, "INT8_FLAGS", {"processor"})  # as in every /proc/cpuinfo
    assert "int8" not in answering().name
    assert "int8" not in answering(int8={**passed, "passes": False}).name
    assert answering(int8=passed).name == "cpu · openvino int8"  # chosen anew, as the card changed
    monkeypatch.setattr(TorchEngine, "features", None)
    assert answering(int8=passed).name == "cpu · openvino int8"


def test_eight_bits_are_not_chosen_without_their_instructions(answering, passed, monkeypatch):
    monkeypatch.setattr(openvino_engine, "INT8_FLAGS", set())
    assert "int8" not in answering(int8=passed).name


def test_eight_bits_that_see_something_else_make_room_for_the_next(answering, passed, monkeypatch):
    monkeypatch.setattr(openvino_engine, "INT8_FLAGS", {"processor"})
    small = {name: limit / 50 for name, limit in passed["limits"].items()}
    engine = answering(int8={**passed, "limits": small})
    assert "openvino" in engine.name
    assert "int8" not in engine.name


def test_eight_bits_need_a_card_that_passed_also_where_they_are_asked_for(answering, toy_model):
    engine = answering("openvino-int8")
    assert (engine.name, engine.why) == said(toy_model.card) == ("cpu · torch", NO_LIMITS)


@pytest.mark.parametrize("name", ["tensorflow", "openvino-int4", "自动"])
def test_an_unknown_engine_is_refused_in_words(toy_model, monkeypatch, name):
    monkeypatch.setenv("HERBDEMO_ENGINE", name)
    error = refusal(serving, toy_model)
    assert error.hint == "engine-unknown"
    assert "openvino-bf16" in error.en
