"""network.py: torchvision's ResNet-50, name for name and number for number, with A in reach."""

import math

import pytest
import torch
import toys
from torch import nn
from torchvision import models

from herbdemo.architectures import network_from_state
from herbdemo.network import FEATURES, STRIDE, ResNet50, replace_head

CLASSES = 908  # of the original herb recogniser


@pytest.fixture(scope="module")
def original() -> models.ResNet:
    """torchvision's own network, its BatchNorms as if trained."""
    torch.manual_seed(1)
    network = models.resnet50(num_classes=CLASSES).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.normal_(module.bias, std=0.1)
    return network


@pytest.fixture(scope="module")
def ours(original: models.ResNet) -> ResNet50:
    return network_from_state(original.state_dict())


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 3, 96, 64)


def test_a_state_dict_of_the_original_loads_unchanged(original, ours):
    before, after = original.state_dict(), ours.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert ours.fc.out_features == CLASSES
    assert not any(module.training for module in ours.modules())


@torch.inference_mode()
def test_scores_and_features_are_those_of_torchvision(original, ours, x):
    parts = list(original.children())  # stem, four stages, pool, head
    stages, y = [], nn.Sequential(*parts[:4])(x)
    for stage in parts[4:8]:
        y = stage(y)
        stages.append(y)
    seen, pooled, scores = ours(x, need_fea=True)
    assert len(seen) == 4
    for a, b in zip(seen, stages, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(pooled, parts[8](y).flatten(1))
    torch.testing.assert_close(scores, original(x))
    torch.testing.assert_close(ours(x), scores)


def test_it_starts_and_learns_as_torchvision_does(x):
    networks = []
    for make in (models.resnet50, ResNet50):
        torch.manual_seed(0)
        networks.append(make(num_classes=3).train())
    theirs, ours = networks
    assert [name for name, _ in theirs.named_modules()] == [
        name for name, _ in ours.named_modules()
    ]
    for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(a, b)
    for network in networks:
        network(x).square().sum().backward()
    for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)
    for a, b in zip(theirs.buffers(), ours.buffers(), strict=True):
        assert torch.equal(a, b)  # the running statistics of BatchNorm


@torch.inference_mode()
def test_shapes_of_need_fea(ours, x):
    stages, pooled, scores = ours(x, need_fea=True)
    assert [tuple(stage.shape) for stage in stages] == [
        (2, 256, 24, 16),
        (2, 512, 12, 8),
        (2, 1024, 6, 4),
        (2, 2048, 3, 2),
    ]
    assert pooled.shape == (2, FEATURES)
    assert scores.shape == (2, CLASSES)


@torch.inference_mode()
def test_scores_are_linear_algebra_on_the_feature_map(ours, x):
    A = ours.features(x)
    torch.testing.assert_close(A, ours.stages(x)[-1])
    assert A.min() >= 0
    scores = A.mean(dim=(2, 3)) @ ours.fc.weight.T + ours.fc.bias
    torch.testing.assert_close(scores, ours(x))


@pytest.mark.parametrize("size", [(33, 40), (97, 130), (224, 224)])
@torch.inference_mode()
def test_feature_map_covers_photos_of_any_size(ours, size):
    cells = tuple(math.ceil(side / STRIDE) for side in size)
    assert ours.features(torch.zeros(1, 3, *size)).shape == (1, FEATURES, *cells)


@torch.inference_mode()
def test_cam_layer_is_the_one_that_makes_the_feature_map(ours, x):
    assert ours.cam_layer() is ours.layer4
    caught = []
    handle = ours.cam_layer().register_forward_hook(lambda *call: caught.append(call[-1]))
    A = ours.features(x)
    handle.remove()
    assert torch.equal(caught[0], A)


def meta_state(make, **options) -> dict[str, torch.Tensor]:
    """The state dict of a network that takes no memory."""
    with torch.device("meta"):
        return make(**options).state_dict()


def without(name: str) -> dict[str, torch.Tensor]:
    state = meta_state(models.resnet50)
    del state[name]
    return state


OTHERS = {
    "nothing": dict,
    "resnet18": lambda: meta_state(models.resnet18),
    "resnet101": lambda: meta_state(models.resnet101),
    "resnext50": lambda: meta_state(models.resnext50_32x4d),  # the same names, other shapes
    "mobilenet": lambda: meta_state(models.mobilenet_v3_small),
    "no head": lambda: without("fc.weight"),
    "no bias": lambda: without("fc.bias"),
    "a layer less": lambda: without("layer3.5.conv2.weight"),
    "flat head": lambda: meta_state(models.resnet50) | {"fc.weight": torch.zeros(FEATURES)},
    "a name more": lambda: meta_state(models.resnet50) | {"fc2.weight": torch.zeros(2)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_weights_of_another_network_are_refused(name):
    error = toys.refusal(network_from_state, OTHERS[name]())
    assert error.hint == "weights-other-network"
    assert "not those of a ResNet-50" in error.en
    assert "不是 ResNet-50" in error.zh


def test_weights_of_before_batchnorm_counted_load_too(original):
    old = {k: v for k, v in original.state_dict().items() if "num_batches" not in k}
    assert torch.equal(network_from_state(old).fc.weight, original.fc.weight)


@torch.inference_mode()
def test_half_precision_weights_become_single_precision(original, x):
    network = network_from_state({k: v.half() for k, v in original.state_dict().items()})
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert network(x).isfinite().all()


def test_replace_head_changes_nothing_but_the_head(original):
    network = network_from_state(original.state_dict())
    replace_head(network, 3)
    assert network.fc.weight.shape == (3, FEATURES)
    assert not network.fc.bias.any()
    rest = {k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}
    assert len(rest) == len(original.state_dict()) - 2
    assert all(torch.equal(original.state_dict()[k], v) for k, v in rest.items())
