"""Runs the convolutions: photos in, feature maps out. Everything else is `scores` and `heatmap`."""

import numpy as np
import torch
from torch import Tensor

from herbdemo.network import HerbNet


class TorchEngine:
    """Plain torch on the best device there is.

    Safe to share between threads: it keeps no state from call to call, uses no hooks, and the
    network stays in evaluation mode.

    Args:
        network: in evaluation mode; moved to the device.
    """

    def __init__(self, network: HerbNet) -> None:
        self.device = best_device()
        # channels_last is what the convolutions want inside; without it they convert every time.
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.name = f"{self.device.type} · torch"

    def features(self, batch: Tensor) -> np.ndarray:
        """A for `batch` (N, 3, H, W): float32 (N, 2048, H/32, W/32)."""
        with torch.inference_mode():
            batch = batch.to(self.device, memory_format=torch.channels_last)
            return self.network.features(batch).float().cpu().numpy()


def best_device() -> torch.device:
    """CUDA, Apple's MPS, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
