"""keras_h5.py and KerasResNet50: the same numbers as Keras, and nothing but numbers from a file."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import toys

from herbdemo.architectures import network_from_state
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.engine import TorchEngine
from herbdemo.foreign import read_foreign
from herbdemo.heatmap import class_maps
from herbdemo.keras_h5 import read_keras
from herbdemo.network import KerasResNet50
from herbdemo.openvino_engine import OpenVinoEngine, converted
from herbdemo.quantise import limits_of

h5py = pytest.importorskip("h5py")
HERBS = 5


def keras_network(layers, model):
    """The network as the original's Keras code lays it out."""

    def conv_bn(x, filters, kernel, strides=1, padding="same"):
        x = layers.Conv2D(filters, kernel, strides, padding, activation="relu")(x)
        return layers.BatchNormalization()(x)

    x = given = layers.Input((224, 224, 3))
    x = conv_bn(layers.ZeroPadding2D(3)(x), 64, 7, 2, "valid")
    x = layers.MaxPooling2D(3, 2, "same")(x)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        for block in range(blocks):
            strides = 2 if stage and not block else 1
            y = conv_bn(conv_bn(x, width, 1, strides), width, 3)
            y = conv_bn(y, 4 * width, 1)
            x = layers.add([y, x if block else conv_bn(x, 4 * width, 3, strides)])
    x = layers.Flatten()(layers.AveragePooling2D(7)(x))
    return model(given, layers.Dense(HERBS, activation="softmax")(x))


@pytest.fixture(scope="module")
def keras():
    os.environ["KERAS_BACKEND"] = "torch"
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def theirs(keras):
    """Keras's network, as if trained: no weight is what a layer starts with."""
    network = keras_network(keras.layers, keras.Model)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        values = layer.get_weights()
        if len(values) == 4:  # gamma, beta, mean, variance
            ranges = ((0.4, 0.8), (-0.2, 0.2), (0, 0.3), (0.5, 1.5))
            layer.set_weights(
                [rng.uniform(*r, len(v)) for r, v in zip(ranges, values, strict=True)]
            )
        elif values:
            layer.set_weights([values[0], rng.normal(0, 0.1, len(values[1]))])
    return network


@pytest.fixture(scope="module")
def seen(keras, theirs):
    """Photos (N, H, W, 3), and what Keras makes of them: A (N, h, w, C), and probabilities."""
    x = np.random.default_rng(1).normal(size=(1, 224, 224, 3)).astype(np.float32)
    inside = keras.Model(theirs.input, [theirs.layers[-4].output, theirs.output])
    return x, *(keras.ops.convert_to_numpy(y) for y in inside(x))


@pytest.fixture(scope="module")
def files(keras, theirs, tmp_path_factory) -> dict[str, Path]:
    """The weights in the three layouts."""
    folder = tmp_path_factory.mktemp("h5")
    paths = {kind: folder / f"{kind}.weights.h5" for kind in ("keras 3", "weights", "whole")}
    theirs.save_weights(paths["keras 3"])
    theirs.save(folder / "whole.h5")
    paths["whole"] = folder / "whole.h5"
    with h5py.File(paths["whole"]) as whole, h5py.File(paths["weights"], "w") as weights:
        for name in whole["model_weights"]:  # `save_weights` of Keras 2 writes it so
            whole.copy(f"model_weights/{name}", weights)
        for name, value in whole["model_weights"].attrs.items():
            weights.attrs[name] = value
    return paths


@pytest.mark.parametrize("kind", ["keras 3", "weights", "whole"])
def test_it_sees_what_keras_sees(files, seen, kind):
    x, A, probabilities = seen
    ours = network_from_state(read_keras(files[kind]), "keras-resnet50")
    photos = torch.from_numpy(x).permute(0, 3, 1, 2)
    with torch.inference_mode():
        mine = ours.features(photos)
        answer = ours(photos).softmax(1)
    assert A.min() < -0.1
    np.testing.assert_allclose(mine.permute(0, 2, 3, 1).numpy(), A, atol=1e-4)
    np.testing.assert_allclose(answer.numpy(), probabilities, atol=1e-4)
    if kind == "whole":  # the map in closed form, and by the gradient as Grad-CAM has it
        A = mine.clone().requires_grad_()
        ours.fc(ours.embed(A.mean((2, 3))))[0, 2].backward()
        by_gradient = (A.grad.mean((2, 3))[:, :, None, None] * A).sum(1)[0].detach().numpy()
        in_closed_form = class_maps(mine[0].numpy(), ours.fc.weight[[2]].numpy())[0] / 49
        np.testing.assert_allclose(in_closed_form, by_gradient, atol=1e-4)


# After the tests above, as these spoil the files.


def test_a_network_that_was_made_otherwise_is_refused(files):
    with h5py.File(files["whole"], "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layer = next(x for x in config["config"]["layers"] if x["class_name"] == "Conv2D")
        layer["config"]["activation"] = "linear"
        file.attrs["model_config"] = json.dumps(config)
    assert toys.refusal(read_keras, files["whole"]).hint == "weights-other-network"


@pytest.mark.parametrize(("old", "new"), [("add_3", "activation_3"), ("zero_padding2d", "x")])
def test_layers_in_another_order_are_refused(files, old, new):
    with h5py.File(files["weights"], "r+") as file:
        names = [str(name) for name in file.attrs["layer_names"]]
        file.move(old, new)
        file.attrs["layer_names"] = [new if name == old else name for name in names]
        assert toys.refusal(read_keras, files["weights"]).hint == "weights-other-network"
        file.move(new, old)
        file.attrs["layer_names"] = names


def test_weights_that_are_no_numbers_are_refused(files):
    with h5py.File(files["keras 3"], "r+") as file:
        file["layers/dense/vars/1"][0] = np.nan
    assert toys.refusal(read_foreign, files["keras 3"]).hint == "weights-not-finite"


def test_a_truncated_file_is_refused(files):
    os.truncate(files["keras 3"], 100_000_000)
    assert toys.refusal(read_keras, files["keras 3"]).hint == "weights-damaged"


def dense(file, name="dense"):
    """A group of weights as Keras 3 writes them."""
    return file.require_group(f"layers/{name}/vars")


def external_link(file):
    dense(file)["0"] = h5py.ExternalLink("other.h5", "/secret")


def soft_link(file):
    file["secret"] = np.zeros((2048, 5), np.float32)
    dense(file)["0"] = h5py.SoftLink("/secret")


def soft_linked_group(file):
    dense(file, "real")
    file["layers/dense"] = h5py.SoftLink("/layers/real")


def virtual(file):
    layout = h5py.VirtualLayout((2048, 5), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "secret", (2048, 5))
    dense(file).create_virtual_dataset("0", layout)


def external_storage(file):
    dense(file).create_dataset("0", (4,), np.float32, external=[("/etc/hostname", 0, 16)])


def huge(file):
    dense(file).create_dataset("0", (2048, 1 << 40), np.float32, chunks=(1, 1024))


def packed(file):
    dense(file).create_dataset("0", data=np.zeros((2048, 5), np.float32), compression="gzip")


def text(file):
    dense(file)["0"] = "weights"


def references(file):
    dense(file).create_dataset("0", (5,), h5py.ref_dtype)


def many_layers(file):
    for i in range(1001):
        file.create_group(f"layers/x{i}")


def many_names(file):
    file.attrs["layer_names"] = ["a"] * 1001


def a_group_for_an_array(file):
    dense(file).create_group("0")


def an_array_for_a_group(file):
    file["layers"] = np.zeros(3)


def nothing(file):
    pass


def one_layer(file):
    dense(file)["0"] = np.zeros((2048, 5), np.float32)
    dense(file)["1"] = np.zeros(5, np.float32)


def named(layer, weight="w", **links):
    """A file whose `layer_names` and `weight_names` say these, for what else is in it."""

    def write(file):
        real = file.create_group("real/g")
        real["w"] = np.zeros((2048, 5), np.float32)
        real["f32"] = np.dtype(np.float32)
        for name, link in links.items():
            file[name] = real[name] = link
        file.attrs["layer_names"] = [layer]
        for group in (real, file["real"], file):
            group.attrs["weight_names"] = [weight]

    write.__name__ = f"{layer} {weight}"
    return write


OUT, ALIAS = h5py.ExternalLink("other.h5", "/"), h5py.SoftLink("/real")
WAITS = h5py.ExternalLink("pipe.h5", "/")  # who opens it waits for ever

HOSTILE = {
    named("ext/g", ext=OUT): "weights-links",
    named("ext/none", ext=OUT): "weights-links",
    named("ext", ext=OUT): "weights-links",
    named("alias/g", alias=ALIAS): "weights-links",
    named("real/g/pipe/x", pipe=WAITS): "weights-links",
    named("pipe/g", pipe=WAITS): "weights-links",
    named("real/g", "ext/secret", ext=OUT): "weights-links",
    named("real/g", "alias/g/w", alias=ALIAS): "weights-links",
    named("real/g", "pipe/w", pipe=WAITS): "weights-links",
    named("/real/g"): "weights-damaged",
    named("real//g"): "weights-damaged",
    named("real/g/"): "weights-damaged",
    named("./real/g"): "weights-damaged",
    named("real/../real/g"): "weights-damaged",
    named("."): "weights-damaged",
    named(""): "weights-damaged",
    named("none/g"): "weights-damaged",
    named("real/g/w"): "weights-damaged",
    named("real/g/w/x"): "weights-damaged",
    named("real/g/f32/x"): "weights-damaged",
    named("real/g", "/real/g/w"): "weights-damaged",
    named("real/g", "../g/w"): "weights-damaged",
    named("real/g", "./w"): "weights-damaged",
    named("real/g", ""): "weights-damaged",
    named("real/g", "w/x"): "weights-damaged",
    named("real/g", "f32"): "weights-damaged",
    named("real/g"): "weights-other-network",  # no trick, and one layer alone
    external_link: "weights-links",
    soft_link: "weights-links",
    soft_linked_group: "weights-links",
    virtual: "weights-damaged",
    external_storage: "weights-damaged",
    huge: "weights-damaged",
    packed: "weights-damaged",
    text: "weights-damaged",
    references: "weights-damaged",
    a_group_for_an_array: "weights-damaged",
    an_array_for_a_group: "weights-damaged",
    many_layers: "weights-other-network",
    many_names: "weights-other-network",
    nothing: "weights-other-network",
    one_layer: "weights-other-network",
}


@pytest.mark.parametrize("write", HOSTILE, ids=lambda write: write.__name__)
def test_hostile_files(tmp_path, write):
    path = tmp_path / "herbs.h5"
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = other["g/w"] = np.zeros((2048, 5), np.float32)
        other["g"].attrs["weight_names"] = ["w"]
    if hasattr(os, "mkfifo"):  # not on Windows
        os.mkfifo(tmp_path / "pipe.h5")
    with h5py.File(path, "w") as file:
        write(file)
    assert toys.refusal(read_keras, path).hint == HOSTILE[write]


def test_what_is_no_hdf5(tmp_path):
    path = tmp_path / "herbs.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert toys.refusal(read_foreign, path).hint == "weights-damaged"


def test_without_h5py_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    error = toys.refusal(read_keras, tmp_path / "herbs.h5")
    assert error.hint == "h5py-missing"
    assert "pip install h5py" in error.en


@pytest.mark.parametrize("size", [(64, 64), (97, 130)])
@torch.inference_mode()
def test_its_map_covers_photos_of_any_size(size):
    network = KerasResNet50(2).eval()
    stages = network.stages(torch.rand(1, 3, *size))
    assert [s.shape[2:] for s in stages] == [
        tuple(-(-side // stride) for side in size) for stride in (4, 8, 16, 32)
    ]


@torch.inference_mode()
def test_openvino_sees_what_torch_sees():
    network = KerasResNet50(2).eval().requires_grad_(False)
    engine = OpenVinoEngine(converted(Checkpoint("", network, (), Preprocessing())), "f32")
    for size in ((64, 64), (97, 130)):  # converted by a photo of even sides
        x = torch.rand(1, 3, *size)
        np.testing.assert_allclose(engine.features(x), network.features(x).numpy(), atol=1e-4)


def test_eight_bits_leave_it_alone():
    network = KerasResNet50(2).eval().requires_grad_(False)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.bias.fill_(-0.5)
    assert not limits_of(TorchEngine(network), [torch.rand(1, 3, 64, 64)])
