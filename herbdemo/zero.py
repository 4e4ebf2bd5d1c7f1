"""Hugging Face's ZeroGPU: a Space that borrows a GPU for the length of one call.

A function that `spaces.GPU` has decorated runs in a fork of this process which has a GPU; only what
it returns comes back. The network is placed for it before the page is served, in the main thread:
there `spaces` plays a GPU, and keeps for the fork what was moved to it. In all other threads there
is none, so everything else runs on the CPU, a training job's own process too.

A call may wait a minute for its turn, then for the fork, and counts against the few minutes a day
that a visitor has. One photo takes a CPU less than a tenth of a second. So a GPU is borrowed only
for what is worth it: a tray, many photos, a herb that is learnt. Where none is lent, the CPU works.
"""

import copy
import logging
import math
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from herbdemo.errors import HerbError

if TYPE_CHECKING:  # importing them imports torch, for which the page does not wait
    import numpy as np
    from torch import Tensor

    from herbdemo.choice import Reason
    from herbdemo.engine import Engine
    from herbdemo.network import HerbNet

log = logging.getLogger(__name__)
PHOTO = 224 * 224  # pixels
FROM = 8  # photos' worth of pixels; a CPU takes about half a second for them
# Of one call, in seconds. Its first takes some for the fork, CUDA and 100 MB of weights. What is
# asked for must be left of a visitor's quota, so it is not the 60 that is the default.
AT_LEAST, PHOTOS_A_SECOND = 10, 20

_source: "HerbNet | None" = None  # on the CPU, whose copy is placed
_borrowed: "Callable[[np.ndarray], np.ndarray] | None" = None


def on() -> bool:
    """Whether this is a Space on ZeroGPU."""
    flag = os.environ.get("SPACES_ZERO_GPU", "").lower()  # as `spaces` reads it
    return flag in ("1", "t", "true") and find_spec("spaces") is not None


def check_preset(preset: str) -> None:
    """Refuse a training of more than the head where there is no GPU for it.

    Raises:
        HerbError: on ZeroGPU, for any preset but "quick".
    """
    if on() and preset != "quick":
        raise HerbError(
            "ZeroGPU 一次只借几秒钟的 GPU，所以这里只学最后一层（预设 quick）。"
            "要连网络一起训练，请给 Space 配一块专用的 GPU，或在别处训练后导入模型。",
            "ZeroGPU lends its GPU for seconds, so only the last layer is learnt here (preset "
            "quick). To train the network as well, give the Space a GPU of its own, or train "
            "elsewhere and import the model.",
            hint="zero-only-head",
        )


def place(network: "HerbNet | None") -> None:
    """Place a copy of the network for the calls to come.

    To be called in the main thread, before the page is served.

    Args:
        network: in evaluation mode, on the CPU. Without one there is a function to call all the
            same, as ZeroGPU refuses a Space that has none.
    """
    global _source, _borrowed
    import torch

    lent = copy.deepcopy(network)
    import spaces  # before anything touches CUDA

    if lent is not None:
        lent = lent.to("cuda").to(memory_format=torch.channels_last)

    @spaces.GPU(duration=seconds)
    def features(batch: "np.ndarray") -> "np.ndarray":
        assert lent is not None  # else nobody calls
        with torch.inference_mode():
            device = next(lent.parameters()).device
            x = torch.from_numpy(batch).to(device, memory_format=torch.channels_last)
            return lent.features(x).float().cpu().numpy()

    _source, _borrowed = network, features


def seconds(batch: "np.ndarray") -> int:
    """How long a GPU is asked for, for photos (N, 3, H, W)."""
    return AT_LEAST + math.ceil(photos(batch) / PHOTOS_A_SECOND)


class BorrowingEngine:
    """An engine that has much to do done by a borrowed GPU, and answers itself otherwise.

    Args:
        network: whose engine it is. engine: what runs it on the CPU.
    """

    def __init__(self, network: "HerbNet", engine: "Engine") -> None:
        self._network, self._engine = network, engine
        self._same: bool | None = None  # whether what is placed has its convolutions; once known

    @property
    def name(self) -> str:
        """What the network runs on."""
        return f"{self._engine.name} + ZeroGPU" if self._can_borrow() else self._engine.name

    @property
    def why(self) -> "Reason | None":
        """Why it runs on that."""
        return self._engine.why

    def wait(self, seconds: float | None = None) -> bool:
        """See `ServingEngine`."""
        return self._engine.wait(seconds)  # type: ignore[attr-defined]  # asked of what serves only

    def features(self, batch: "Tensor") -> "np.ndarray":
        """A (N, C, h, w) of `batch` (N, 3, H, W), see `Engine`."""
        if photos(batch) >= FROM and self._can_borrow():
            try:
                assert _borrowed is not None  # it came with `_source`
                return _borrowed(batch.numpy())
            except Exception:  # no GPU is free, the quota is used up, or the call was too long
                log.exception("no GPU was lent; the CPU goes on")
        return self._engine.features(batch)

    def _can_borrow(self) -> bool:
        if self._same is None and _source is not None:
            self._same = _same_convolutions(self._network, _source)
        return bool(self._same)


def photos(batch: "Tensor | np.ndarray") -> float:
    """How many photos of the usual size are as much work as a batch (N, 3, H, W)."""
    n, _, height, width = batch.shape
    return n * height * width / PHOTO


def _same_convolutions(one: "HerbNet", other: "HerbNet") -> bool:
    """Whether two networks are equal but for their heads."""
    import torch

    if one is other:
        return True
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(value, theirs[name])
        for name, value in ours.items()
        if not name.startswith("fc.")
    )
