"""pth.py: checkpoints of other people's PyTorch code, and files that only pretend to be some."""

import collections
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import toys
from torch import nn

from benchmarks.fuzz import peak
from herbdemo.pth import MAX_BYTES, read_pth


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """A few of a ResNet-50's weights; whether all are there is for others to say."""
    return {
        "conv1.weight": torch.rand(64, 3, 7, 7),
        "layer1.0.conv1.weight": torch.rand(64, 64, 1, 1),
        "layer1.0.bn1.num_batches_tracked": torch.tensor(7),
        "fc.weight": torch.rand(3, 2048),
        "fc.bias": torch.rand(3),
    }


def saved(folder: Path, value: object, **options) -> Path:
    path = folder / "herbs.pth"
    torch.save(value, path, **options)
    return path


def prefixed(prefix: str, state: dict) -> dict:
    return {prefix + name: value for name, value in state.items()}


def with_dropout(state: dict) -> dict:
    return {name.replace("fc.", "fc.1."): value for name, value in state.items()}


WRAPPED = {
    "bare": lambda s: s,
    "ordered": collections.OrderedDict,
    "parameters": lambda s: {
        k: nn.Parameter(v) if v.is_floating_point() else v for k, v in s.items()
    },
    "state_dict": lambda s: {"state_dict": s, "epoch": 60},
    "model": lambda s: {"model": s, "optimizer": {"state": {0: {"step": 1}}, "param_groups": []}},
    "net": lambda s: {"best_acc": 0.5, "net": s},
    "module.": lambda s: prefixed("module.", s),
    "both": lambda s: {"state_dict": prefixed("module.", s)},
    "in a class of its own": lambda s: prefixed("backbone.", s) | {"extra": torch.rand(2)},
    "profiled": lambda s: (
        s | {"total_ops": torch.zeros(1), "layer1.0.total_params": torch.zeros(1)}
    ),
    "head with dropout": with_dropout,
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", WRAPPED)
def test_the_weights_are_found(tmp_path, state, kind, zipped):
    path = saved(tmp_path, WRAPPED[kind](state), _use_new_zipfile_serialization=zipped)
    found, labels = read_pth(path)
    assert labels is None
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_the_names_of_the_classes_come_along(tmp_path, state):
    path = saved(tmp_path, {"state_dict": state, "class_to_idx": {"b": 1, "c": 2, "a": 0}})
    assert read_pth(path)[1] == ("a", "b", "c")
    assert read_pth(saved(tmp_path, {"model": state, "classes": ["x", "y", "z"]}))[1] == (
        "x",
        "y",
        "z",
    )


SPOILT_NAMES = {
    "none": {"classes": []},
    "a number left out": {"class_to_idx": {"a": 1, "b": 3}},
    "an empty name": {"names": ["a", ""]},
    "other things": {"classes": 908, "labels": None},
}


@pytest.mark.parametrize("kind", SPOILT_NAMES)
def test_names_that_are_no_list_are_none(tmp_path, state, kind):
    found, labels = read_pth(saved(tmp_path, {"state_dict": state, **SPOILT_NAMES[kind]}))
    assert labels is None
    assert found.keys() == state.keys()


class Evil:
    """Makes a file when a pickle of it is opened as its maker meant."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def whole_module() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("inside", ["alone", "beside weights"])
def test_code_in_a_pickle_does_not_run(tmp_path, state, inside, zipped):
    marker = tmp_path / "ran"
    value = Evil(marker) if inside == "alone" else {"state_dict": state, "x": Evil(marker)}
    path = saved(tmp_path, value, _use_new_zipfile_serialization=zipped)
    error = toys.refusal(read_pth, path)
    assert error.hint == "weights-pickle"
    assert "save model.state_dict() in place of model" in error.en
    assert not marker.exists()
    torch.load(path, weights_only=False)  # it would have run
    assert marker.exists()


def test_a_bare_pickle_does_not_run(tmp_path):
    path = tmp_path / "herbs.pth"
    path.write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    assert toys.refusal(read_pth, path).hint in ("weights-damaged", "weights-pickle")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_module_is_refused_with_the_way_out(tmp_path, zipped):
    path = saved(tmp_path, whole_module(), _use_new_zipfile_serialization=zipped)
    error = toys.refusal(read_pth, path)
    assert error.hint == "weights-pickle"
    assert "state_dict" in error.zh


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_torchscript_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "herbs.pt"
    torch.jit.save(torch.jit.trace(whole_module(), torch.zeros(1, 3, 4, 4)), path)
    assert toys.refusal(read_pth, path).hint == "weights-pickle"


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.99])
def test_truncated_files(tmp_path, state, share, zipped):
    path = saved(tmp_path, state, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert toys.refusal(read_pth, path).hint == "weights-damaged"


@pytest.mark.parametrize(
    "data", [b"hello", b"PK\3\4", bytes(range(256)) * 40, b"\x80\x02.", b"version https://git-lfs"]
)
def test_other_files(tmp_path, data):
    path = tmp_path / "herbs.pth"
    path.write_bytes(data)
    assert toys.refusal(read_pth, path).hint in ("weights-damaged", "weights-other-network")


def test_another_network(tmp_path):
    path = saved(tmp_path, whole_module().state_dict())
    assert toys.refusal(read_pth, path).hint == "weights-other-network"


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "herbs.pth"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # a hole: it takes no room
    assert toys.refusal(read_pth, path).hint == "weights-too-large"


def repacked(path: Path, method: int, change: Callable[[str, bytes], bytes]) -> Path:
    """The checkpoint with its entries packed anew and changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, change(name, data))
    return path


def behind(bomb: bytes, good: bytes) -> bytes:
    """A zip of which zipfile sees `good`; who goes where the end says finds the bomb."""
    return bomb[:-22] + good[:-22] + bomb[-22:]


def large_end(start: int, size: int, named: int, entries: int) -> bytes:
    """The records with which torch ends a zip, of which the first is said to be at `named`."""
    last = (0, 0, entries, entries, size, start, 0)
    return (
        struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, start)
        + struct.pack("<4sLQL", b"PK\6\7", 0, named, 1)
        + struct.pack("<4s4H2LH", b"PK\5\6", *last)
    )


def behind_a_large_end(bomb: bytes, good: bytes) -> bytes:
    """The same by two of the records that only large zips need, and that torch writes always."""
    entries, _, size, start = struct.unpack("<2H2L", bomb[-14:-2])
    body = bomb[:-22] + large_end(start, size, 0, entries)[:56]
    there = len(body) + struct.unpack("<L", good[-6:-2])[0]
    return body + good[:-22] + large_end(there, size, len(body) - 56, entries)


BOMBS = {
    "as it is": lambda bomb, good: bomb,
    "no zip to zipfile": lambda bomb, good: bomb + b"PK\5\6",
    "with a comment": lambda bomb, good: bomb[:-2] + b"\5\0hello",
    "behind another": behind,
    "behind another large one": behind_a_large_end,
}


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.parametrize("record", ["data/0", "data.pkl"])
def test_a_zip_bomb_is_not_unpacked(tmp_path, state, kind, record):
    def swell(name: str, data: bytes) -> bytes:
        return data + bytes(64 << 20) if name.endswith(record) else data

    path = repacked(saved(tmp_path, state), zipfile.ZIP_STORED, lambda _, data: data)
    good = path.read_bytes()
    bomb = repacked(path, zipfile.ZIP_DEFLATED, swell).read_bytes()
    path.write_bytes(BOMBS[kind](bomb, good))
    assert path.stat().st_size < 8 << 20
    before = peak(reset=True)
    assert toys.refusal(read_pth, path).hint == "weights-damaged"
    assert peak() - before < 16 << 20


def test_a_large_pickle_is_not_read_whatever_its_name(tmp_path, state):
    path = repacked(saved(tmp_path, state), zipfile.ZIP_STORED,
                    lambda name, data: data + bytes(33 << 20) * name.endswith(".pkl"))  # fmt: skip
    assert toys.refusal(read_pth, path).hint == "weights-too-large"
    path.write_bytes(path.read_bytes().replace(b"/data.pkl", b"/DATA.PKL"))  # torch finds it, too
    assert toys.refusal(read_pth, path).hint == "weights-too-large"


def test_a_tensor_that_says_it_is_larger_than_its_numbers(tmp_path, state):
    def swell(name: str, data: bytes) -> bytes:
        return data.replace(b"M\x00\x08", b"M\xff\xff") if name.endswith(".pkl") else data

    path = saved(tmp_path, state)
    assert read_pth(repacked(path, zipfile.ZIP_STORED, lambda _, data: data))
    assert toys.refusal(read_pth, repacked(path, zipfile.ZIP_STORED, swell)).hint == (
        "weights-damaged"
    )


def holds_itself(state: dict) -> dict:
    value: dict = {"state_dict": state}
    for key in ("class_to_idx", "idx_to_class", "class_names", "classes", "labels", "names"):
        value[key] = value
    return value


def in_circles(state: dict) -> dict:
    """A hundred dicts, each of which holds all of them; by as many ways as 100 to the fourth."""
    rings: list[dict] = [{} for _ in range(100)]
    for ring in rings:
        ring.update({f"{i}": other for i, other in enumerate(rings)})
    return rings[0] | {"state_dict": state}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("made", [holds_itself, in_circles])
def test_dicts_that_hold_themselves(tmp_path, state, made, zipped):
    value = made(state)
    started = time.process_time()
    found, labels = read_pth(saved(tmp_path, value, _use_new_zipfile_serialization=zipped))
    assert labels is None
    assert found.keys() == state.keys()
    del value["state_dict"]
    path = saved(tmp_path, value, _use_new_zipfile_serialization=zipped)
    assert toys.refusal(read_pth, path).hint == "weights-other-network"
    assert time.process_time() - started < 5


def test_what_is_no_plain_tensor_is_no_weight(tmp_path, state):
    odd = {
        "layer1.0.conv1.weight": torch.rand(64, 64, 1, 1).to_sparse(),
        "fc.weight": torch.empty(3, 2048, device="meta"),
    }
    found = toys.refusal(read_pth, saved(tmp_path, state | odd))
    assert found.hint == "weights-other-network"
