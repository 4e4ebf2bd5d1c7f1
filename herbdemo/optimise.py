"""How the weights move: the head alone, then all layers, carefully."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from herbdemo.evaluate import Features
from herbdemo.network import HerbNet
from herbdemo.recipe import Recipe

HEAD_DECAY = 1e-3  # L2 on the head that is fitted alone; the best on val among 1e-4 … 3e-3


def fit_head(head: nn.Linear, features: Features, *, smoothing: float) -> None:
    """Fit a linear head on cached features (N, D), each herb weighing the same.

    The problem is convex, so it is solved to the end, without a rate or an order to choose.
    `smoothing` of the labels (Szegedy et al. 2016) is a share, 0..1.
    """
    x = torch.from_numpy(features.pooled).to(head.weight.device)
    y = torch.from_numpy(features.labels).to(head.weight.device)
    counts = torch.bincount(y, minlength=head.out_features)
    share = 1 / (counts[y] * (counts > 0).sum())  # of each photo; sums to 1
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        # Not cross_entropy's own `weight`: it would smooth the labels towards the rare herbs.
        misfits = functional.cross_entropy(head(x), y, label_smoothing=smoothing, reduction="none")
        value = (share * misfits).sum() + HEAD_DECAY / 2 * head.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)


def careful_adamw(network: HerbNet, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW for the first `recipe.depth` parts of `network.trainable()`; all else is frozen.

    Each group has its full "rate" beside the "lr" that the schedule makes of it.
    """
    network.requires_grad_(False)
    parts = network.trainable()[: recipe.depth]
    for part in parts:
        part.requires_grad_(True)
    factors = [recipe.head_factor, *(recipe.decay**depth for depth in range(len(parts) - 1))]
    return torch.optim.AdamW(
        [
            {"params": list(part.parameters()), "rate": recipe.rate * factor}
            for part, factor in zip(parts, factors, strict=True)
        ],
        weight_decay=recipe.weight_decay,
        fused=True,  # one pass over the weights instead of a dozen
    )


def freeze_batchnorm(network: nn.Module) -> None:
    """Keep BatchNorm at its running statistics; scale and shift still learn.

    Batches of 32 mixed photos are too noisy to re-estimate the statistics of a pruned network.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def pruned_weights(network: nn.Module) -> tuple[list[nn.Parameter], list[Tensor]]:
    """The trainable convolutions (out, in, h, w) of a pruned network, and masks of what is nonzero.

    AdamW moves every weight equally far, so it would bury the few that matter under noise where
    the many zeros were; they stay zero instead. A dense network has none.
    """
    pruned = [
        weight
        for weight in network.parameters()
        if weight.requires_grad and weight.ndim == 4 and (weight == 0).float().mean() > 0.1
    ]
    # As numbers: times a truth value, each product would make them numbers anew.
    return pruned, [(weight != 0).to(weight.dtype) for weight in pruned]


def keep_pruned(pruned: tuple[list[nn.Parameter], list[Tensor]]) -> None:
    """Take the gradients of what is pruned away, by weights and masks (out, in, h, w).

    Called between the backward pass and the optimizer; see `pruned_weights`.
    """
    weights, masks = pruned
    if weights:
        torch._foreach_mul_([w.grad for w in weights if w.grad is not None], masks)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, *, decay: float) -> None:
    """Move the averaged weights towards the current ones, where these can have moved.

    An exponential mean (Tarvainen and Valpola 2017) of which `decay` stays, 0..1.
    """
    pairs = zip(average.parameters(), network.parameters(), strict=True)
    means, currents = zip(*((a, b) for a, b in pairs if b.requires_grad), strict=True)
    torch._foreach_lerp_(means, currents, 1 - decay)
    for mean, current in zip(average.buffers(), network.buffers(), strict=True):
        mean.copy_(current)  # BatchNorm's statistics, which are averages already
