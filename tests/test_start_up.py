"""From `python app.py` to the first answer: what is imported when, what comes first, what stays."""

import gc
import subprocess
import sys
import urllib.request
from pathlib import Path
from unittest.mock import Mock

import pytest

from herbdemo.errors import HerbError
from herbdemo.heap import lasting
from herbdemo.ui import app, model

ROOT = Path(__file__).parent.parent
LEARNING = "torchvision sklearn scipy accelerate pytorch_grad_cam"
APP = """
import app
from gradio.utils import MatplotlibBackendMananger as Drawing
with Drawing(): pass  # as Gradio does before every event
assert not app.demo.is_running
"""
ANSWER = """
from herbdemo.checkpoint import load_checkpoint
from herbdemo.recognise import Recogniser
Recogniser(load_checkpoint(sys.argv[1])).warm_up()
"""
LATER = {
    "the package": ("import herbdemo", "torch gradio numpy"),
    "the command line": ("import herbdemo.cli", "torch gradio numpy pandas"),
    "the page": (APP, f"torch matplotlib.pyplot opencc pypinyin openvino {LEARNING}"),
    "what the page looks into": (
        "import herbdemo.library, herbdemo.intake, herbdemo.jobs",
        f"torch gradio pandas matplotlib {LEARNING}",
    ),
    "names of herbs": (
        "from herbdemo.herbs import find, search; find('金銀花'), search('jyh')",
        "opencc pypinyin pandas torch",
    ),
    "an answer": (
        ANSWER,
        f"torch._dynamo gradio pandas matplotlib huggingface_hub openvino {LEARNING}",
    ),
}


def run(code: str, *arguments: str | Path, cwd: Path = ROOT) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.process
@pytest.mark.parametrize("what", LATER)
def test_nothing_is_imported_before_it_is_needed(what, toy_folder):
    code, later = LATER[what]
    found = run(f"import sys\n{code}\nprint(*set({later.split()}) & set(sys.modules))", toy_folder)
    assert found.split() == []


@pytest.mark.process
def test_no_stub_is_written_beside_a_component(tmp_path):
    (tmp_path / "own.py").write_text("import gradio\n\n\nclass Own(gradio.HTML):\n    pass\n")
    run(f"import sys; sys.path.insert(0, {str(ROOT)!r}); import herbdemo.ui, own", cwd=tmp_path)
    assert not list(tmp_path.glob("*.pyi"))


def test_the_page_comes_before_all_else(monkeypatch):
    order = Mock()
    monkeypatch.setattr(app, "wake", order.wake)
    monkeypatch.setattr(app.upkeep, "keep_clean", order.keep_clean)
    monkeypatch.setattr(app.desk, "jobs", order.jobs)
    monkeypatch.setattr(app.uploads, "empty", order.empty)
    app.serve(order.demo, port=1)
    names = [call[0] for call in order.mock_calls]
    assert names[:2] == ["demo.launch", "wake"]
    assert names[-4:] == ["demo.block_thread", "keep_clean()", "demo.close", "empty"]
    assert order.demo.launch.call_args.kwargs["prevent_thread_lock"] is True


def test_the_model_is_warm_before_the_first_photo(monkeypatch):
    loaded = Mock()
    monkeypatch.setattr(model, "recogniser", loaded)
    model._load()
    loaded.return_value.warm_up.assert_called_once_with()


def test_a_damaged_model_is_left_to_the_first_photo(monkeypatch):
    monkeypatch.setattr(model, "recogniser", Mock(side_effect=HerbError("坏。", "Bad.", hint="x")))
    model._load()


def test_garbage_is_looked_for_again_but_not_among_what_lasts():
    before = gc.get_freeze_count()
    with lasting():
        made = [[] for _ in range(1000)]
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(made)


def test_the_page_is_small_on_its_way(server):
    sizes = {}
    for encoding in ("identity", "br"):
        request = urllib.request.Request(server, headers={"Accept-Encoding": encoding})
        with urllib.request.urlopen(request, timeout=60) as reply:
            sizes[reply.headers.get("Content-Encoding")] = len(reply.read())
    assert sizes["br"] < sizes[None] / 4
