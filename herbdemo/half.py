"""The network in half precision on a GPU of NVIDIA's, where that is the faster way.

It halves what a GPU computes and casts each layer's weights on the way, so it pays where a batch
keeps the GPU busy. An H100 waits for its operations to be started: there float32 (with TF32)
answers one photo in 7.4 ms and this in 10.9.
"""

import logging
import math
import time

import numpy as np
import torch
from torch import Tensor

from herbdemo.checkpoint import Checkpoint
from herbdemo.choice import (
    ACCELERATOR,
    BROKEN,
    NOT_FASTER,
    Reason,
    agreement,
    check_photos,
    other,
    same,
)
from herbdemo.engine import Engine, TorchEngine

log = logging.getLogger(__name__)

SIZES = (1, 2, 4, 8, 16, 32)  # photos in a pass: few sizes, each tuned once
AGREEMENT = 0.999  # as in bfloat16 on a CPU, see `openvino_engine`
TIMED = (1, 16)  # photos in the passes that decide which is faster: someone's, and of a folder
ROUNDS = 5  # of each, in turn, so that visitors who ask meanwhile slow both


class HalfEngine:
    """Convolutions in bfloat16 by autocast, BatchNorm in float32, batches filled up to `SIZES`.

    Args:
        reference: whose network it runs, on its device.
    """

    why = None

    def __init__(self, reference: TorchEngine) -> None:
        self.network, self.device = reference.network, reference.device
        self.name = f"{self.device.type} · torch bf16"

    def features(self, batch: Tensor) -> np.ndarray:
        """A for `batch` (N, 3, H, W): float32 (N, C, ceil(H/32), ceil(W/32))."""
        found = [self._pass(part) for part in batch.split(SIZES[-1])]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _pass(self, batch: Tensor) -> np.ndarray:
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16),
            torch.backends.cudnn.flags(benchmark=True),  # tries its ways once for each size
        ):
            filled = filled_up(batch).to(self.device, memory_format=torch.channels_last)
            return self.network.features(filled)[: len(batch)].float().cpu().numpy()


def filled_up(batch: Tensor) -> Tensor:
    """The batch (N, 3, H, W) with empty photos to the next of `SIZES`, which N does not exceed."""
    missing = next(size for size in SIZES if size >= len(batch)) - len(batch)
    return torch.cat([batch, batch.new_zeros(missing, *batch.shape[1:])]) if missing else batch


def fastest(checkpoint: Checkpoint, reference: TorchEngine) -> tuple[Engine, Reason]:
    """Half precision, warmed up, if it sees what `reference` sees, and sooner; and why."""
    # Older GPUs, such as the T4, have the type and no hardware for it: slower than float32.
    quick = torch.cuda.is_bf16_supported
    if reference.device.type != "cuda" or not quick(including_emulation=False):
        return reference, ACCELERATOR
    try:
        engine, photos = HalfEngine(reference), check_photos(checkpoint.preprocessing)
        correlation = agreement(reference, engine, photos)
        if correlation < AGREEMENT:
            return reference, other(correlation)
        for size in SIZES:
            engine.features(photos[:1].expand(size, -1, -1, -1))
        if share_of_time(engine, reference, photos[:1]) >= 1:
            return reference, NOT_FASTER
    except Exception:  # whatever is wrong with it, float32 goes on answering
        log.exception("half precision cannot be used")
        return reference, BROKEN
    return engine, same(correlation)


def share_of_time(engine: Engine, reference: Engine, photo: Tensor) -> float:
    """How long one takes beside another for this photo (1, 3, H, W), alone and in a batch: the
    geometric mean of the ratios of the shortest times.
    """
    shares = []
    for size in TIMED:
        batch = photo.expand(size, -1, -1, -1)
        seconds: dict[Engine, list[float]] = {engine: [], reference: []}
        for _ in range(ROUNDS):
            for one, own in seconds.items():
                started = time.perf_counter()
                one.features(batch)
                own.append(time.perf_counter() - started)
        shares.append(min(seconds[engine]) / min(seconds[reference]))
    return math.prod(shares) ** (1 / len(shares))
