"""What other programs wrote: checkpoints of PyTorch, weights of Keras."""

import io
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.fuzzing.networks import shrink_networks
from benchmarks.fuzzing.target import Seeds
from benchmarks.fuzzing.zips import ZIP_TOKENS, entries_of, lying, zip_of
from benchmarks.mutate import mutated, text


@cache
def pth_seeds() -> Seeds:
    """Checkpoints of PyTorch: bare, wrapped, prefixed, old and new; and two with code in them."""
    import pickle

    import torch

    from herbdemo import network

    shrink_networks()
    torch.manual_seed(0)
    net = network.ResNet50(3)
    state, seeds = dict(net.state_dict()), []
    prefixed = {f"module.{name}": value for name, value in state.items()}
    whole = {"epoch": 3, "state_dict": prefixed, "classes": ["党参", "当归", "x"], "loss": 0.5}
    for held, new in ((state, True), (state, False), (whole, True), ({"model": state}, False),
                      ([1, "x", None, state], True)):  # fmt: skip
        stream = io.BytesIO()
        torch.save(held, stream, _use_new_zipfile_serialization=new)
        seeds.append(stream.getvalue())
    return (*seeds, pickle.dumps(_Bomb(), 2), pickle.dumps({"state_dict": _Bomb()}, 4))


class _Bomb:
    """Unpickling it makes a folder."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("it-ran",)


PTH_TOKENS = (*ZIP_TOKENS, b"\x80\2", b"\x80\4", b"cposix\nsystem\n", b"c__builtin__\neval\n", b"R", b"b", b"(", b"t.",
              b"ctorch._utils\n_rebuild_tensor_v2\n", b"data.pkl", b"byteorder", b"QK\0", b"\x8a\x09")  # fmt: skip


def change_pth(data: bytes, others: Seeds, rng: Random) -> bytes:
    if data[:2] == b"PK" and rng.random() < 0.6:
        entries = entries_of(data)
        inner = [e for e in entries if e["name"].endswith(("data.pkl", "version", "byteorder"))]
        for entry in entries:
            entry["method"] = 0
        if inner and rng.random() < 0.8:
            one = rng.choice((inner[0], rng.choice(inner)))
            one["data"] = mutated(one["data"], [one["data"]], PTH_TOKENS, rng)
            return zip_of(entries, rng)
        return zip_of(lying(entries, lambda name, rng: name[:7] + text(rng), rng), rng)
    return mutated(data, others, PTH_TOKENS, rng)


def take_pths(folder: Path) -> Callable[[bytes], object]:
    """A checkpoint of someone else's -> the network in it; nothing in it runs."""
    from herbdemo.foreign import read_foreign

    shrink_networks()
    os.chdir(folder)

    def take(data: bytes) -> None:
        (folder / "given.pth").write_bytes(data)
        try:
            foreign = read_foreign(folder / "given.pth")
        finally:
            assert not (folder / "it-ran").exists()
        assert foreign.network.fc.out_features >= 2

    return take


@cache
def keras_seeds() -> Seeds:
    """Files of HDF5 in the three layouts of Keras, of a stem, one block and a head."""
    import h5py

    rng = np.random.default_rng(0)
    kernels = ((7, 7, 3, 4), (1, 1, 4, 2), (3, 3, 2, 2), (1, 1, 2, 8), (3, 3, 4, 8))
    layers = [("zero_padding2d", ())]
    for number, shape in enumerate(kernels):
        end = f"_{number}" if number else ""
        layers += [
            (f"conv2d{end}", (shape, shape[-1:])),
            (f"batch_normalization{end}", (shape[-1:],) * 4),
        ]
    layers.append(("dense", ((8, 3), (3,))))
    seeds = []
    for layout in ("weights", "whole", "three"):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            root = file.create_group("model_weights") if layout == "whole" else file
            if layout != "three":
                root.attrs["layer_names"] = [name.encode() for name, _ in layers]
            for name, shapes in layers:
                if layout == "three" and not shapes:
                    continue
                group = root.create_group(f"layers/{name}/vars" if layout == "three" else name)
                names = [
                    str(i) if layout == "three" else f"{name}/w{i}:0" for i in range(len(shapes))
                ]
                if layout != "three":
                    group.attrs["weight_names"] = [name.encode() for name in names]
                for path, shape in zip(names, shapes, strict=True):
                    group.create_dataset(path, data=rng.random(shape, np.float32))
        seeds.append(stream.getvalue())
    return tuple(seeds)


KERAS_TOKENS = (b"\x89HDF\r\n\x1a\n", b"OHDR", b"TREE", b"SNOD", b"HEAP", b"GCOL", b"FRHP", b"layer_names",
                b"weight_names", b"conv2d_1", b"\xff" * 8, b"\0" * 8)  # fmt: skip


def change_keras(data: bytes, others: Seeds, rng: Random) -> bytes:
    return mutated(data, others, KERAS_TOKENS, rng)


def take_kerases(folder: Path) -> Callable[[bytes], object]:
    """A file of Keras -> the numbers of the network that is looked for, here one of a block."""
    from herbdemo import keras_h5

    shrink_networks()
    shapes = {
        "conv1": (1, 1, 4, 2),
        "conv2": (3, 3, 2, 2),
        "conv3": (1, 1, 2, 8),
        "shortcut": (3, 3, 4, 8),
    }
    place = keras_h5._Place
    stem, block = (
        [place("stem", (7, 7, 3, 4), 2)],
        [place(f"layer1.0.{n}", s) for n, s in shapes.items()],
    )
    keras_h5._places, keras_h5.FEATURES = lambda: iter((stem, block)), 8

    def take(data: bytes) -> None:
        (folder / "given.h5").write_bytes(data)
        state = keras_h5.read_keras(folder / "given.h5")
        assert state["fc.weight"].shape[1] == 8

    return take
