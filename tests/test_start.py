"""Where a training starts, and that what cannot be a start is refused with a sentence."""

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from toys import model_copy, refusal

from herbdemo.engine import TorchEngine
from herbdemo.errors import HerbError
from herbdemo.registry import Registry
from herbdemo.start import start_from


@pytest.fixture
def registry(toy_folder, tmp_path) -> Registry:
    """A registry whose models are the toy, in use, and another."""
    registry = Registry(shipped=tmp_path / "none", own=tmp_path / "own")
    for name in ("other", "toy"):
        model_copy(toy_folder, registry.new_folder(name))
    registry.activate("toy")
    return registry


def test_a_training_starts_from_a_model_with_all_it_knows(registry, toy_model):
    x = torch.rand(1, 3, 32, 32)
    for init, name in (("toy", "toy"), ("other", "other"), ("active", "toy")):
        start = start_from(init, registry)
        assert start.name == start.model.id == name
        assert start.preprocessing == toy_model.preprocessing
        again = TorchEngine(start.network).features(x)
        assert (again == TorchEngine(toy_model.network).features(x)).all()


def test_a_training_starts_from_a_file_or_from_nothing(registry, toy_model, tmp_path):
    file = tmp_path / "weights.safetensors"
    save_file({k: v.contiguous() for k, v in toy_model.network.state_dict().items()}, file)
    start = start_from(str(file), registry)
    assert torch.equal(start.network.conv1.weight, toy_model.network.conv1.weight)
    assert (start.model, start.name) == (None, "weights.safetensors")
    assert start_from("scratch", registry).network.fc.out_features == 1000


def test_a_training_starts_from_a_light_network(registry, tmp_path, monkeypatch):
    torch.manual_seed(0)
    theirs = timm.create_model("tf_efficientnet_lite0")
    file = tmp_path / "timm.safetensors"
    save_file(theirs.state_dict(), file)
    monkeypatch.setattr(timm, "create_model", lambda name, **options: theirs)  # as if downloaded
    for init in (str(file), "imagenet"):
        start = start_from(init, registry, network="efficientnet-lite0")
        assert start.network.architecture == "efficientnet-lite0"
        assert torch.equal(start.network.conv_stem.weight, theirs.conv_stem.weight)
        # The photos come as its authors prepared them.
        x = start.preprocessing.tensor(Image.new("RGB", (64, 64), (127, 255, 0)), size=(32, 32))
        torch.testing.assert_close(x[:, 0, 0], torch.tensor([0.0, 1.0, -127 / 128]))


def test_without_a_connection_there_is_a_sentence(registry, monkeypatch):
    def offline(name: str, **options: object) -> None:
        raise ConnectionError("https://somewhere/weights.bin")

    monkeypatch.setattr(timm, "create_model", offline)
    error = refusal(start_from, "imagenet", registry, network="ghostnet")
    assert error.hint == "init-download"
    assert "timm" in error.en
    assert "http" not in error.en + error.zh


@pytest.mark.parametrize(
    ("init", "hint"),
    [("nowhere.safetensors", "init-file"), ("nobody", "model-missing"), ("../x", "model-missing")],
)
def test_what_cannot_be_a_start_is_refused(registry, init, hint):
    with pytest.raises(HerbError) as caught:
        start_from(init, registry)
    assert caught.value.hint == hint


def test_another_network_than_the_models_own_is_refused(registry):
    assert start_from("toy", registry, network="resnet50").model.id == "toy"
    error = refusal(start_from, "toy", registry, network="ghostnet")
    assert error.hint == "init-other-network"
    assert refusal(start_from, "imagenet", registry, network="vgg16").hint == "no-such-network"
