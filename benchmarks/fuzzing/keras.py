"""Weights of Keras that other programs wrote, in files of HDF5."""

import contextlib
import io
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.fuzzing.networks import shrink_networks
from benchmarks.fuzzing.target import Seeds
from benchmarks.mutate import mutated, text

if TYPE_CHECKING:
    import h5py


@cache
def keras_seeds() -> Seeds:
    """Files of HDF5 in the layouts of Keras, of a stem, one block and a head."""
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
    for layout in ("weights", "whole", "three", "nested"):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            root = file.create_group("model_weights") if layout == "whole" else file
            if layout != "three":
                root.attrs["layer_names"] = [name.encode() for name, _ in layers]
            if layout == "nested":  # as a network within another one has it
                layers = [(f"net/{name}", shapes) for name, shapes in layers]
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


_UNDOABLE = (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
KERAS_TOKENS = (b"\x89HDF\r\n\x1a\n", b"OHDR", b"TREE", b"SNOD", b"HEAP", b"GCOL", b"FRHP", b"layer_names",
                b"weight_names", b"conv2d_1", b"\xff" * 8, b"\0" * 8)  # fmt: skip


def change_keras(data: bytes, others: Seeds, rng: Random) -> bytes:
    if rng.random() < 0.5:
        data = tampered(data, rng)
        if rng.random() < 0.8:
            return data
    return mutated(data, others, KERAS_TOKENS, rng)


def tampered(data: bytes, rng: Random) -> bytes:
    """The file with links, names, attributes and datasets that Keras does not write, by h5py."""
    import h5py

    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        for _ in range(rng.choice((1, 1, 2, 3))):
            places: list[str] = []
            file.visit(places.append)
            if places:
                # What cannot be done, such as to a thing that is gone, is left.
                with contextlib.suppress(*_UNDOABLE):
                    rng.choice(_WAYS)(file, places, rng)
    return stream.getvalue()


def _link(file: "h5py.File", places: list[str], rng: Random) -> None:
    """A link to a file beside it, to one that never opens, to another place, up, or to itself."""
    import h5py

    at, to = rng.choice(places), "/" + rng.choice(places)
    way = rng.randrange(6)
    if way < 2:
        link = h5py.ExternalLink(("other.h5", "pipe.h5")[way], rng.choice(("/", "/" + at, to)))
    elif way == 2:
        link = h5py.ExternalLink(rng.choice(("given.h5", "nowhere.h5", "/dev/zero", "")), to)
    elif way == 3:
        link = h5py.SoftLink(rng.choice((to, "/" + at, ".", "..", "/nowhere")))
    else:
        link = file[to] if way == 4 else file["/"]
    if rng.random() < 0.5:
        del file[at]
        file[at] = link
    else:
        file["ext"] = link
        _rename(file, places, rng, prefix="ext/")


def _rename(file: "h5py.File", places: list[str], rng: Random, prefix: str = "") -> None:
    """One of the names that a list of layers or weights holds."""
    lists = [(at, key) for at in ("/", *places) for key in file[at].attrs if key.endswith("_names")]
    at, key = rng.choice(lists)
    names = [n.decode() if isinstance(n, bytes) else n for n in file[at].attrs[key]]
    where = rng.randrange(len(names))
    old, (head, _, tail) = names[where], names[where].partition("/")
    names[where] = prefix + old if prefix else rng.choice((
        "", ".", "..", "/", "/" + old, "./" + old, "../" + old, old + "/", f"{head}//{tail}",
        f"{head}/./{tail}", f"{head}/../{old}", "/" + rng.choice(places), rng.choice(places),
        rng.choice(names), text(rng),
    ))  # fmt: skip
    many = rng.choice((1, 1, 1, 1, 9, 1001))
    file[at].attrs[key] = [n.encode("utf-8", "surrogatepass") for n in names * many]


def _retype(file: "h5py.File", places: list[str], rng: Random) -> None:
    """An attribute of another kind."""
    import h5py

    at = rng.choice(("/", "/", *places))
    key = rng.choice((*file[at].attrs, "layer_names", "layer_names0", "weight_names", "name",
                      "model_config"))  # fmt: skip
    file[at].attrs[key] = rng.choice((
        0, 1.5, b"x", "x" * 9000, h5py.Empty("f"), np.zeros((3, 3)), np.zeros(0), [b"a", b"b"], [["a"]],
        file[at].ref, np.array([b"\xff\0\xff"]), '{"config": {"layers": []}}', '{"config": 1}',
        "[" * 3000, '{"config": {"layers": [{"config": {"name": []}}]}}',
    ))  # fmt: skip


def _replace(file: "h5py.File", places: list[str], rng: Random) -> None:
    """A dataset by one of another kind, or by a group; a group by a dataset."""
    import h5py

    at, way = rng.choice(places), rng.randrange(10)
    shape = getattr(file[at], "shape", (3,))
    whole = np.ones(shape, np.float32)
    del file[at]
    if way == 0:
        file.create_dataset(at, data=whole.reshape(-1), chunks=True, compression="gzip")
    elif way == 1:
        file.create_dataset(at, (2**20, 2**20), np.float32, chunks=(64, 64))
    elif way == 2:
        file.create_dataset(at, shape, np.float32, external=[("other.h5", 0, 1 << 20)])
    elif way == 3:
        layout = h5py.VirtualLayout(shape, np.float32)
        layout[...] = h5py.VirtualSource("other.h5", "w", shape)
        file.create_virtual_dataset(at, layout)
    elif way == 4:
        file[at] = whole.astype(rng.choice((">f4", "f2", "f8", "i4", "c8", "?")))
    elif way == 5:
        file[at] = rng.choice(("text", 7.0, np.zeros(0, np.float32)))
    elif way == 6:
        file.create_dataset(at, shape, h5py.ref_dtype)
    elif way == 7:
        file[at] = np.zeros(shape, [("a", "f4"), ("b", "i2")])
    elif way == 8:
        file[at] = np.dtype(np.float32)  # a type that has a name
    else:
        file.create_group(at)


_WAYS = (_link, _link, _rename, _rename, _retype, _replace)
MARK = -7.25  # all numbers of the file beside the given one


def _fill(found, number: float) -> None:
    if hasattr(found, "shape"):
        found[...] = number


def take_kerases(folder: Path) -> Callable[[bytes], object]:
    """A file of Keras -> the numbers of the network that is looked for, here one of a block."""
    import h5py

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

    (folder / "other.h5").write_bytes(keras_seeds()[0])
    with h5py.File(folder / "other.h5", "r+") as other:
        other["w"] = np.zeros(3, np.float32)
        other.visititems(lambda _, found: _fill(found, MARK))
    os.mkfifo(folder / "pipe.h5")  # whoever opens it waits for ever

    def take(data: bytes) -> None:
        (folder / "given.h5").write_bytes(data)
        state = keras_h5.read_keras(folder / "given.h5")
        assert state["fc.weight"].shape[1] == 8
        assert not any((value == MARK).any() for value in state.values()), "of another file"

    return take
