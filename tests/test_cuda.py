"""On a GPU the answers are those of a CPU, and all that the command line does works there too.

Skipped where there is no GPU of NVIDIA's. Each test asks a process of its own, as all others are
kept from using the GPU.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from toys import HERBS, encoded, fill, herb_picture

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="there is no GPU"),
]

ANSWER = """
import json, sys
from herbdemo.checkpoint import load_checkpoint
from herbdemo.engine import serving
from herbdemo.explain import METHODS, Explainer
from herbdemo.photo import open_photo
from herbdemo.recognise import Recogniser
checkpoint = load_checkpoint(sys.argv[1])
photos = [open_photo(path) for path in sys.argv[2:]]
engine = serving(checkpoint)
engine.wait()
recogniser = Recogniser(checkpoint, engine=engine)
answers = recogniser.recognise(photos)
explainer, herb = Explainer(checkpoint), answers[0].herbs[0]
maps = {method: explainer.explain(photos[0], herb, method=method).raw for method in METHODS}
print(json.dumps({
    "engine": engine.name,
    "answers": [{h: answer.probability(h) for h in checkpoint.herbs} for answer in answers],
    "heatmaps": [answer.heatmap(answer.herbs[0]).tolist() for answer in answers],
    "maps": {method: raw.tolist() for method, raw in maps.items()}}))
"""


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(encoded(herb_picture(HERBS[number], 90 + number, size=(320, 240))))
    return paths


def run(*command: object, gpu: bool = True, engine: str = "auto") -> str:
    env = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES" or not gpu}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True,
        timeout=300, env=env | {"HERBDEMO_ENGINE": engine},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def found(folder: Path, photos: list[Path], **where) -> dict:
    return json.loads(run("-c", ANSWER, folder, *photos, **where))


@pytest.fixture
def right(toy_folder, photos) -> dict:
    """What a CPU finds."""
    return found(toy_folder, photos, gpu=False, engine="torch")


def test_a_gpu_finds_what_a_cpu_finds(toy_folder, photos, right):
    own = found(toy_folder, photos)
    assert own["engine"].startswith("cuda")
    for answer, expected in zip(own["answers"], right["answers"], strict=True):
        assert answer == pytest.approx(expected, abs=0.05)  # bfloat16
    np.testing.assert_allclose(own["heatmaps"], right["heatmaps"], atol=0.1)
    for method, expected in right["maps"].items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(own["maps"][method], expected, atol=0.05 * scale, err_msg=method)


def test_the_cpu_answers_where_its_engine_is_asked_for(toy_folder, photos, right):
    own = found(toy_folder, photos, engine="openvino-f32")
    assert own["engine"] == "cpu · openvino f32"
    for answer, expected in zip(own["answers"], right["answers"], strict=True):
        assert answer == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("network", ["resnet50", "mobilenetv3", "efficientnet-lite0"])
def test_it_learns_on_a_gpu(network, tmp_path, photos):
    herbs = tmp_path / "herbs"
    for herb in HERBS[:3]:
        fill(herbs, herb, range(16))
    run("-m", "herbdemo", "train", herbs, "--name", "own", "--init", "scratch", "--network",
        network, "--epochs", 2, "--batch", 8)  # fmt: skip
    fill(tmp_path / "new", HERBS[4], range(12))
    run("-m", "herbdemo", "extend", tmp_path / "new", "--name", "more", "--model", "own")
    report = json.loads(run("-m", "herbdemo", "evaluate", herbs, "--model", "more", "--json"))
    assert report["photos"] == 48
    row = json.loads(run("-m", "herbdemo", "recognise", photos[0], "--model", "more", "--json"))
    assert len(row["answers"][0]["candidates"]) == 4
