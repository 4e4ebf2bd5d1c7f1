"""The methods of pytorch-grad-cam, each on modules of this call's own.

No other module imports the package: two threads that import parts of it at once stop each other.
Two of its methods run the network once for every channel of a layer. Their loops are written anew
here, since the package's can neither be followed nor stopped, print a bar of their own, and keep
every feature map that they meet: gigabytes for one photo. The tests compare both.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from pytorch_grad_cam import (
    AblationCAM,
    EigenCAM,
    FinerCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
)
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction
from torch import Tensor, nn
from torch.nn import functional

Tick = Callable[[float], None]
Scores = Callable[[Tensor], Tensor]
BATCH = 4  # forward passes between two looks at `stop`: a quarter of a second on two cores


def raw_map(
    method: str,
    below: nn.Module,
    above: nn.Module,
    x: Tensor,
    A: Tensor,
    k: int,
    j: int | None,
    tick: Tick,
) -> np.ndarray:
    """The raw, signed evidence for herb `k`: float32 (h, w), as fine as `A`.

    Args:
        method: of `explain.METHODS`.
        below, above: the network up to the layer looked at, and what follows it. Neither is
            changed: hooks hang on a module between the two, which lives as long as the call.
        x: the photo (1, 3, H, W). A: what `below` makes of it (1, C, h, w).
        j: the herb that Finer-CAM tells `k` from, if any.
        tick: told the share done, 0..1, before each batch; what it raises ends the call.
    """
    here = nn.Identity()
    if method == "score-cam":
        network, given = nn.Sequential(below, here, above), x
    else:  # what lies below need not run again, nor does a gradient have to pass it
        network, given = nn.Sequential(here, above), A.detach().clone().requires_grad_()
    if method == "ablation-cam":
        cam = Ablation(network, here, above, tick)
    elif method == "score-cam":
        cam = Score(network, here, nn.Sequential(below, above), tick)
    else:
        cam = _QUICK[method](network, [here])

    def score(output: Tensor) -> Tensor:
        return output[k] if j is None else output[k] - output[j]

    inner: Any = getattr(cam, "base_cam", cam)  # Finer-CAM wraps the method that it refines
    maps = []
    whole = inner.get_cam_image

    def kept(*values: object) -> np.ndarray:
        maps.append(whole(*values))
        return maps[-1]

    inner.get_cam_image = kept  # what the package itself returns is cut off at zero and scaled
    try:
        cam(given, [score])
    finally:
        inner.activations_and_grads.release()
        del inner.get_cam_image  # a circle that would keep the photo's tensors for a while
    return np.asarray(maps[0][0], np.float32)


def filled(x: Tensor, hole: Tensor) -> Tensor:
    """The photo (3, H, W) with its hole, bool (H, W), filled from the surroundings as ROAD does.

    What is filled in is smooth, so it is solved for at half the size, which is quicker.
    """
    small = functional.avg_pool2d(x[None], 2)[0]
    gone = functional.max_pool2d(hole[None].float(), 2)[0] > 0
    smooth = NoisyLinearImputer(noise=0)(small, (~gone).float())
    smooth = functional.interpolate(smooth[None], x.shape[-2:], mode="bilinear")[0]
    return torch.where(hole, smooth, x)


class Eigen(EigenCAM):
    """Eigen-CAM (Muhammad and Yeasin 2020) with the sign that it leaves to chance.

    A principal direction and its opposite are the same to an SVD, so that the package's map may
    come out as its own negative; the one with the stronger peak is taken (Chung and Ying 2025).
    """

    def get_cam_image(
        self,
        input_tensor: Tensor,
        target_layer: nn.Module,
        target_category: list[Callable],
        activations: np.ndarray,
        grads: np.ndarray,
        eigen_smooth: bool,
    ) -> np.ndarray:
        return get_2d_projection_with_sign_correction(activations)


class Ablation(AblationCAM):
    """Ablation-CAM (Desai and Ramaswamy 2020): what the score loses without a channel."""

    def __init__(self, network: nn.Module, here: nn.Module, above: Scores, tick: Tick) -> None:
        super().__init__(network, [here])
        self.above, self.tick = above, tick

    def get_cam_weights(
        self,
        input_tensor: Tensor,
        target_layer: nn.Module,
        targets: list[Callable],
        activations: np.ndarray,
        grads: np.ndarray,
    ) -> np.ndarray:
        A = torch.from_numpy(activations).to(self.device)
        (score,) = _scores(self.above, A, targets)

        def without(channels: np.ndarray) -> Tensor:
            batch = A.repeat(len(channels), 1, 1, 1)
            batch[range(len(channels)), channels] = 0
            return batch

        scores = _per_channel(without, self.above, activations[0], targets, self.tick, score)
        # The paper divides by the score; of a herb with a negative one that would show the reverse.
        return (score - scores)[None] / (abs(score) + 1e-7)


class Score(ScoreCAM):
    """Score-CAM (Wang et al. 2020): the score of the photo seen through each channel."""

    def __init__(self, network: nn.Module, here: nn.Module, whole: Scores, tick: Tick) -> None:
        super().__init__(network, [here])
        self.whole, self.tick = whole, tick

    def get_cam_weights(
        self,
        input_tensor: Tensor,
        target_layer: nn.Module,
        targets: list[Callable],
        activations: np.ndarray,
        grads: np.ndarray,
    ) -> np.ndarray:
        A = torch.from_numpy(activations).to(self.device)
        height, width = input_tensor.shape[-2:]
        enlarge = nn.UpsamplingBilinear2d(size=(height, width))

        def through(channels: np.ndarray) -> Tensor:
            masks = enlarge(A[:, channels])[0]
            low, high = (f(masks, dim=(1, 2), keepdim=True) for f in (torch.amin, torch.amax))
            return input_tensor * ((masks - low) / (high - low + 1e-8))[:, None]

        nothing = torch.zeros_like(input_tensor)
        (dark,) = _scores(self.whole, nothing, targets)
        scores = _per_channel(through, self.whole, activations[0], targets, self.tick, dark)
        return torch.softmax(torch.from_numpy(scores), dim=0).numpy()[None]


def _per_channel(
    photos: Callable[[np.ndarray], Tensor],
    network: Scores,
    A: np.ndarray,
    targets: list[Callable],
    tick: Tick,
    silent: float,
) -> np.ndarray:
    """The score of `photos(channels)` for every channel of A (C, h, w): float32 (C,).

    A channel that is zero everywhere needs no pass: its score is `silent`.
    """
    scores = np.full(len(A), silent, np.float32)
    for share, channels in _batches(np.flatnonzero(A.any(axis=(1, 2)))):
        tick(share)
        scores[channels] = _scores(network, photos(channels), targets)
    tick(1.0)
    return scores


def _batches(indices: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    for start in range(0, len(indices), BATCH):
        yield start / len(indices), indices[start : start + BATCH]


def _scores(network: Scores, batch: Tensor, targets: list[Callable]) -> list[float]:
    with torch.no_grad():
        return [float(targets[0](output)) for output in network(batch)]


_QUICK = {
    "grad-cam": GradCAM,
    "grad-cam++": GradCAMPlusPlus,
    "layer-cam": LayerCAM,
    "hires-cam": HiResCAM,
    "xgrad-cam": XGradCAM,
    "eigen-cam": Eigen,
    "finer-cam": FinerCAM,
}
