"""The convolutions in eight bits: the limits that they need, and the network with them.

What goes into a convolution is rounded to 256 steps from 0 to a limit. The limits are found once,
on training photos, and kept in the card: whoever runs the model needs neither photos nor a
calibration. Weights are rounded to 255 steps for each output channel; they are their own limits.
What a block adds to its result is not rounded. benchmarks/INT8.md has the figures, and what else
was tried.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import openvino

    from herbdemo.engine import TorchEngine
    from herbdemo.network import HerbNet

# These see the photo, or what the first one made of it, and stay as they are: in eight bits they
# harm the answers more than all others together, and are 5 % of the work.
STAY = {"conv1", "stem.conv", "layer1.0.conv1", "layer1.0.downsample.0"}
BINS = 4096
SHARES = np.linspace(0.2, 1, 81)  # of the largest number seen: the limits that are tried


def limits_in(card: Mapping[str, Any]) -> dict[str, float]:
    """The limits of a card by the names of their convolutions; none unless the gate was passed."""
    kept = card.get("int8")
    limits = kept.get("limits") if isinstance(kept, dict) and kept.get("passes") is True else None
    sound = isinstance(limits, dict) and all(
        isinstance(limit, int | float) and 0 < limit < np.inf for limit in limits.values()
    )
    return limits if limits and sound else {}


def limits_of(engine: "TorchEngine", batches: Iterable[Tensor]) -> dict[str, float]:
    """For each convolution that sees no negative number, the limit that rounds its input best.

    None for those that `STAY`.

    Args:
        batches: prepared photos, (n, 3, size, size) each.
    """
    seen: dict[str, _Histogram] = {}

    def watch(name: str, convolution: nn.Module) -> torch.utils.hooks.RemovableHandle:
        seen[name] = _Histogram()
        return convolution.register_forward_pre_hook(lambda _, given: seen[name].add(given[0]))

    hooks = [watch(*named) for named in _convolutions(engine.network) if named[0] not in STAY]
    try:
        for batch in batches:
            engine.features(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        name: round(found.limit(), 5)
        for name, found in seen.items()
        if found.usable and found.most and name not in STAY
    }


def simulated(network: "HerbNet", limits: Mapping[str, float]) -> "HerbNet":
    """A copy of `network` that rounds as eight bits do, in floating point on any device."""
    network = copy.deepcopy(network)
    for name, convolution in _convolutions(network):
        if name in limits:
            step = limits[name] / 255
            convolution.register_forward_pre_hook(
                lambda _, given, step=step: torch.fake_quantize_per_tensor_affine(
                    given[0], step, 0, 0, 255
                )
            )
            whole, steps = whole_weights(convolution.weight)
            convolution.weight.data = whole * steps
    return network


def whole_weights(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (out, in, h, w) as whole numbers, -127..127, of a step for each output channel.

    Some are rounded to the farther side, so that the errors of a channel add up to nothing: as no
    input is negative, such a sum would shift all that the channel says (SQuant, Guo et al. 2022).

    Returns:
        the numbers, and the steps (out, 1, 1, 1).
    """
    flat = weight.flatten(1)
    steps = (flat.abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-12)
    exact = flat / steps
    whole = exact.round()
    error = whole - exact
    off = error.sum(dim=1, keepdim=True)
    side = off.sign()
    helps = (error * side > 0) & ((whole - side).abs() <= 127)
    order = torch.where(helps, error.abs(), -1).argsort(dim=1, descending=True)
    few = torch.arange(flat.shape[1], device=flat.device) < off.abs().round()
    turned = torch.zeros_like(helps).scatter_(1, order, few) & helps
    whole = torch.where(turned, whole - side, whole)
    return whole.view_as(weight), steps.view(-1, 1, 1, 1)


def quantised(model: "openvino.Model", limits: Mapping[str, float]) -> "openvino.Model":
    """A copy of a converted network that OpenVINO runs in eight bits, but for what stays."""
    from openvino import opset13 as opset

    model = model.clone()
    inputs: dict[str, Any] = {}  # a block's input may go into two convolutions
    for node in model.get_ordered_ops():
        name = node.get_friendly_name().partition("/")[0].removeprefix("__module.network.")
        if node.get_type_name() != "Convolution" or name not in limits:
            continue
        given, weight = (node.input(port).get_source_output() for port in (0, 1))
        source = given.get_node().get_friendly_name()
        if source not in inputs:
            ends = [opset.constant(np.float32(end)) for end in (0, limits[name])] * 2
            inputs[source] = opset.fake_quantize(given, *ends, 256).output(0)
        node.input(0).replace_source_output(inputs[source])
        whole, steps = whole_weights(torch.from_numpy(weight.get_node().data.copy()))
        numbers = opset.convert(opset.constant(whole.numpy().astype(np.int8)), "f32")
        product = opset.multiply(numbers, opset.constant(steps.numpy()))
        node.input(1).replace_source_output(product.output(0))
    model.validate_nodes_and_infer_types()
    return model


class _Histogram:
    """Of the numbers that one convolution was given, counted from 0 to their largest or beyond."""

    def __init__(self) -> None:
        self.counts = torch.zeros(BINS)
        self.top = 2.0**-6
        self.most = 0.0
        self.usable = True

    def add(self, numbers: Tensor) -> None:
        least, most = (float(end) for end in numbers.aminmax())
        if least < 0 or not np.isfinite(most):
            self.usable = False
            return
        self.most = max(self.most, most)
        while most > self.top:  # twice as wide: two bins become one
            self.counts = torch.cat([self.counts.view(-1, 2).sum(1), torch.zeros(BINS // 2)])
            self.top *= 2
        self.counts += torch.histc(numbers.float(), BINS, 0, self.top).cpu()

    def limit(self) -> float:
        """The one of least mean squared error over all numbers seen."""
        counts = self.counts.double().numpy()
        middles = (np.arange(BINS) + 0.5) * self.top / BINS

        def error(limit: float) -> float:
            step = limit / 255
            found = np.minimum(np.round(middles / step) * step, limit)
            return float(counts @ (found - middles) ** 2)

        return min((self.most * share for share in SHARES), key=error)


def _convolutions(network: nn.Module) -> list[tuple[str, nn.Conv2d]]:
    return [(name, m) for name, m in network.named_modules() if isinstance(m, nn.Conv2d)]
