"""zero.py: what a Space on ZeroGPU does with a GPU that it only borrows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toys import model_copy, refusal

from herbdemo import engine, zero
from herbdemo.cli_learn import train
from herbdemo.ui import desk
from herbdemo.ui.start_view import start_html

ROOT = Path(__file__).resolve().parent.parent
# The package that Spaces on ZeroGPU have, as far as an app can tell: it plays a GPU in the main
# thread; what was moved there cannot be used outside a call; a call is done by a fork; arguments
# and results are pickled; an app without such a function does not start.
SPACES = """
import functools, json, multiprocessing, os, pickle, threading
import gradio, torch

assert not torch.cuda.is_initialized(), "CUDA was initialised before `spaces` was imported"
fork, forked, decorated = multiprocessing.get_context("fork"), False, []
move, launch = torch.nn.Module.to, gradio.Blocks.launch

def note(**what):
    with open(os.environ["ZERO_LOG"], "a") as log:
        log.write(json.dumps(what) + "\\n")

def offloaded(*_):
    if not forked:
        raise RuntimeError("Cannot apply function to a disk-offloaded tensor")

def to(module, *args, **options):
    if not args or not str(args[0]).startswith("cuda"):
        return move(module, *args, **options)
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Low-level CUDA init reached")
    note(placed=type(module).__name__)
    for part in module.modules():
        part.register_forward_pre_hook(offloaded)
    return move(module, "cpu", *args[1:], **options)

def launched(*args, **options):
    assert decorated, "No @spaces.GPU function detected during startup"
    note(launched=True)
    gradio.Blocks.launch = launch
    return launch(*args, **options)

def work(queue, task, packed):
    global forked
    forked = True
    try:
        queue.put(pickle.dumps(task(*pickle.loads(packed))))
    except Exception as error:
        queue.put(repr(error))

def GPU(task=None, *, duration=60):
    if task is None:
        return functools.partial(GPU, duration=duration)
    decorated.append(task)

    @functools.wraps(task)
    def handler(*args):
        note(seconds=duration(*args) if callable(duration) else duration, photos=len(args[0]))
        if os.path.exists("refuse"):
            raise gradio.Error("You have exceeded your ZeroGPU quota")
        queue = fork.SimpleQueue()
        process = fork.Process(target=work, args=(queue, task, pickle.dumps(args)), daemon=True)
        process.start()
        result = queue.get()
        process.join()
        if isinstance(result, str):
            raise gradio.Error(result)
        return pickle.loads(result)

    return handler

torch.cuda.is_available = lambda: True
torch.nn.Module.to = to
gradio.Blocks.launch = launched
"""
# The app as it is served, and what its handlers, in threads of their own, then ask of it.
APP = """
import copy, json, pathlib, threading
import numpy as np, torch
from dataclasses import replace
from herbdemo.ui import app

def visit():
    for thread in threading.enumerate():
        if thread.name == "model":
            thread.join()  # a fork of a process that is importing may wait for ever
    from herbdemo import evaluate, zero
    from herbdemo.engine import TorchEngine, best_device, serving
    from herbdemo.recognise import current

    model = current().checkpoint
    zero.FROM = 1  # one photo of 224 px, which is quicker here than eight
    batch = torch.rand(1, 3, 224, 224)
    wanted = TorchEngine(model.network).features(batch)

    def same(engine):
        return bool(np.allclose(engine.features(batch), wanted, atol=1e-4))

    ours = current().engine
    said = {"device": best_device().type, "name": ours.name}
    said["small"] = ours.features(batch[..., :96]).shape
    said["many"] = same(ours)
    head = copy.deepcopy(model.network)
    head.fc = torch.nn.Linear(head.fc.in_features, 3)
    said["head"] = same(serving(replace(model, network=head)))
    said["learnt"] = same(evaluate.engine_for(model.network, 1))
    other = copy.deepcopy(model.network)
    other.conv1.weight.mul_(2)
    said["other"] = serving(replace(model, network=other)).features(batch).shape
    pathlib.Path("refuse").touch()
    said["refused"] = same(ours)
    print("SAID", json.dumps(said), flush=True)

app.upkeep.keep_clean = lambda: None
demo = app.build()
def block():
    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
demo.block_thread = block
app.serve(demo)
"""


@pytest.fixture
def zero_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package `spaces`, and the variable that Spaces on ZeroGPU have."""
    package = tmp_path / "packages" / "spaces"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SPACES)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.syspath_prepend(str(package.parent))
    return tmp_path


@pytest.mark.process
def test_the_app_borrows_a_gpu_for_much_and_answers_without_one(zero_gpu, toy_folder, home):
    model_copy(toy_folder, home / "models" / "toy")
    paths = os.pathsep.join(map(str, (zero_gpu / "packages", ROOT)))
    # On one thread, as a fork of a process whose OpenMP has run may wait for ever.
    variables = {"PYTHONPATH": paths, "ZERO_LOG": str(zero_gpu / "log"), "HERBDEMO_MODEL": "toy",
                 "OMP_NUM_THREADS": "1"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", APP],
        cwd=zero_gpu,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "SAID" in done.stdout, done.stderr
    said = json.loads(done.stdout.partition("SAID ")[2].splitlines()[0])
    assert said == {
        "device": "cpu",
        "name": "cpu · torch + ZeroGPU",
        "small": [1, 2048, 7, 3],
        "many": True,
        "head": True,
        "learnt": True,
        "other": [1, 2048, 7, 7],
        "refused": True,
    }
    noted = [json.loads(line) for line in (zero_gpu / "log").read_text().splitlines()]
    call = {"seconds": 11, "photos": 1}
    assert noted[1:] == [{"launched": True}, *[call] * 4]  # many, head, learnt, refused
    assert "placed" in noted[0]  # before the page was served, in the main thread
    assert done.stderr.count("the CPU goes on") == 1


def test_one_photo_is_not_worth_it_and_a_tray_is():
    assert zero.photos(torch.zeros(1, 3, 224, 224)) < zero.FROM
    assert zero.photos(torch.zeros(1, 3, 672, 672)) >= zero.FROM


def test_a_gpu_is_asked_for_as_long_as_there_is_to_do():
    assert zero.seconds(torch.zeros(1, 3, 672, 672)) == 11  # a tray
    assert zero.seconds(torch.zeros(16, 3, 224, 224)) == 11
    assert zero.seconds(torch.zeros(200, 3, 224, 224)) == 20


def test_only_where_the_hub_says_so(zero_gpu, monkeypatch):
    assert zero.on()
    assert engine.best_device().type == "cpu"
    monkeypatch.setenv("SPACES_ZERO_GPU", "false")
    assert not zero.on()
    monkeypatch.delenv("SPACES_ZERO_GPU")
    assert not zero.on()
    zero.check_preset("full")


def test_only_the_head_is_learnt(zero_gpu, tmp_path):
    zero.check_preset("quick")
    for preset in ("standard", "full"):
        error = refusal(zero.check_preset, preset)
        assert error.hint == "zero-only-head"
        assert "only the last layer" in error.en
    wanted = {"mode": "properly", "name": "new", "preset": "full"}
    assert refusal(desk.begin, wanted, "me").hint == "zero-only-head"
    assert refusal(train, tmp_path, "new").hint == "zero-only-head"


def test_the_form_offers_what_can_be_learnt():
    form = {"photos": 16, "herbs": 2, "name": "x", "running": False}
    page = start_html(**form, only_head=True)
    assert 'name="preset" value="quick" checked' in page
    for preset in ("standard", "full"):
        assert f'value="{preset}"' not in page
    assert "runs on ZeroGPU" in page
    assert 'value="full"' in start_html(**form)
    assert "ZeroGPU" not in start_html(**form)
