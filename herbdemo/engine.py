"""Runs the convolutions: photos in, feature maps out. Everything else is `scores` and `heatmap`.

`TorchEngine` is the reference: training, calibration and statistics use it. `serving(checkpoint)`
is what answers. With HERBDEMO_ENGINE=auto it starts on torch at once and moves on to a faster
engine when that is ready and has shown that it sees the same.
"""

import os
import threading
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from herbdemo.checkpoint import Checkpoint
from herbdemo.errors import HerbError
from herbdemo.network import HerbNet

CHOICES = ("torch", "auto", "openvino", "openvino-f32", "openvino-bf16")


class Engine(Protocol):
    """What runs a network's convolutions. Safe to share between threads.

    Attributes:
        name: for people, such as "cpu · openvino bf16".
    """

    name: str

    def features(self, batch: Tensor) -> np.ndarray:
        """A for `batch` (N, 3, H, W): float32 (N, C, ceil(H/32), ceil(W/32))."""


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


class ServingEngine:
    """The engine that answers: torch at first, a faster one as soon as that is ready.

    Attributes:
        why: what was chosen and for which reason, in English, for `models` and the logs.
    """

    def __init__(self, checkpoint: Checkpoint, *, wanted: str) -> None:
        self._engine: Engine = TorchEngine(checkpoint.network)
        self.why = "nothing else was asked for"
        self._ready = threading.Event()
        if wanted == "torch" or (wanted == "auto" and self._engine.device.type != "cpu"):
            if wanted == "auto":
                self.why = "the network runs on an accelerator"
            self._ready.set()
        else:
            self.why = "a faster engine is being made ready"
            work = threading.Thread(target=self._prepare, args=(checkpoint, wanted), daemon=True)
            work.start()

    @property
    def name(self) -> str:
        """What the network runs on now."""
        return self._engine.name

    def features(self, batch: Tensor) -> np.ndarray:
        """See `Engine`."""
        return self._engine.features(batch)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the choice is final; says whether it is."""
        return self._ready.wait(seconds)

    def _prepare(self, checkpoint: Checkpoint, wanted: str) -> None:
        from herbdemo.openvino_engine import fastest

        try:
            self._engine, self.why = fastest(checkpoint, self._engine, wanted=wanted)
        finally:
            self._ready.set()


def serving(checkpoint: Checkpoint) -> ServingEngine:
    """The engine to answer with: torch, or what HERBDEMO_ENGINE says.

    "auto" and "openvino" are the fastest one that sees the same.

    Raises:
        HerbError: HERBDEMO_ENGINE names none.
    """
    return ServingEngine(checkpoint, wanted=_wanted())


def said(sha256: str) -> str:
    """What answers for the model with these weights on this computer, and why, without loading it.

    Raises:
        HerbError: HERBDEMO_ENGINE names none.
    """
    from herbdemo.openvino_engine import chosen

    wanted, device = _wanted(), best_device().type
    if wanted == "torch":
        return f"{device} · torch: nothing else was asked for, see HERBDEMO_ENGINE"
    if wanted == "auto" and device != "cpu":
        return f"{device} · torch: the network runs on an accelerator"
    if wanted not in ("auto", "openvino"):
        return f"cpu · {wanted}: HERBDEMO_ENGINE asks for it"
    choice = chosen(sha256)
    if choice is None:
        return "cpu · torch at first: nothing faster has been tried yet, the first start does"
    return f"cpu · {f'openvino {choice.precision}' if choice.precision else 'torch'}: {choice.why}"


def _wanted() -> str:
    wanted = os.environ.get("HERBDEMO_ENGINE", "").strip().lower() or "torch"
    if wanted not in CHOICES:
        names = ", ".join(CHOICES)
        raise HerbError(
            f"HERBDEMO_ENGINE 只能是：{names}。",
            f"HERBDEMO_ENGINE must be one of: {names}.",
            hint="engine-unknown",
        )
    return wanted


def best_device() -> torch.device:
    """CUDA, Apple's MPS, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
