"""The network in OpenVINO, which runs it faster than torch on a CPU, and the check that it may.

The converted network is kept in `HERBDEMO_HOME/engines/`, by the sha256 of its weights, so that it
is converted once. Half precision (bfloat16) is used where the CPU has instructions for it, and only
after it has found the same as torch on a few photos.
"""

import contextlib
import json
import logging
import shutil
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from herbdemo.atomic import replace_file, whole_folder
from herbdemo.checkpoint import Checkpoint
from herbdemo.errors import HerbError
from herbdemo.files import home

if TYPE_CHECKING:
    import openvino

    from herbdemo.engine import Engine

log = logging.getLogger(__name__)

CHOICE = "choice.json"
KEPT = 4  # converted networks on disk, 94 MB each; the oldest goes
# Least correlation of the feature maps with torch's, over the pictures of the check. In float32 it
# is 1 to seven digits, in bfloat16 0.9994; a network that rounding harms is far away.
AGREEMENT = {"f32": 0.999999, "bf16": 0.999}


class OpenVinoEngine:
    """A network compiled for this CPU. Safe to share between threads: each has its own request.

    Args:
        model: as `converted` gives it.
        precision: "f32" or "bf16", of the arithmetic; feature maps come as float32 always.
    """

    def __init__(self, model: "openvino.Model", precision: str) -> None:
        import openvino

        # LATENCY: all cores work on one photo, or one batch. Several requests at once take turns.
        options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = openvino.Core().compile_model(model, "CPU", options)
        self._own = threading.local()
        self.name = f"cpu · openvino {precision}"

    def features(self, batch: Tensor) -> np.ndarray:
        """A for `batch` (N, 3, H, W): float32 (N, C, ceil(H/32), ceil(W/32))."""
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        # Copied: the request writes its next answer to the same memory.
        return self._own.request.infer({0: batch.numpy()})[0].copy()


@dataclass(frozen=True)
class Choice:
    """What was chosen for a model on this computer, and why.

    Attributes:
        precision: "bf16" or "f32"; "" where torch finds something else and goes on answering.
        why: the reason, for people.
    """

    precision: str
    why: str


def fastest(checkpoint: Checkpoint, reference: "Engine", *, wanted: str) -> tuple["Engine", str]:
    """The fastest engine that finds what `reference` finds, and why it was chosen.

    Args:
        wanted: "auto" or "openvino" for the best precision, "openvino-f32" or "openvino-bf16".
    """
    try:
        model = converted(checkpoint)
        asked = wanted.partition("-")[2]
        choice = None if asked else chosen(checkpoint.sha256)
        if choice is None:
            choice = _chosen_now(checkpoint, model, reference, asked)
        if not choice.precision:
            return reference, choice.why
        return OpenVinoEngine(model, choice.precision), choice.why
    except ImportError:
        return reference, "OpenVINO is not installed"
    except Exception:  # whatever is wrong with it, torch goes on answering
        log.exception("OpenVINO cannot be used")
        return reference, "OpenVINO does not work here; see the log"


def chosen(sha256: str) -> Choice | None:
    """What was chosen before for the model with these weights; None where nothing was."""
    try:
        saved = json.loads((_folder(sha256) / CHOICE).read_text(encoding="utf-8"))
        return (
            Choice(str(saved["precision"]), str(saved["why"])) if saved["cpu"] == _cpu() else None
        )
    except (OSError, ValueError, KeyError, TypeError, ImportError):
        return None


def _chosen_now(
    checkpoint: Checkpoint, model: "openvino.Model", reference: "Engine", asked: str
) -> Choice:
    """Try the precisions that this CPU is quick in, and keep what came out."""
    import openvino

    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    photos = check_photos(checkpoint)
    for precision in [asked] if asked else (["bf16"] if "BF16" in able else []) + ["f32"]:
        same = agreement(reference, OpenVinoEngine(model, precision), photos)
        why = f"OpenVINO in {precision} finds the same as torch: its maps correlate {same:.6f}"
        if same >= AGREEMENT[precision]:
            break
    else:
        precision = ""
        why = f"OpenVINO finds something else than torch here: its maps correlate {same:.6f}"
    if checkpoint.sha256 and not asked:
        said = json.dumps({"precision": precision, "why": why, "cpu": _cpu()})
        with contextlib.suppress(OSError):  # then it is tried again next time
            replace_file(_folder(checkpoint.sha256) / CHOICE, said.encode())
    return Choice(precision, why)


def converted(checkpoint: Checkpoint) -> "openvino.Model":
    """The convolutions of a model for OpenVINO, for any number of photos of any size.

    Read from disk where they were converted before. BatchNorm is folded into the convolutions.
    """
    import openvino

    folder = _folder(checkpoint.sha256)
    file = folder / "features.xml"
    if checkpoint.sha256 and file.is_file():
        try:
            return openvino.Core().read_model(file)
        except RuntimeError:  # damaged: it is only a copy
            shutil.rmtree(folder, ignore_errors=True)
    model = _traced(checkpoint.network)
    if checkpoint.sha256:
        try:
            with whole_folder(folder) as temporary:
                openvino.save_model(model, temporary / file.name, compress_to_fp16=False)
            _sweep(folder.parent)
        except (OSError, HerbError):  # a full or read-only disk, or another process was quicker
            log.info("the converted network was not kept")
    return model


def _traced(network: nn.Module) -> "openvino.Model":
    """The network as one photo runs through it, for any number of photos of any size.

    Other threads may use the network meanwhile. `torch.export`, the newer way, disturbs them: it
    swaps tensors for fake ones behind everybody's back. `openvino.convert_model` does the same as
    these lines, and tells its makers of it over the network.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    reader = FrontEndManager().load_by_framework("pytorch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        photo = torch.zeros(1, 3, 64, 64)
        decoder = TorchScriptPythonDecoder(_Features(network).eval(), example_input=photo)
    loaded = reader.load(decoder)
    return reader.convert(loaded)


def agreement(one: "Engine", other: "Engine", photos: Tensor) -> float:
    """The least correlation, over photos (N, 3, H, W), of the feature maps of two engines."""
    least = 1.0
    for photo in photos:
        a, b = (engine.features(photo[None]).ravel() for engine in (one, other))
        least = min(least, float(np.corrcoef(a, b)[0, 1]))
    return least if np.isfinite(least) else 0.0


def check_photos(checkpoint: Checkpoint) -> Tensor:
    """Four pictures of soft blobs in many colours, the same ones always: (4, 3, size, size)."""
    rng = np.random.default_rng(0)
    prepare, pictures = checkpoint.preprocessing.tensor, []
    for cells in (4, 8, 16, 32):
        small = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        pictures.append(prepare(small.resize((256, 256), Image.Resampling.BICUBIC)))
    return torch.stack(pictures)


class _Features(nn.Module):
    """A network without its head, for the converter, which follows `forward`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.features(x)


def _folder(sha256: str) -> Path:
    import openvino

    return home() / "engines" / f"{sha256[:32]}-{openvino.get_version().split('-')[0]}"


def _cpu() -> str:
    import openvino

    return str(openvino.Core().get_property("CPU", "FULL_DEVICE_NAME"))


def _sweep(kept: Path) -> None:
    folders = sorted(kept.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
