"""How the weights move: heads, rates, averages, and what must not move."""

import pytest
import torch
from torch import nn
from toys import TinyNet

from herbdemo.evaluate import Features
from herbdemo.network import ResNet50
from herbdemo.optimise import (
    careful_adamw,
    fit_head,
    freeze_batchnorm,
    keep_pruned,
    pruned_weights,
    update_average,
)
from herbdemo.recipe import Recipe, from_nothing


def test_frozen_batchnorm_keeps_its_statistics_and_learns_its_scale():
    network = ResNet50(2).train()
    freeze_batchnorm(network)
    before = {k: v.clone() for k, v in network.state_dict().items() if "running" in k}
    network(torch.rand(2, 3, 32, 32)).sum().backward()
    assert all(torch.equal(v, network.state_dict()[k]) for k, v in before.items())
    assert network.layer4[0].bn1.weight.grad is not None


def test_the_average_is_an_exponential_one():
    a, b = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(a.weight)
    torch.nn.init.ones_(b.weight)
    for _ in range(3):
        update_average(a, b, decay=0.5)
    assert a.weight.item() == pytest.approx(1 - 0.5**3)


def test_a_head_fits_separable_features_with_each_herb_weighing_the_same():
    torch.manual_seed(0)
    labels = torch.tensor([0] * 200 + [1] * 10)
    pooled = torch.randn(210, 2048) * 0.1
    pooled[labels == 1, :5] += 2
    head = torch.nn.Linear(2048, 2)
    fit_head(head, Features(pooled.numpy(), labels.numpy()), smoothing=0.1)
    assert (head(pooled).argmax(1) == labels).all()


@pytest.mark.parametrize(("depth", "parts"), [(1, 1), (2, 2), (4, 4)])
def test_only_the_upper_parts_learn_and_the_lower_ones_slower(depth, parts):
    with torch.device("meta"):
        network = ResNet50(2)
    optimizer = careful_adamw(network, Recipe(depth=depth, rate=1.0, head_factor=3, decay=0.5))
    assert [group["rate"] for group in optimizer.param_groups] == [3, 1, 0.5, 0.25][:parts]
    learning = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert learning == set(("fc", "layer4", "layer3", "layer2")[:parts])


def test_zeros_of_a_pruned_network_are_found_and_a_dense_one_has_none():
    network = TinyNet(2)
    assert pruned_weights(network) == ([], [])
    network.last.weight.data[:8] = 0
    [weight], [alive] = pruned = pruned_weights(network)
    assert weight is network.last.weight
    assert alive.mean() == 0.5
    weight.grad = torch.ones_like(weight)
    keep_pruned(pruned)
    assert torch.equal(weight.grad, alive)


def test_from_nothing_all_of_it_learns_and_so_do_the_statistics():
    network, average = TinyNet(2), TinyNet(2)
    network.stem.norm, average.stem.norm = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    with torch.device("meta"):
        whole = ResNet50(2)
    optimizer = careful_adamw(whole, from_nothing(Recipe()))
    assert {group["rate"] for group in optimizer.param_groups} == {1e-3}
    assert all(parameter.requires_grad for parameter in whole.parameters())
    network.stem.norm.running_var.fill_(3)
    update_average(average, network, decay=0.5)
    assert (average.stem.norm.running_var == 3).all()
