"""The convolutions in eight bits: the limits that they need, and the network with them.

What goes into a convolution is rounded to 256 steps from 0 to a limit. The limits are found once,
on training photos, and kept in the card: whoever runs the model needs neither photos nor a
calibration. Weights are rounded to 255 steps for each output channel; they are their own limits.

The first convolution, alone in seeing negative numbers, stays as it is: in eight bits it harms the
answers as much as the other 52 together, and is 6 % of the work. What a block adds to its result
stays as well. benchmarks/INT8.md has the figures, and what else was tried.
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

BINS = 4096
SHARES = np.linspace(0.2, 1, 81)  # of the largest number seen: the limits that are tried


def limits_in(card: Mapping[str, Any]) -> dict[str, float]:
    """The limits of a card by the names of their convolutions; none unless the gate was passed."""
    kept = card.get("int8")
    limits = kept.get("limits") if isinstance(kept, dict) and kept.get("passes") is True else None
    sound = isinstance(limits, dict) and all(
        isinstance(limit, int | float) and 0 < limit < np.inf for limit in limits.values()
    )
    return limits if sound else {}


def limits_of(engine: "TorchEngine", batches: Iterable[Tensor]) -> dict[str, float]:
    """For each convolution that sees no negative number, the limit that rounds its input best.

    Args:
        batches: prepared photos, (n, 3, size, size) each.
    """
    seen: dict[str, _Histogram] = {}

    def watch(name: str, convolution: nn.Module) -> torch.utils.hooks.RemovableHandle:
        seen[name] = _Histogram()
        return convolution.register_forward_pre_hook(lambda _, given: seen[name].add(given[0]))

    hooks = [watch(*named) for named in _convolutions(engine.network)]
    try:
        for batch in batches:
            engine.features(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: round(found.limit(), 5) for name, found in seen.items() if found.usable}


def simulated(network: nn.Module, limits: Mapping[str, float]) -> nn.Module:
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
            weight = convolution.weight
            steps = (weight.abs().amax(dim=(1, 2, 3)) / 127).clamp(min=1e-12)
            zero = torch.zeros_like(steps, dtype=torch.int32)
            convolution.weight.data = torch.fake_quantize_per_channel_affine(
                weight, steps, zero, 0, -127, 127
            )
    return network


def quantised(model: "openvino.Model", limits: Mapping[str, float]) -> "openvino.Model":
    """A copy of a converted network that OpenVINO runs in eight bits, but for what stays."""
    from openvino import opset13 as opset

    def rounded(source: Any, low: np.ndarray, high: np.ndarray, levels: int) -> Any:
        ends = [opset.constant(np.asarray(end, np.float32)) for end in (low, high)] * 2
        return opset.fake_quantize(source, *ends, levels).output(0)

    model = model.clone()
    inputs: dict[str, Any] = {}  # a block's input goes into two convolutions
    for node in model.get_ordered_ops():
        name = node.get_friendly_name().partition("/")[0].removeprefix("__module.network.")
        if node.get_type_name() != "Convolution" or name not in limits:
            continue
        given, weight = (node.input(port).get_source_output() for port in (0, 1))
        source = given.get_node().get_friendly_name()
        if source not in inputs:
            inputs[source] = rounded(given, 0, limits[name], 256)
        node.input(0).replace_source_output(inputs[source])
        most = np.abs(weight.get_node().data).max(axis=(1, 2, 3), keepdims=True)
        most = np.maximum(most, 1e-12)
        node.input(1).replace_source_output(rounded(weight, -most, most, 255))
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
            return counts @ (np.minimum(np.round(middles / step) * step, limit) - middles) ** 2

        return min((self.most * share for share in SHARES), key=error)


def _convolutions(network: nn.Module) -> list[tuple[str, nn.Conv2d]]:
    return [(name, m) for name, m in network.named_modules() if isinstance(m, nn.Conv2d)]
