"""checkpoint.py: saved and loaded whole; whatever is wrong with the files, its own sentence."""

import hashlib
import io
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import toys
from PIL import Image
from toys import GONE, model_copy, refusal

from herbdemo import checkpoint as module
from herbdemo.architectures import network_from_state, new_network
from herbdemo.checkpoint import (
    CARD,
    SCHEMA,
    WEIGHTS,
    Checkpoint,
    Preprocessing,
    load_checkpoint,
    read_card,
    save_checkpoint,
)
from herbdemo.errors import HerbError
from herbdemo.network import with_head
from herbdemo.registry import Registry

# Saving and loading


@torch.inference_mode()
def test_what_is_saved_is_what_is_loaded(toy, toy_model):
    assert toy_model.id == toy.id
    assert toy_model.herbs == toy.herbs
    assert toy_model.preprocessing == toy.preprocessing
    assert toy_model.temperature == toy.temperature
    assert toy_model.thresholds == toy.thresholds
    assert toy_model.card["note"] == "a toy"
    assert toy_model.statistics.keys() == toy.statistics.keys()
    for name, value in toy.statistics.items():
        assert torch.equal(toy_model.statistics[name], value)
    assert not any(m.training for m in toy_model.network.modules())

    state = toy.network.state_dict()
    for name, value in toy_model.network.state_dict().items():
        assert torch.equal(value, state[name].half().float() if value.ndim == 4 else state[name])
    x = toy.preprocessing.tensor(toys.herb_picture("党参", 1))[None]
    before, after = toy.network(x), toy_model.network(x)
    torch.testing.assert_close(after, before, atol=0.02, rtol=0.01)  # convolutions in fp16
    assert before.argmax() == after.argmax()


def test_the_card_on_disk_is_for_people_and_programs(toy_folder, toy_model):
    text = (toy_folder / CARD).read_text("utf-8")
    assert "金银花" in text  # readable, not escaped
    card = json.loads(text)
    assert card["schema"] == SCHEMA
    assert card["architecture"] == "resnet50"
    assert card["sha256"] == sha256((toy_folder / WEIGHTS).read_bytes()).hexdigest()
    assert card["sha256"] == toy_model.sha256
    assert sorted(path.name for path in toy_folder.iterdir()) == [CARD, WEIGHTS]
    assert (toy_folder / WEIGHTS).stat().st_size < 60e6


def test_saving_says_what_was_written(toy, tmp_path):
    saved = save_checkpoint(toy, tmp_path / "deep" / "down" / "toy")
    assert json.loads(json.dumps(saved.card)) == read_card(tmp_path / "deep" / "down" / "toy")
    assert saved.sha256 == saved.card["sha256"]
    assert toy.sha256 == ""


def test_a_model_loads_whatever_the_length_of_its_header(toy, tmp_path):
    """A header length of 128 modulo 256 makes the first byte that of a pickle."""
    first = set()
    for extra in range(0, 256, 8):
        data = safetensors.torch.save({"x" * (extra + 1): torch.zeros(1)})
        first.add(data[0])
        if data[0] == 0x80:
            folder = crafted(tmp_path, data)
            assert refusal(load_checkpoint, folder).hint == "weights-other-network"  # not a pickle
    assert 0x80 in first


def test_preprocessing_sees_the_whole_photo():
    image = Image.new("RGB", (300, 100), (255, 0, 0))
    image.paste((0, 0, 255), (290, 0, 300, 100))  # the outermost columns count too
    x = Preprocessing(size=60, mean=(0, 0, 0), std=(1, 1, 1)).tensor(image)
    assert x.shape == (3, 60, 60)
    assert x.dtype == torch.float32
    torch.testing.assert_close(
        x[:, :, :56], torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 60, 56)
    )
    torch.testing.assert_close(
        x[:, :, -1], torch.tensor([0.0, 0, 1])[:, None].expand(3, 60), atol=0.15, rtol=0
    )


def test_preprocessing_normalises_as_imagenet_networks_expect():
    x = Preprocessing(size=32).tensor(Image.new("RGB", (32, 32), (255, 128, 0)))
    expected = (np.array([255, 128, 0]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(x[:, 5, 5], expected, rtol=1e-5)


# What is refused


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return (open, (str(self.marker), "w"))


def crafted(
    tmp_path: Path,
    data: bytes,
    *,
    honest: bool = True,
    herbs: tuple = ("a",),
    architecture: str = "resnet50",
) -> Path:
    """A model folder with these bytes as its weights, whose card, if honest, has their sha256."""
    folder = tmp_path / f"crafted-{random.getrandbits(40)}"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(data)
    card = {
        "schema": SCHEMA,
        "id": "crafted",
        "architecture": architecture,
        "herbs": list(herbs),
        "preprocessing": {"size": 64, "mean": [0.5] * 3, "std": [0.5] * 3},
        "temperature": 1.0,
        "thresholds": {},
        "sha256": sha256(data).hexdigest() if honest else "0" * 64,
    }
    (folder / CARD).write_text(json.dumps(card), "utf-8")
    return folder


def torch_zip(tmp_path: Path, thing: object) -> bytes:
    torch.save(thing, tmp_path / "evil.pth")
    return (tmp_path / "evil.pth").read_bytes()


@pytest.mark.parametrize("honest", [True, False], ids=["right sha256", "wrong sha256"])
@pytest.mark.parametrize("kind", ["protocol 2", "protocol 4", "protocol 5", "torch zip"])
def test_a_pickle_is_refused_and_never_runs(kind, honest, tmp_path):
    marker = tmp_path / "it-ran"
    if kind == "torch zip":
        data = torch_zip(tmp_path, Bomb(marker))
        torch.load(io.BytesIO(data), weights_only=False)
    else:
        data = pickle.dumps(Bomb(marker), protocol=int(kind[-1]))
        pickle.loads(data)
    marker.unlink()  # the bomb is real
    error = refusal(load_checkpoint, crafted(tmp_path, data, honest=honest))
    assert error.hint == "weights-pickle"
    assert "really a pickle" in error.en
    assert not marker.exists()


def test_a_pickle_of_protocol_0_is_damaged_weights_and_never_runs(tmp_path):
    marker = tmp_path / "it-ran"
    data = pickle.dumps(Bomb(marker), protocol=0)  # plain text, which nothing gives away
    assert refusal(load_checkpoint, crafted(tmp_path, data)).hint == "weights-damaged"
    assert not marker.exists()


@pytest.fixture(scope="module")
def breakable(toy_folder, tmp_path_factory):
    """A copy of the toy whose weights a test may change, and has to mend."""
    folder = model_copy(toy_folder, tmp_path_factory.mktemp("breakable") / "toy")
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).unlink()  # was the same file as the toy's
    (folder / WEIGHTS).write_bytes(data)
    return folder


def flip(file: Path, position: int) -> None:
    with file.open("r+b") as stream:
        stream.seek(position)
        byte = stream.read(1)[0]
        stream.seek(position)
        stream.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("place", [0, 7, 8, 500, 0.25, 0.5, -1], ids=lambda place: f"byte {place}")
def test_one_flipped_bit_is_noticed(breakable, place):
    size = (breakable / WEIGHTS).stat().st_size
    position = int(place * size) if isinstance(place, float) else place % size
    flip(breakable / WEIGHTS, position)
    try:
        error = refusal(load_checkpoint, breakable)
    finally:
        flip(breakable / WEIGHTS, position)
    assert error.hint == "weights-damaged"
    assert "The weights file is damaged" in error.en


def test_a_loaded_model_looks_at_its_file_no_more(breakable, toy_model):
    data = (breakable / WEIGHTS).read_bytes()
    loaded = load_checkpoint(breakable)
    with (breakable / WEIGHTS).open("r+b") as file:  # other bytes in the same file
        file.write(bytes(len(data)))
    try:
        for name, value in toy_model.network.state_dict().items():
            assert torch.equal(loaded.network.state_dict()[name], value), name
        for name, value in toy_model.statistics.items():
            assert torch.equal(loaded.statistics[name], value), name
    finally:
        (breakable / WEIGHTS).write_bytes(data)


def test_weights_exchanged_after_they_were_checked_are_refused(breakable, tmp_path, monkeypatch):
    folder = model_copy(breakable, tmp_path / "m")
    check = hashlib.file_digest

    def check_and_exchange(*given):
        found = check(*given)
        shutil.copy(breakable / WEIGHTS, tmp_path / "other")
        (tmp_path / "other").replace(folder / WEIGHTS)
        return found

    monkeypatch.setattr(hashlib, "file_digest", check_and_exchange)
    assert refusal(load_checkpoint, folder).hint == "weights-damaged"


def bare(kind: str, shape: list[int], size: int) -> bytes:
    """A head in safetensors as torch would never write it."""
    told = {"dtype": kind, "shape": shape, "data_offsets": [0, size]}
    header = json.dumps({"network.fc.weight": told}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


def cut(data: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "four bytes": data[:4],
        "half a header": data[:200],
        "header only": data[: 8 + int.from_bytes(data[:8], "little")],
        "all but the last byte": data[:-1],
        "one byte more": data + b"\0",
        "a header of 2**60 bytes": b"\0" * 7 + b"\x10" + b"{" + data[9:400],
        "not safetensors": b"hello, I am a text file\n" * 10,
        "a header that is no JSON": (16).to_bytes(8, "little") + b"{not json at all",
        "numbers of four bits": bare("F4", [1, 4096], 2048),
        "2**63 rows of nothing": bare("F16", [2**63, 0], 0),
    }


@pytest.mark.parametrize("name", cut(b""))
def test_truncated_weights_are_refused_also_when_the_card_agrees(name, tmp_path):
    data = safetensors.torch.save({"network.fc.weight": torch.zeros(1, 2048)})
    error = refusal(load_checkpoint, crafted(tmp_path, cut(data)[name]))
    assert error.hint == "weights-damaged"


def test_weights_of_another_network(tmp_path):
    data = safetensors.torch.save({"network.fc.weight": torch.zeros(1, 512)})
    assert refusal(load_checkpoint, crafted(tmp_path, data)).hint == "weights-other-network"


CHANGES = {
    "a herb more": ({"herbs": [*toys.HERBS, "人参"]}, "herbs-mismatch", "lists 8 herbs"),
    "a herb less": ({"herbs": toys.HERBS[:-1]}, "herbs-mismatch", "lists 6 herbs"),
    "no herbs": ({"herbs": []}, "card-damaged", "card.json is damaged"),
    "a herb twice": ({"herbs": [*toys.HERBS[:-1], "党参"]}, "herbs-twice", "a herb twice"),
    "newer": ({"schema": SCHEMA + 1}, "card-newer", "A newer version of this program"),
    "no schema": ({"schema": GONE}, "card-damaged", "card.json is damaged"),
    "another's sha256": ({"sha256": "0" * 64}, "weights-damaged", "not the one its card"),
}
PROOF = {
    "before": {"model": "old", "n": 9, "top1": 0.9, "interval": [0.6, 1.0], "ece": 0.01},
    "after": {"n_old": 9, "old_top1": 1.0, "old_interval": [0.7, 1], "n_new": 0, "new_top1": None,
              "new_interval": None, "ece": 0.01, "temperature": 0.1},
    "held_out": {"old": "kept", "new": ""},
    "per_herb": {"党参": {"n": 9, "before": None, "after": 1.0}},
    "confusion": [["党参", "党参", 9]],
    "mistakes": [{"file": "党参/1.jpg", "herb": "党参", "answer": "菊花", "probability": 0.9}],
}  # fmt: skip
MISTAKE = PROOF["mistakes"][0]
CHANGES |= {
    f"{field} {value!r}"[:60]: ({field: value}, "card-damaged", "card.json is damaged")
    for field, values in {
        "id": (GONE, 7, None),
        "herbs": (GONE, "党参", {"党参": 1}, [1, 2, 3, 4, 5, 6, 7], None),
        "sha256": (GONE, 1, None, "../../x", "A" * 64),
        "temperature": (
            GONE,
            "1",
            None,
            0,
            -1.5,
            float("nan"),
            float("inf"),
            [1],
            True,
            1e-9,
            10**400,
        ),
        "thresholds": (GONE, [], None, {"certain": "0.9"}, {"certain": 10**400}),
        "base": (1, [], {}, {"herbs": ["党参"], "temperature": 1, "thresholds": {}, "metrics": {}}),
        "added": (None, {}, [["党参", "0"]]),
        "preprocessing": (
            GONE,
            None,
            [],
            {},
            {"size": 224},
            {"size": "224", "mean": [0] * 3, "std": [1] * 3},
            {"size": 10**9, "mean": [0] * 3, "std": [1] * 3},
            {"size": 224, "mean": [0] * 4, "std": [1] * 3},
            {"size": 224, "mean": "abc", "std": [1] * 3},
            {"size": 224, "mean": [0] * 3, "std": [1, 1, 0]},
            {"size": 224, "mean": 0.5, "std": 0.5},
            {"size": 224, "mean": [10**400] * 3, "std": [1] * 3},
        ),
        "metrics": (
            *(None, [], "x", {"val": "x"}, {"test": [1]}, {"val": {"top1": "x"}}),
            *({"val": {"top1_interval": [1]}}, {"test": {"photos": "9"}}),
            {"val": {"top1": float("inf")}},
            {"val": {"top1": 10**400}},
        ),
        "proof": ("x", 1, [], {}, {"before": {}}),
        "note": (float("nan"), "\ud800"),
    }.items()
    for value in values
}
CHANGES |= {
    f"proof {part} {value!r}"[:60]: (
        {"proof": PROOF | {part: value}},
        "card-damaged",
        "card.json is damaged",
    )
    for part, values in {
        "before": (None, 1, {"n": "x"}, {"interval": 0.5}, {"top1": float("nan")}),
        "after": (None, [], {"old_top1": "x"}, {"new_interval": ["a", "b"]}, {"ece": []}),
        "per_herb": (None, [1], {"党参": 1}, {"党参": {"after": "x"}}),
        "confusion": (
            None,
            "x",
            [1],
            [["a", "b"]],
            [["a", 1, 1]],
            [["a", "b", 0]],
            [["a", "b", 1.5]],
        ),
        "mistakes": (
            None,
            {},
            ["x"],
            [{}],
            [MISTAKE | {"file": 1}],
            [MISTAKE | {"file": "a\0"}],
            [MISTAKE | {"probability": "x"}],
            [MISTAKE | {"answer": None}],
        ),
    }.items()
    for value in values
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_card_that_does_not_fit_is_refused_with_its_own_sentence(name, toy_folder, tmp_path):
    changes, hint, words = CHANGES[name]
    error = refusal(load_checkpoint, model_copy(toy_folder, tmp_path / "m", **changes))
    assert error.hint == hint
    assert words in error.en


@pytest.mark.parametrize("spoilt", ["the head", "the bank", "the counts", "the moment"])
def test_what_a_model_keeps_fits_it(spoilt, toy, tmp_path):
    fc, statistics = toy.network.fc, dict(toy.statistics)
    if spoilt == "the head":
        network = with_head(toy.network, fc.weight, fc.bias * float("nan"))
        toy = replace(toy, network=network)
    elif spoilt == "the bank":
        statistics["bank"] = statistics["bank"][:, 1:]
    elif spoilt == "the moment":  # as light networks have it
        statistics["covariance"] = torch.zeros(fc.in_features * (fc.in_features + 1) // 2)
    else:
        statistics["count"] = statistics["count"][1:]
    save_checkpoint(replace(toy, statistics=statistics), tmp_path / "m")
    assert refusal(load_checkpoint, tmp_path / "m").hint == "weights-damaged"


@pytest.fixture(scope="module")
def light_tensors() -> dict[str, torch.Tensor]:
    """Those in the file of a light model of two herbs; all it kept of its photos is zero."""
    network = new_network("mnasnet", 2)
    features = network.fc.in_features
    kept = {"count": torch.zeros(2), "sum": torch.zeros(2, features),
            "covariance": torch.zeros(features * (features + 1) // 2).half()}  # fmt: skip
    return {
        **{f"network.{name}": value for name, value in network.state_dict().items()},
        **{f"statistics.{name}": value for name, value in kept.items()},
    }


MOMENTS = {
    "no counts": {"count": None},
    "no sums": {"sum": None},
    "sums of 30,000 features": {"count": torch.zeros(1), "sum": torch.zeros(1, 30_000)},
    "sums of none": {"sum": torch.zeros(2, 0)},
    "a flat sum": {"sum": torch.zeros(1280)},
    "a count too many": {"count": torch.zeros(3)},
    "a count in rows": {"count": torch.zeros(2, 1)},
    "whole counts": {"count": torch.zeros(2, dtype=torch.int64)},
    "a count below zero": {"count": -torch.ones(2)},
    "a sum turned round": {"sum": torch.zeros(1280, 2)},
    "a sum of no numbers": {"sum": torch.full((2, 1280), torch.nan)},
    "herbs too many": {"count": torch.zeros(9), "sum": torch.zeros(9, 1280)},
    "a covariance of one": {"covariance": torch.zeros(1)},
    "a square covariance": {"covariance": torch.zeros(1280, 1280)},
    "complex numbers": {"sum": torch.zeros(2, 1280, dtype=torch.complex64)},
    "infinite": {"covariance": torch.full((819_840,), torch.inf).half()},
    "not a number": {"covariance": torch.full((819_840,), torch.nan)},
}


@pytest.mark.parametrize("name", MOMENTS)
def test_a_second_moment_is_made_only_of_what_fits(name, light_tensors, tmp_path, monkeypatch):
    changed = {f"statistics.{key}": value for key, value in MOMENTS[name].items()}
    tensors = {k: v for k, v in (light_tensors | changed).items() if v is not None}
    folder = crafted(
        tmp_path, safetensors.torch.save(tensors), herbs=("a", "b"), architecture="mnasnet"
    )
    monkeypatch.delattr(module, "_between")  # which takes memory for as many features as it is told
    assert refusal(load_checkpoint, folder).hint == "weights-damaged"


def test_a_second_moment_beyond_all_numbers_is_refused(light_tensors, tmp_path):
    huge = {"statistics.count": torch.full((2,), 1e38),
            "statistics.covariance": torch.full((819_840,), 6e4).half()}  # fmt: skip
    for tensors, sound in ((light_tensors, True), (light_tensors | huge, False)):
        data = safetensors.torch.save(tensors)
        folder = crafted(tmp_path, data, herbs=("a", "b"), architecture="mnasnet")
        if sound:
            assert not load_checkpoint(folder).statistics["moment"].any()
        else:
            assert refusal(load_checkpoint, folder).hint == "weights-damaged"


def test_a_card_with_sound_figures_is_read(toy_folder, tmp_path):
    metrics = {"val": {"photos": 9, "top1": 0.9, "top1_interval": None}, "mistakes": [MISTAKE]}
    folder = model_copy(toy_folder, tmp_path / "m", metrics=metrics, proof=PROOF)
    assert read_card(folder)["proof"] == PROOF
    assert read_card(folder)["metrics"] == metrics


NO_CARDS = {
    "empty": b"",
    "text": b"this is no card",
    "half": b'{"schema": 1, "id": "toy", "herbs": ["a"',
    "not UTF-8": b'{"schema": 1, "id": "\xff\xfe"}',
    "a list": b"[1, 2]",
    "null": b"null",
    "a number": b"1",
    "very deep": b"[" * 100_000,
    "a pickle": pickle.dumps({"schema": 1}),
}


@pytest.mark.parametrize("name", NO_CARDS)
def test_a_card_that_is_none(name, tmp_path):
    (tmp_path / CARD).write_bytes(NO_CARDS[name])
    assert refusal(load_checkpoint, tmp_path).hint == "card-damaged"


def test_missing_files_have_their_own_sentences(toy_folder, tmp_path):
    folder = model_copy(toy_folder, tmp_path / "m")
    (folder / WEIGHTS).unlink()
    error = refusal(load_checkpoint, folder)
    assert error.hint == "weights-missing"
    assert "lacks model.safetensors" in error.en
    (folder / CARD).unlink()
    error = refusal(load_checkpoint, folder)
    assert error.hint == "card-missing"
    assert "lacks card.json" in error.en
    assert refusal(load_checkpoint, tmp_path / "nowhere").hint == "card-missing"


# Whole or not at all


@pytest.mark.parametrize("there", ["a folder", "a file"])
def test_saving_never_overwrites(there, toy, tmp_path):
    target = tmp_path / "toy"
    if there == "a folder":
        target.mkdir()
        (target / "mine.txt").write_text("mine")
    else:
        target.write_text("mine")
    error = refusal(save_checkpoint, toy, target)
    assert error.hint == "model-exists"
    assert "“toy”" in error.en
    assert (target / "mine.txt" if target.is_dir() else target).read_text() == "mine"
    assert list(tmp_path.iterdir()) == [target]


def test_a_save_that_fails_leaves_nothing(toy, tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HerbError, match="disk is full"):
        save_checkpoint(toy, tmp_path / "toy")
    assert list(tmp_path.iterdir()) == []


# Saves once to see how long it takes, then again and again with a kill somewhere in that time.
KILLER = """
import os, random, signal, sys, time, torch
torch.set_num_threads(1)
from herbdemo.checkpoint import Checkpoint, Preprocessing, save_checkpoint
from herbdemo.network import ResNet50
with torch.device("meta"):
    network = ResNet50(2)
network = network.to_empty(device="cpu").eval()
for value in network.state_dict().values():
    value.zero_()
checkpoint = Checkpoint("toy", network, ("a", "b"), Preprocessing(size=32))

def save(number, seconds):
    started, child = time.perf_counter(), os.fork()
    if child == 0:
        save_checkpoint(checkpoint, f"{sys.argv[1]}/m{number}")
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return time.perf_counter() - started

random.seed(0)
kills, whole = int(sys.argv[2]), save(0, None)
for number in range(1, kills + 1):
    save(number, whole * random.uniform(number - 1, number) / kills)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_save_killed_at_any_moment_leaves_no_half_model(home):
    models, kills = home / "models", 6
    subprocess.run(
        [sys.executable, "-c", KILLER, str(models), str(kills)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # a process with threads may not fork
        cwd=Path(__file__).parent.parent,
        check=True,
    )
    registry = Registry(shipped=home / "none", own=home)
    listed = registry.list()
    assert "m0" in {model.id for model in listed}
    assert len(listed) <= kills, "no save was killed"
    for model in listed:
        assert model.problem is None
        assert registry.load(model.id).herbs == ("a", "b")
    rest = {path.name for path in models.iterdir()} - {model.id for model in listed}
    assert all(name.startswith(".saving-") for name in rest)


def test_two_saves_of_one_name_at_once_give_one_model(toy, tmp_path):
    def save(_number: int) -> str:
        try:
            return save_checkpoint(toy, tmp_path / "toy").sha256
        except module.HerbError as error:
            return error.hint

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(save, range(2)))
    assert results[1] == "model-exists"
    assert load_checkpoint(tmp_path / "toy").sha256 == results[0]
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_network_that_ran_channels_last_is_saved_the_same(toy, toy_model, tmp_path):
    network = network_from_state(toy.network.state_dict()).to(memory_format=torch.channels_last)
    saved = save_checkpoint(Checkpoint(**{**vars(toy), "network": network}), tmp_path / "toy")
    assert saved.sha256 == toy_model.sha256
