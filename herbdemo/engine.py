"""Runs the convolutions: photos in, feature maps out. Everything else is `scores` and `heatmap`.

`TorchEngine` is the reference: training, calibration and statistics use it. `serving(checkpoint)`
is what answers. It starts on torch at once and moves on to a faster engine when that is ready and
has shown that it sees the same. HERBDEMO_ENGINE names one of `CHOICES` instead of "auto".
"""

import os
import threading
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from herbdemo import zero
from herbdemo.checkpoint import Checkpoint
from herbdemo.choice import ACCELERATOR, ASKED, NO_LIMITS, PREPARING, UNTRIED, Reason
from herbdemo.errors import HerbError
from herbdemo.network import HerbNet
from herbdemo.quantise import limits_in

CHOICES = ("auto", "torch", "openvino", "openvino-f32", "openvino-bf16", "openvino-int8")


class Engine(Protocol):
    """What runs a network's convolutions. Safe to share between threads.

    Attributes:
        name: for people, such as "cpu · openvino bf16".
        why: the reason that it answers, where it was chosen among several.
    """

    @property
    def name(self) -> str: ...

    @property
    def why(self) -> Reason | None: ...

    def features(self, batch: Tensor) -> np.ndarray:
        """A for `batch` (N, 3, H, W): float32 (N, C, ceil(H/32), ceil(W/32))."""


class TorchEngine:
    """Plain torch on the best device there is.

    Safe to share between threads: it keeps no state from call to call, uses no hooks, and the
    network stays in evaluation mode.

    Args:
        network: in evaluation mode; moved to the device.
    """

    why = None

    def __init__(self, network: HerbNet) -> None:
        self.device = best_device()
        # channels_last is what the convolutions want inside; without it they convert every time.
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.name = f"{self.device.type} · torch"

    def features(self, batch: Tensor) -> np.ndarray:
        """A for `batch` (N, 3, H, W): float32 (N, C, H/32, W/32)."""
        with torch.inference_mode():
            batch = batch.to(self.device, memory_format=torch.channels_last)
            return self.network.features(batch).float().cpu().numpy()


class ServingEngine:
    """The engine that answers: torch at first, a faster one as soon as that is ready."""

    def __init__(self, checkpoint: Checkpoint, *, wanted: str) -> None:
        torch_engine = TorchEngine(checkpoint.network)
        settled = ASKED if wanted == "torch" else None
        # One tuple, so that no thread sees the name of one and the reason of another.
        self._now: tuple[Engine, Reason] = torch_engine, settled or PREPARING
        self._ready = threading.Event()
        if settled:
            self._ready.set()
        else:
            work = threading.Thread(
                target=self._prepare, args=(checkpoint, wanted, torch_engine), daemon=True
            )
            work.start()

    @property
    def name(self) -> str:
        """What the network runs on now."""
        return self._now[0].name

    @property
    def why(self) -> Reason:
        """Why it runs on that."""
        return self._now[1]

    @property
    def now(self) -> Engine:
        """The one that answers now, which it stays."""
        return self._now[0]

    def features(self, batch: Tensor) -> np.ndarray:
        """A (N, C, h, w) of `batch` (N, 3, H, W), see `Engine`."""
        return self.now.features(batch)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the choice is final; says whether it is."""
        return self._ready.wait(seconds)

    def _prepare(self, checkpoint: Checkpoint, wanted: str, reference: TorchEngine) -> None:
        from herbdemo import half, openvino_engine
        from herbdemo.together import Together

        engine: Engine
        try:
            if _on_accelerator(wanted):
                engine, why = half.fastest(checkpoint, reference)
            else:
                engine, why = openvino_engine.fastest(checkpoint, reference, wanted=wanted)
            self._now = engine if engine is reference else Together(engine), why
        finally:
            self._ready.set()


def serving(checkpoint: Checkpoint) -> ServingEngine | zero.BorrowingEngine:
    """The engine to answer with: what HERBDEMO_ENGINE says, by default the fastest.

    "auto" and "openvino" are the fastest one that sees the same.

    Raises:
        HerbError: HERBDEMO_ENGINE names none.
    """
    engine = ServingEngine(checkpoint, wanted=wanted_engine())
    return zero.BorrowingEngine(checkpoint.network, engine) if zero.on() else engine


def said(card: Mapping[str, Any]) -> tuple[str, Reason]:
    """What answers for the model of this card on this computer, and why, without loading it.

    Raises:
        HerbError: HERBDEMO_ENGINE names none.
    """
    from herbdemo.openvino_engine import chosen

    wanted = wanted_engine()
    name = f"{best_device().type} · torch"
    if wanted == "torch":
        return name, ASKED
    if _on_accelerator(wanted):
        return name, ACCELERATOR
    limits = limits_in(card)
    if precision := wanted.partition("-")[2]:
        if precision == "int8" and not limits:
            return name, NO_LIMITS
        return f"cpu · openvino {precision}", ASKED
    choice = chosen(card["sha256"], limits)
    if choice is None:
        return name, UNTRIED
    return (f"cpu · openvino {choice.precision}" if choice.precision else name), choice.why


def _on_accelerator(wanted: str) -> bool:
    return wanted == "auto" and best_device().type != "cpu"


def wanted_engine() -> str:
    """What HERBDEMO_ENGINE says, one of `CHOICES`.

    Raises:
        HerbError: it names none.
    """
    wanted = os.environ.get("HERBDEMO_ENGINE", "").strip().lower() or "auto"
    if wanted not in CHOICES:
        names = ", ".join(CHOICES)
        raise HerbError(
            f"HERBDEMO_ENGINE 只能是：{names}。",
            f"HERBDEMO_ENGINE must be one of: {names}.",
            hint="engine-unknown",
        )
    return wanted


def best_device() -> torch.device:
    """CUDA, Apple's MPS, or the CPU; on ZeroGPU the CPU, see `zero`."""
    if zero.on():
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
