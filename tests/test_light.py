"""light.py: timm's light networks run through the same code as the ResNet-50, tail or none."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import toys
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from safetensors import safe_open
from timm.layers import Conv2dSame
from torch import Tensor

from herbdemo.architectures import ARCHITECTURES, LIGHT, network_from_state, new_network
from herbdemo.checkpoint import WEIGHTS, Checkpoint, Preprocessing, load_checkpoint, save_checkpoint
from herbdemo.dataset import scan
from herbdemo.discriminant import covariance, moments
from herbdemo.evaluate import evaluate
from herbdemo.explain import LAYERS, Explainer
from herbdemo.extend import extend
from herbdemo.heatmap import class_maps, grad_cam
from herbdemo.kept import keep, open_kept
from herbdemo.light import TIMM, _SameConv
from herbdemo.network import HerbNet
from herbdemo.openvino_engine import engine_of
from herbdemo.photo import open_photo
from herbdemo.recipe import Recipe, from_nothing
from herbdemo.recognise import Recogniser
from herbdemo.scores import Tail
from herbdemo.start import Start
from herbdemo.train import fit, train

SETTINGS = Preprocessing(size=64)
SIDES = ((96, 64), (33, 97), (50, 225))  # of photos; odd ones are padded otherwise


@pytest.fixture(scope="module", params=LIGHT)
def network(request) -> HerbNet:
    torch.manual_seed(0)
    return toys.lively(new_network(request.param, len(toys.HERBS)), SETTINGS)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for part, herbs, seeds in (
        ("train", toys.HERBS[:3], range(10)),
        ("val", toys.HERBS[:3], range(20, 23)),
        ("new", toys.HERBS[5:6], range(6)),
    ):
        for herb in herbs:
            (folder / part / herb).mkdir(parents=True)
            for seed in seeds:
                tinted(herb, seed).save(folder / part / herb / f"{seed}.png")
    return folder


def tinted(herb: str, seed: int) -> Image.Image:
    """A herb's own blobs, faint in its own colour: random networks tell colours, not shapes."""
    colour = Image.new("RGB", (60, 48), toys.COLOURS[toys.HERBS.index(herb)][0])
    return Image.blend(colour, toys.herb_picture(herb, seed), 0.2)


@pytest.fixture(scope="module")
def model(network, photos, tmp_path_factory) -> Checkpoint:
    """Trained for an epoch, by the code that trains the large one."""
    twin = new_network(network.architecture, 3)
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}
    twin.load_state_dict(state, strict=False)
    recipe = Recipe(epochs=1, batch=12, sizes=((0.0, 64),), rate=1e-4)
    start = Start(twin.eval(), SETTINGS, name="imagenet")
    return train(
        photos, name="light", run=tmp_path_factory.mktemp("run"), start=start, recipe=recipe
    )


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 96, 64)


@torch.inference_mode()
def test_timms_own_weights_load_and_answer_the_same(network):
    theirs = timm.create_model(TIMM[network.architecture][0], num_classes=7).eval()
    state = {k.replace("fc.", "classifier.", 1) if k.startswith("fc.") else k: v
             for k, v in network.state_dict().items()}  # fmt: skip
    theirs.load_state_dict(state)
    ours = network_from_state(theirs.state_dict(), network.architecture)
    for sides in SIDES:
        x = torch.randn(2, 3, *sides)
        torch.testing.assert_close(ours(x), theirs(x))
        features = theirs.forward_features(x)
        torch.testing.assert_close(ours.features(x), features)
        embedded = theirs.forward_head(features, pre_logits=True)
        torch.testing.assert_close(ours.embed(features.mean((2, 3))), embedded)


def test_weights_of_another_network_are_refused(network):
    for other in set(ARCHITECTURES) - {network.architecture}:
        error = toys.refusal(network_from_state, network.state_dict(), other)
        assert error.hint == "weights-other-network"
    assert toys.refusal(new_network, "vgg16", 3).hint == "no-such-network"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_head_of_no_herbs_or_of_more_than_memory_holds_is_refused(architecture):
    for rows, features in ((0, 1280), (0, 2048), (10**15, 0), (2**62, 0), (10**9, 1280)):
        state = {"fc.weight": torch.empty(rows, features, device="meta")}
        error = toys.refusal(network_from_state, state, architecture)
        assert error.hint == "weights-other-network"


@torch.inference_mode()
def test_layers_halve_the_photo_each_time(network):
    stages = network.stages(torch.zeros(1, 3, 128, 64))
    assert [tuple(stage.shape[2:]) for stage in stages] == [(32, 16), (16, 8), (8, 4), (4, 2)]
    assert len(network.layers) == len(stages)


@pytest.mark.parametrize("side", [32, 33, 34, 63, 225, 257])
@torch.inference_mode()
def test_a_cell_for_every_32_pixels_begun(network, side):
    assert network.features(torch.zeros(1, 3, side, 64)).shape[2:] == (math.ceil(side / 32), 2)


@pytest.mark.parametrize("window", [3, 5])
@torch.inference_mode()
def test_padding_is_tensorflows_for_all_sides(window):
    theirs = Conv2dSame(4, 6, window, stride=2, bias=False)
    ours = _SameConv(theirs)
    for sides in itertools.product(range(1, 9), (64, 65)):
        x = torch.randn(2, 4, *sides)
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("at", range(4))
@torch.inference_mode()
def test_a_split_network_answers_as_the_whole_one(network, at, x):
    below, above = network.split(at)
    seen = below(x)
    torch.testing.assert_close(seen, network.stages(x)[at])
    torch.testing.assert_close(above(seen), network(x))


def test_map_weights_are_the_gradient_of_the_score(network, x):
    """By autograd, from the average on; of each herb, and for each photo its own."""
    recogniser = Recogniser(Checkpoint("toy", network, toys.HERBS, SETTINGS))
    for A in network.features(x).detach():
        pooled = A.mean(dim=(1, 2))[None].requires_grad_()
        scores = network.fc(network.embed(pooled))[0]
        weights = recogniser.head.map_weights(pooled.detach().numpy()[0], range(7))
        for k, score in enumerate(scores):
            (gradient,) = torch.autograd.grad(score, pooled, retain_graph=True)
            np.testing.assert_allclose(weights[k], gradient[0].numpy(), atol=1e-5)


def test_maps_are_those_of_pytorch_grad_cam(network):
    recogniser = Recogniser(Checkpoint("toy", network, toys.HERBS, SETTINGS))
    photo = toys.herb_photo(toys.HERBS[2], 3)
    answer = recogniser.recognise([photo])[0]
    twin = network_from_state(network.state_dict(), network.architecture).requires_grad_(True)
    with GradCAM(twin, [twin.cam_layer()]) as cam:
        for k, herb in enumerate(toys.HERBS):
            oracle = cam(SETTINGS.tensor(photo.image)[None], [ClassifierOutputTarget(k)])[0]
            found = grad_cam(class_maps(answer.features, answer._rows(herb))[0], (64, 64))
            np.testing.assert_allclose(found, oracle, atol=1e-5)
            assert not oracle.any() or oracle.max() > 0.5


def test_it_is_trained_saved_and_evaluated_like_the_large_one(model, network, photos, tmp_path):
    before = network.state_dict()
    assert any(not torch.equal(v, before[k]) for k, v in model.network.state_dict().items()
               if not k.startswith("fc."))  # fmt: skip
    assert model.statistics["sum"].shape == (3, model.network.fc.in_features)
    saved = save_checkpoint(model, tmp_path / "light")
    again = load_checkpoint(tmp_path / "light")
    assert again.card["architecture"] == again.network.architecture == network.architecture
    report, same = (evaluate(one, photos / "val") for one in (saved, again))
    assert (report.photos, report.top1) == (same.photos, same.top1)
    assert report.photos == 9
    assert report.top1 > 0.7
    for key, value in saved.network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[key], value, atol=1e-3, rtol=1e-3)


def test_from_nothing_the_first_layer_learns_too_and_so_do_the_statistics(photos, tmp_path):
    torch.manual_seed(0)
    network = new_network("mnasnet", 3)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    recipe = from_nothing(Recipe(epochs=1, batch=10, sizes=((0.0, 64),), average=0.0))
    train_samples, val_samples = (scan(photos / part) for part in ("train", "val"))
    options = {"run": tmp_path, "preprocessing": SETTINGS, "recipe": recipe}
    fit(network, train_samples, val_samples, **options)
    state = network.state_dict()
    for name in ("conv_stem.weight", "bn1.running_mean", "blocks.6.0.bn3.running_var"):
        assert not torch.equal(state[name], before[name]), name
        assert state[name].isfinite().all()


def test_its_second_moment_survives_being_saved_small(model, tmp_path):
    save_checkpoint(model, tmp_path / "light")
    again = load_checkpoint(tmp_path / "light")
    with safe_open(tmp_path / "light" / WEIGHTS, "np") as file:
        assert file.get_tensor("statistics.covariance").dtype == np.float16
        assert "statistics.moment" not in file.keys()  # noqa: SIM118
    photos = model.statistics["count"].sum()
    spreads = [covariance(*moments(one.statistics)) for one in (model, again)]
    np.testing.assert_allclose(*spreads, atol=2e-3 * spreads[0].max() * photos / (photos - 3))


def test_it_learns_a_new_herb(model, photos):
    after = extend(model, scan(photos / "new"), name="more")
    assert after.herbs == (*model.herbs, toys.HERBS[5])
    photos = [open_photo(toys.encoded(tinted(toys.HERBS[5], seed))) for seed in range(10, 16)]
    right = [a.candidates[0].herb.zh == toys.HERBS[5] for a in Recogniser(after).recognise(photos)]
    assert sum(right) >= 5


def test_every_layer_can_be_explained(model):
    explainer = Explainer(model)
    seen = explainer.see(toys.herb_photo(toys.HERBS[0], 1))
    for layer in LAYERS:
        found = explainer.explain(seen, toys.HERBS[1], layer=layer)
        assert found.raw.shape == tuple(seen.stages[LAYERS.index(layer)].shape[2:])
    k = model.herbs.index(toys.HERBS[1])
    slow = explainer._raw(seen, "grad-cam", "layer4", k, None, lambda share: None)
    np.testing.assert_allclose(found.raw, slow, atol=1e-5)  # in closed form, and by hooks


def test_a_kept_answer_shows_the_same(model, home):
    answer = Recogniser(model).recognise([toys.herb_photo(toys.HERBS[1], 1)])[0]
    kept = open_kept(keep(answer)[0]).answer
    for herb in toys.HERBS[:3]:
        np.testing.assert_allclose(kept.heatmap(herb), answer.heatmap(herb), atol=1e-4)
        assert kept.probability(herb) == pytest.approx(answer.probability(herb), abs=1e-5)


@torch.inference_mode()
def test_openvino_sees_the_same(network):
    engine = engine_of(Checkpoint("toy", network, toys.HERBS, SETTINGS), "f32")
    for sides in SIDES:
        x = torch.randn(2, 3, *sides)
        expected = network.features(x).numpy()
        np.testing.assert_allclose(engine.features(x), expected, atol=1e-3 * np.abs(expected).max())


def test_tails_are_where_timm_has_them():
    torch.manual_seed(0)
    tails = {name: Tail.of(new_network(name, 2)) for name in LIGHT}
    assert {k: v.activation for k, v in tails.items() if v} == {
        "ghostnet": "relu", "mobilenetv3": "hardswish"}  # fmt: skip
    for tail in filter(None, tails.values()):
        assert tail.weight.shape == (1280, 960)


@pytest.mark.parametrize("activation", ["relu", "hardswish"])
def test_slopes_are_right_on_all_pieces(activation):
    """Also where a random network hardly ever is: below -3 and above 3."""
    z = np.linspace(-6, 6, 48)
    tail = Tail(np.eye(48), z, activation)
    given = torch.from_numpy(z).requires_grad_()
    function = {"relu": torch.relu, "hardswish": torch.nn.functional.hardswish}[activation]
    function(given).sum().backward()
    np.testing.assert_allclose(tail.pulled_back(np.zeros(48), np.ones((1, 48)))[0], given.grad)
    np.testing.assert_allclose(tail.embed(np.zeros((1, 48)))[0], function(given).detach())


def test_a_model_of_an_unknown_network_is_refused(toy_folder, tmp_path):
    folder = toys.model_copy(toy_folder, tmp_path / "other", architecture="vgg16")
    assert toys.refusal(load_checkpoint, folder).hint == "no-such-network"
    folder = toys.model_copy(toy_folder, tmp_path / "swapped", architecture="ghostnet")
    assert toys.refusal(load_checkpoint, folder).hint == "weights-other-network"
    folder = toys.model_copy(toy_folder, tmp_path / "old", architecture=toys.GONE)
    assert dataclasses.asdict(load_checkpoint(folder).preprocessing)
