"""export.py and browser.py: other programs answer and explain as this one does."""

import http.server
import io
import json
import math
import re
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from torch import nn
from toys import HERBS, SIZE, herb_photo, herb_picture, lively, model_copy, refusal
from typer.testing import CliRunner

from herbdemo import browser, cli, export, portable
from herbdemo.architectures import LIGHT, new_network
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.network import HerbNet, KerasResNet50
from herbdemo.photo import open_photo
from herbdemo.recognise import Answer, Recogniser
from herbdemo.registry import Registry
from herbdemo.scores import Head

DOCS, EXAMPLES = (Path(__file__).parent.parent / name for name in ("docs", "examples"))
TOLERANCE = 1e-4  # of the largest number


@pytest.fixture(scope="module")
def answers(recogniser: Recogniser) -> list[Answer]:
    photos = [open_photo(path) for path in sorted(EXAMPLES.glob("*.jpg"))]
    return recogniser.recognise(photos)


@pytest.fixture(scope="module")
def files(recogniser: Recogniser, tmp_path_factory) -> tuple[Path, Path]:
    """The shipped model as ONNX and as OpenVINO has it, from one run of the exporter."""
    folder = tmp_path_factory.mktemp("exported") / "new"
    model = export.onnx_model(recogniser.checkpoint)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "onnx_model", lambda checkpoint: model)
        return (
            export.export_onnx(recogniser.checkpoint, folder / "herbs.onnx"),
            export.export_openvino(recogniser.checkpoint, folder / "herbs.xml"),
        )


def in_onnxruntime(file: Path, photos: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(file)
    return dict(zip(export.OUTPUTS, session.run(None, {"photos": photos}), strict=True))


def in_openvino(file: Path, photos: np.ndarray) -> dict[str, np.ndarray]:
    # Otherwise some CPUs work in bfloat16.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    found = openvino.Core().compile_model(file, "CPU", exact)({"photos": photos})
    return {name: found[name] for name in export.OUTPUTS}


def seen(recogniser: Recogniser, answers: list[Answer]) -> np.ndarray:
    """The photos as anybody would resize them: RGB in 0..255."""
    preprocessing = recogniser.checkpoint.preprocessing
    plain = replace(preprocessing, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255))
    return np.stack([plain.tensor(answer.photo.image).numpy() for answer in answers])


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    return np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize(
    ("given", "expected"),
    [("herbs", "herbs.xml"), ("a.XML", "a.xml"), ("v1.2", "v1.2.xml"), ("b.xml", "b.xml")],
)
def test_openvino_files_have_the_endings_that_it_asks_for(
    given, expected, toy_folder, tmp_path, home, monkeypatch
):
    small = onnx.load_from_string(browser.preparing(8))
    monkeypatch.setattr(export, "onnx_model", lambda checkpoint: small)
    model_copy(toy_folder, home / "models" / "toy")
    target = tmp_path / "out" / given
    assert exported(target, "--format", "openvino") == str(target.with_name(expected))
    names = {expected, expected.removesuffix(".xml") + ".bin"}
    assert {file.name for file in target.parent.iterdir()} == names
    openvino.Core().read_model(target.with_name(expected))


@pytest.fixture(scope="module", params=[in_onnxruntime, in_openvino])
def found(request, files, recogniser, answers) -> dict[str, np.ndarray]:
    """What another runtime finds in the photos of `answers`."""
    return request.param(files[request.param is in_openvino], seen(recogniser, answers))


def test_another_runtime_finds_the_same(found, recogniser, answers):
    A = np.stack([answer.features for answer in answers])
    pooled = A.mean((2, 3))
    head = recogniser.head
    assert close(found["feature_map"], A)
    assert close(found["pooled"], pooled)
    assert close(found["scores"], head.logits(pooled) / head.temperature)
    assert close(found["familiarity"], head.familiarity(pooled))
    odds = np.exp(found["scores"] - found["scores"].max(1, keepdims=True))
    odds /= odds.sum(1, keepdims=True)
    for answer, row in zip(answers, odds, strict=True):
        best = answer.candidates[0]
        assert answer.herbs[row.argmax()] == best.herb.zh
        assert row.max() == pytest.approx(best.probability, rel=TOLERANCE)


def test_heatmaps_are_made_of_the_outputs_alone(found, answers):
    for answer, evidence in zip(answers, found["evidence"], strict=True):
        for candidate in answer.candidates:
            positive = np.maximum(evidence[answer.herbs.index(candidate.herb.zh)], 0)
            shown = (positive - positive.min()) / (np.ptp(positive) + 1e-7)
            assert np.abs(shown - answer.heatmap(candidate.herb.zh)).max() < TOLERANCE
        a, b = (answer.herbs.index(c.herb.zh) for c in answer.candidates[:2])
        contrast = evidence[a] - evidence[b]
        contrast /= np.abs(contrast).max()
        names = (c.herb.zh for c in answer.candidates[:2])
        assert np.abs(contrast - answer.contrast(*names)).max() < TOLERANCE


class TailedNet(HerbNet):
    """The least network with a tail such as GhostNet's."""

    architecture = "tailed"

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 32, stride=32)
        self.conv = nn.Conv2d(8, 32, 1)
        self.activation = activation
        self.fc = nn.Linear(32, len(HERBS))

    def parts(self) -> list[list[nn.Module]]:
        return [[self.stem]]

    def tail(self) -> list[nn.Module]:
        return [self.conv, self.activation]


SETTINGS = Preprocessing(size=SIZE, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def random_model(network: HerbNet) -> Checkpoint:
    """A model with this network; what it keeps of its photos is random."""
    with torch.no_grad():
        network.fc.weight.normal_()
        if network.tail():  # so that its activation is met on all of its pieces
            network.tail()[0].bias.uniform_(-4, 4)
    rows = network.fc.in_features * (1 + network.signed)
    kept = {"basis": torch.randn(rows, 5), "bank": torch.randn(9, 5)}
    return Checkpoint("random", network.eval(), HERBS, SETTINGS, 0.5, statistics=kept)


def two_photos(height: int, width: int) -> torch.Tensor:
    """Of herbs: on noise, which it never saw, a random network blows rounding errors up."""
    pictures = (herb_picture(herb, 1, size=(width, height)) for herb in HERBS[:2])
    return torch.from_numpy(np.stack([np.float32(p).transpose(2, 0, 1) for p in pictures]))


def explains(found: dict[str, np.ndarray], model: Checkpoint, photos: torch.Tensor) -> bool:
    """Whether it is what torch finds, and the evidence that with the gradients of the scores."""
    network = model.network
    A = network.features((photos / 255 - 0.5) / 0.25).detach().requires_grad_()
    assert A.shape[2:] == tuple(math.ceil(side / 32) for side in photos.shape[2:])
    embedded = network.embed(A.mean((2, 3)))
    scores = network.fc(embedded) / model.temperature
    maps = []
    for k in range(len(HERBS)):
        (gradient,) = torch.autograd.grad(scores[:, k].sum(), A, retain_graph=True)
        maps.append((gradient.sum((2, 3), keepdim=True) * A).sum(1))
    expected = {"feature_map": A, "scores": scores, "evidence": torch.stack(maps, 1)}
    return all(close(found[name], value.detach().numpy()) for name, value in expected.items()) and (
        close(found["familiarity"], Head.of(model).familiarity(embedded.detach().numpy()))
    )


@pytest.mark.parametrize("activation", [nn.ReLU(inplace=True), nn.Hardswish(inplace=True)])
def test_a_network_with_a_tail_explains_itself(activation, tmp_path):
    """With gradients that are for each photo its own."""
    model = random_model(TailedNet(activation))
    file = export.export_onnx(model, tmp_path / "a.onnx")
    photos = two_photos(SIZE, 2 * SIZE)
    assert explains(in_onnxruntime(file, photos.numpy()), model, photos)


@pytest.fixture(scope="module", params=[*LIGHT, KerasResNet50.architecture])
def other(request, tmp_path_factory) -> tuple[Checkpoint, Path]:
    """A model with another network than the default one's, and as ONNX has it."""
    torch.manual_seed(0)
    model = random_model(lively(new_network(request.param, len(HERBS)), SETTINGS))
    return model, export.export_onnx(model, tmp_path_factory.mktemp("other") / "other.onnx")


@pytest.mark.parametrize("run", [in_onnxruntime, in_openvino])
def test_every_network_explains_itself(other, run):
    model, file = other
    for sides in ((64, 96), (33, 65)):  # odd ones are padded otherwise
        photos = two_photos(*sides)
        assert explains(run(file, photos.numpy()), model, photos)


def test_features_of_both_signs_are_familiar_as_they_are_here():
    """As those of the original's Keras network are, whose basis has two rows for each."""
    network = TailedNet(nn.ReLU())
    network.signed = True
    model = random_model(network)
    embedded = torch.randn(4, network.fc.in_features)
    found = export._Explained(model).familiarity(embedded)
    assert close(found.numpy(), Head.of(model).familiarity(embedded.numpy()))


def test_any_number_of_photos_of_any_size(files, recogniser):
    session = onnxruntime.InferenceSession(files[0])
    for shape in ((1, 3, 224, 224), (3, 3, 64, 96), (2, 3, 33, 257)):
        photos = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
        A, _, scores, evidence, _ = session.run(None, {"photos": photos})
        cells = (-(-shape[2] // 32), -(-shape[3] // 32))
        assert A.shape[2:] == evidence.shape[2:] == cells
        assert scores.shape == (shape[0], len(recogniser.herbs))
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    assert session.get_outputs()[3].shape == ["batch", 31, "rows", "columns"]


def test_what_a_program_must_know_is_in_the_files(files, recogniser):
    text = onnxruntime.InferenceSession(files[0]).get_modelmeta().custom_metadata_map["herbdemo"]
    said = json.loads(text)
    assert [herb["zh"] for herb in said["herbs"]] == list(recogniser.checkpoint.herbs)
    assert {"zh", "pinyin", "latin", "en", "toxic", "toxic_zh"} == set(said["herbs"][0])
    poisons = {(herb["toxic"], herb["toxic_zh"]) for herb in said["herbs"]}
    assert poisons == {("", ""), ("slightly toxic", "小毒")}
    assert said["size"] == 224
    assert said["thresholds"] == dict(recogniser.checkpoint.thresholds)
    assert said["sha256"] == recogniser.checkpoint.sha256
    assert openvino.Core().read_model(files[1]).get_rt_info("herbdemo").astype(str) == text


def test_nothing_in_the_files_tells_of_this_computer(files):
    here = (str(Path(export.__file__).parent), str(Path(torch.__file__).parent), "stack_trace")
    for file in (files[0], files[1], files[1].with_suffix(".bin")):
        data = file.read_bytes()
        assert not [name for name in here if name.encode() in data], file.name


def test_sixteen_bits_where_nothing_is_lost(files):
    for file in (files[0], files[1].with_suffix(".bin")):
        weights = Registry().folder(Registry().active_id()) / "model.safetensors"
        assert file.stat().st_size < weights.stat().st_size


def test_the_lines_in_the_docs_run(files, monkeypatch, capsys):
    pages = [(DOCS / name).read_text("utf-8") for name in ("export.md", "export.zh-CN.md")]
    blocks, twins = (re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", page) for page in pages)
    assert blocks == twins
    monkeypatch.chdir(files[0].parent)
    Path("examples").symlink_to(EXAMPLES)
    for language, code in blocks:
        if language == "python":
            exec(code, {})
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"月季花 9\d\.\d% True \(7, 7\)", first)
    assert second == "31 (1, 31) (1, 31, 7, 7)"


# The page


def package(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def registry_of_npm(monkeypatch) -> Iterator[list[str]]:
    """A registry with a tiny package; what it was asked for."""
    asked = []
    data = package({name: name.encode() for name in browser.RUNTIME})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(browser, "ADDRESS", f"http://127.0.0.1:{server.server_port}/runtime.tgz")
    monkeypatch.setattr(browser, "SHA512", browser.sha512(data))
    yield asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_network(monkeypatch, toy):
    """The exporter is not run: these tests are of what is around the network."""
    model = browser.preparing(8)

    class Model:
        def SerializeToString(self):  # noqa: N802
            return model

    monkeypatch.setattr(browser, "onnx_model", lambda checkpoint: Model())


def test_the_runtime_is_fetched_once(registry_of_npm, no_network, toy, tmp_path):
    for name in ("one", "two"):
        folder = browser.export_page(toy, tmp_path / name)
    assert registry_of_npm == ["/runtime.tgz"]
    names = {"index.html", "NOTICE.txt", "model.onnx", "prepare.onnx", "herbs.json"}
    assert {file.name for file in folder.iterdir()} == names | set(browser.RUNTIME)
    assert refusal(browser.export_page, toy, folder).hint == "export-exists"


def test_a_damaged_copy_is_fetched_again(registry_of_npm, no_network, toy, tmp_path, home):
    home.mkdir()
    (home / browser.PACKAGE).write_bytes(b"half of it")
    browser.export_page(toy, tmp_path / "page")
    assert len(registry_of_npm) == 1


def test_a_runtime_that_cannot_be_kept_is_used_all_the_same(
    registry_of_npm, no_network, toy, tmp_path, home
):
    home.write_bytes(b"")  # so that nothing can be written into it
    folder = browser.export_page(toy, tmp_path / "page")
    assert set(browser.RUNTIME) < {file.name for file in folder.iterdir()}


def test_a_name_that_no_disk_takes_is_refused(registry_of_npm, no_network, toy, tmp_path):
    error = refusal(browser.export_page, toy, tmp_path / ("a" * 300))
    assert error.hint == "export-unwritable"
    assert not list(tmp_path.iterdir())
    (tmp_path / "link").symlink_to("nowhere")
    assert refusal(browser.export_page, toy, tmp_path / "link").hint == "export-exists"


def test_only_the_very_package_is_taken(registry_of_npm, no_network, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "SHA512", "another")
    assert refusal(browser.export_page, toy, tmp_path / "page").hint == "runtime-damaged"
    (tmp_path / "other.tgz").write_bytes(package({}))
    given = {"runtime": tmp_path / "other.tgz"}
    assert refusal(browser.export_page, toy, tmp_path / "page", **given).hint == "runtime-damaged"
    assert not (tmp_path / "page").exists()


def test_without_a_connection_the_runtime_is_given(no_network, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "ADDRESS", "http://127.0.0.1:9/runtime.tgz")
    assert refusal(browser.export_page, toy, tmp_path / "page").hint == "runtime-unreachable"
    given = {"runtime": tmp_path / "nothing"}
    assert refusal(browser.export_page, toy, tmp_path / "page", **given).hint == "runtime-missing"
    (tmp_path / "package" / "dist").mkdir(parents=True)
    for name in browser.RUNTIME:
        (tmp_path / "package" / "dist" / name).write_bytes(b"code")
    folder = browser.export_page(toy, tmp_path / "page", runtime=tmp_path / "package")
    assert (folder / browser.RUNTIME[0]).read_bytes() == b"code"


def test_photos_are_resized_as_everywhere(toy):
    session = onnxruntime.InferenceSession(browser.preparing(64))
    for herb in toy.herbs:
        image = herb_photo(herb, 1).image.resize((301, 190))
        (found,) = session.run(None, {"rgba": np.asarray(image.convert("RGBA"))})
        expected = np.asarray(image.resize((64, 64), 2)).transpose(2, 0, 1)
        assert found.shape == (1, 3, 64, 64)
        assert np.abs(found[0] - expected).mean() < 0.2


# The command line


def exported(target: Path, *options: str) -> str:
    """What `models export toy` prints."""
    result = CliRunner().invoke(cli.app, ["models", "export", "toy", str(target), *options])
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_the_name_says_what_is_written(toy_folder, tmp_path, home, monkeypatch):
    written = []
    for module, name in ((export, "export_onnx"), (export, "export_openvino"),
                         (browser, "export_page"), (portable, "export_zip")):  # fmt: skip
        monkeypatch.setattr(
            module, name, lambda _, *given, name=name, **__: written.append(name) or given[-1]
        )
    model_copy(toy_folder, home / "models" / "toy")
    assert exported(tmp_path / "a.ONNX") == str(tmp_path / "a.ONNX")
    exported(tmp_path / "a.xml")
    exported(tmp_path / "a", "--format", "page")
    exported(tmp_path / "a.model", "--format", "onnx")
    for name in ("b.zip", "b"):
        exported(tmp_path / name)
    names = ("onnx", "openvino", "page", "onnx", "zip", "zip")
    assert written == [f"export_{name}" for name in names]


def test_what_cannot_be_exported_is_refused(toy, tmp_path, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("basic_ios::clear: iostream error")  # as OpenVINO says it

    (tmp_path / "file").write_bytes(b"")
    small = onnx.load_from_string(browser.preparing(8))
    monkeypatch.setattr(export, "onnx_model", lambda checkpoint: small)
    target = tmp_path / "file" / "a.onnx"
    assert refusal(export.export_onnx, toy, target).hint == "export-unwritable"
    monkeypatch.setattr(openvino, "save_model", full)
    assert refusal(export.export_openvino, toy, tmp_path / "a.xml").hint == "export-unwritable"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert refusal(export.export_onnx, toy, tmp_path / "a.onnx").hint == "export-not-installed"
    assert not (tmp_path / "a.onnx").exists()
