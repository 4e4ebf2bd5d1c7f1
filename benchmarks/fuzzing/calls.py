"""The command line."""

import contextlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

from benchmarks.fuzzing.checkpoints import pth_seeds
from benchmarks.fuzzing.models import model_zip_seeds
from benchmarks.fuzzing.networks import small_models
from benchmarks.fuzzing.photos import picture
from benchmarks.fuzzing.target import NoSync, Seeds
from benchmarks.fuzzing.zips import zip_of, zip_seeds
from benchmarks.mutate import json_bytes, text
from herbdemo.errors import HerbError


def call_seeds() -> Seeds:
    """Calls of every command that work."""
    calls = """
        recognise good.png photos --json
        recognise pile.zip --out rows.csv --heatmaps maps
        recognise bad.jpg good.png --model more --out rows.jsonl
        evaluate photos --unknown empty --json
        evaluate photos
        check photos --json
        check pile.zip
        extend photos --name new --test photos --activate --json
        extend pile.zip --name new --model more
        train photos --name new --init active --preset quick --epochs 1 --batch 4 --json
        train photos --name new --init scratch --patience 0 --resume
        models
        models list --json
        models activate more
        models rollback
        models delete more
        models export small out.zip
        models export small out.onnx
        models export light out.xml
        models export more page --format page --runtime ort
        models import model.zip --name again
        models publish small somebody/herbs --private
        import weights.pth --name new --herbs labels.txt --json
        import weights.pth --name new --herbs photos --photos photos --preprocessing unit --activate
        models forget more 罗勒 --name less
        serve --host 127.0.0.1 --port 7860 --share
        --help
        recognise --help
    """
    return tuple(json_bytes(line.split()) for line in calls.strip().splitlines())


CALL_WORDS = (
    "--json", "--out", "--heatmaps", "--model", "--name", "--help", "--unknown", "--test", "--activate", "--init",
    "--preset", "--network", "--epochs", "--patience", "--batch", "--resume", "--private", "--herbs", "--photos", "--preprocessing", "weights.pth", "labels.txt", "bytes", "--host", "--port", "--",
    "-", "--version", "-v", "--no-json", "recognise", "models", "import", "small", "more", "nobody", "good.png", "bad.jpg",
    "photos", "empty", "pile.zip", "evil.zip", "model.zip", "notes.txt", "nowhere", "rows.csv", "rows.parquet",
    "rows.xyz", "maps", "export", "--format", "onnx", "openvino", "page", "--runtime", "ort", "out.onnx", "out.xml",
    "light", "photos/党参", "0", "1", "-1", "1e9", "99999999999999999999", "nan", "0x10", "党参", "dangshen",
)  # fmt: skip


def change_call(data: bytes, others: Seeds, rng: Random) -> bytes:
    words = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, way = rng.randrange(len(words) + 1), rng.randrange(6)
        # Nothing that leads out of the folder: what works is really done.
        odd = text(rng).replace("/", "").replace("..", "").replace("~", "").replace("\0", "")[:300]
        word = rng.choice(CALL_WORDS) if rng.random() < 0.7 else odd
        if way == 0:
            words[at:at] = [word]
        elif way == 1:
            words[at : at + 1] = [word]
        elif way == 2:
            del words[at : at + 1]
        elif way == 3:
            words[at:at] = words[at : at + 2]
        elif way == 4:
            words[at:] = json.loads(rng.choice(others))[at:]
        elif words and at < len(words):
            words[at] = f"{words[at]}={word}"
    return json_bytes(words)


def take_calls(folder: Path) -> Callable[[bytes], object]:
    """`python -m herbdemo WORDS`, in this process: exit status 0, 1, 2 or 130, and no traceback.

    All is done but what takes seconds or a network: training, downloading, publishing, serving, and
    making ONNX of a network, in whose place a graph of one step is written.
    """
    import shutil
    import sys
    import types
    from urllib.error import URLError

    import onnx
    import openvino  # noqa: F401 - before memory is limited
    import torch.hub

    here = Path.cwd()
    os.environ |= {"HERBDEMO_HOME": str(folder / "now" / "home"), "HERBDEMO_ENGINE": "torch", "HF_HUB_OFFLINE": "1",
                   "COLUMNS": "80"}  # fmt: skip
    os.environ.pop("HF_TOKEN", None)
    template, now = folder / "template", folder / "now"
    (template / "empty").mkdir(parents=True)
    for path in small_models(template):
        if path.name != "old":
            shutil.copytree(path, template / "home" / "models" / path.name)
        shutil.rmtree(path)
    (template / "home" / "active.json").write_text('{"trail": ["small"]}')
    picture().save(template / "good.png")
    (template / "bad.jpg").write_bytes(b"\xff\xd8\xff spoilt")
    (template / "notes.txt").write_text("notes")
    (template / "weights.pth").write_bytes(pth_seeds()[0])
    (template / "labels.txt").write_text("党参\n枸杞子\n当归\n")
    (template / "pile.zip").write_bytes(zip_seeds()[0])
    (template / "evil.zip").write_bytes(zip_of([{"name": "../x.png", "data": b"x"}], Random(0)))
    (template / "model.zip").write_bytes(model_zip_seeds()[0])

    import herbdemo.ui as ui
    from herbdemo import atomic, browser, cli, export, files, registry, train

    (template / "ort" / "dist").mkdir(parents=True)
    for name in browser.RUNTIME:
        (template / "ort" / "dist" / name).write_bytes(b"runtime")

    def no_network(*given, **options):
        raise URLError("no network")

    def no_training(*given, **options):
        raise HerbError("不训练。", "No training.", hint="no-training")

    graph = onnx.parser.parse_model(browser.PREPARE.replace("SIZE", "32"))
    export.onnx_model = browser.onnx_model = lambda checkpoint: graph
    torch.hub.load_state_dict_from_url = browser.urllib.request.urlopen = no_network
    train.train = no_training
    registry.Registry.__init__.__kwdefaults__["shipped"] = folder / "none"
    files.os = atomic.os = NoSync(os)
    ui.app = sys.modules["herbdemo.ui.app"] = types.SimpleNamespace(
        build=lambda: None, serve=no_training
    )

    def take(data: bytes) -> None:
        words = json.loads(data.decode("utf-8", "surrogatepass"))
        shutil.rmtree(now, ignore_errors=True)
        shutil.copytree(template, now)
        os.chdir(now)
        sys.argv = ["herbdemo", *words]
        out, err, status = io.StringIO(), io.StringIO(), 0
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                cli.main()
        except SystemExit as end:
            status = end.code or 0
        finally:
            os.chdir(here)
        assert status in (0, 1, 2, 130), status
        assert "Traceback" not in err.getvalue()
        for half in (".saving-*", ".writing-*", ".deleting-*"):
            assert not list(now.rglob(half)), "something was left"
        assert sorted(path.name for path in folder.iterdir()) == ["now", "template"]
        if status:
            assert (out.getvalue() + err.getvalue()).strip(), "no word of what is wrong"
            raise HerbError("", "", hint=f"exit status {status}")

    return take
