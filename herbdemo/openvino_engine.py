"""The network in OpenVINO, which runs it faster than torch on a CPU, and the check that it may.

The converted network is kept in `HERBDEMO_HOME/engines/`, by the sha256 of its weights, so that it
is converted once. Eight bits and half precision (bfloat16) are used where the CPU has instructions
for them, and only after they have found the same as torch on a few photos; eight bits only where
the model's card says, besides, that they passed the gate of `likeness`.
"""

import contextlib
import copy
import hashlib
import json
import logging
import os
import shutil
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from herbdemo.atomic import replace_file, whole_folder
from herbdemo.checkpoint import Checkpoint
from herbdemo.choice import (
    ASKED,
    BROKEN,
    NO_LIMITS,
    NOT_INSTALLED,
    Reason,
    agreement,
    check_photos,
    other,
    same,
)
from herbdemo.errors import HerbError
from herbdemo.files import home
from herbdemo.quantise import limits_in, quantised

if TYPE_CHECKING:
    import openvino

    from herbdemo.engine import Engine
    from herbdemo.network import HerbNet

log = logging.getLogger(__name__)

CHOICE = "choice.json"
KEPT = 6  # models whose network is kept on disk, 94 MB each, 24 in int8; the least used goes
SHA = 32  # letters of the sha256 of its weights that name it there
# Least correlation of the feature maps with torch's, over the pictures of the check. In float32 it
# is 1 to seven digits, in bfloat16 0.9994, in int8 0.98; a network that rounding harms is far away.
AGREEMENT = {"f32": 0.999999, "bf16": 0.999, "int8": 0.95}
SIZES = (8, 4, 2, 1)  # photos in one pass
TRACING = threading.Lock()  # what torch keeps of a trace is forgotten for all at once
# Eight bits without these instructions are slower, and may overflow.
INT8_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}


class OpenVinoEngine:
    """A network compiled for this CPU. Safe to share between threads, which take turns.

    Args:
        model: as `converted` gives it for this precision.
        precision: "f32", "bf16" or "int8", of the arithmetic; feature maps come as float32 always.
    """

    why = None

    def __init__(self, model: "openvino.Model", precision: str) -> None:
        import openvino

        # In int8 a few convolutions stay in the best of the others.
        hint = precisions({})[0] if precision == "int8" else precision
        # LATENCY: all cores work on one photo, or one batch. Several requests at once would take
        # turns as well, and each hold 7 MB and more as long as its thread lives.
        options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        compiled = openvino.Core().compile_model(model, "CPU", options)
        self._request = compiled.create_infer_request()
        self._turn = threading.Lock()
        self.name = f"cpu · openvino {precision}"

    def features(self, batch: Tensor) -> np.ndarray:
        """A for `batch` (N, 3, H, W): float32 (N, C, ceil(H/32), ceil(W/32))."""
        with self._turn:
            # Copied: the request writes its next answer to the same memory.
            maps = [self._request.infer({0: part.numpy()})[0].copy() for part in _parts(batch)]
        return maps[0] if len(maps) == 1 else np.concatenate(maps)


def _parts(batch: Tensor) -> list[Tensor]:
    """The photos of a batch in eights, and what is left in a four, a two and a one.

    OpenVINO keeps working memory for each number of photos that it has seen: for one to sixteen
    207 MB (ResNet-50 in int8, 224 x 224), for these four 108 MB. Three or seven photos take a
    tenth longer so, five and sixteen 3 to 4 %, twelve and thirteen 2 to 3 % less.
    """
    parts = []
    while len(batch):
        many = next(size for size in SIZES if size <= len(batch))
        parts.append(batch[:many])
        batch = batch[many:]
    return parts


@dataclass(frozen=True)
class Choice:
    """What was chosen for a model on this computer.

    Attributes:
        precision: as of the engine; "" where torch sees something else and goes on answering.
        why: the reason.
    """

    precision: str
    why: Reason


def fastest(checkpoint: Checkpoint, reference: "Engine", *, wanted: str) -> tuple["Engine", Reason]:
    """The fastest engine that sees what `reference` sees, and why it was chosen.

    Args:
        wanted: "auto" or "openvino" for the best precision, "openvino-f32" and so on for that one.
    """
    try:
        asked, limits = wanted.partition("-")[2], limits_in(checkpoint.card)
        if asked == "int8" and not limits:
            return reference, NO_LIMITS
        if asked:
            return engine_of(checkpoint, asked), ASKED
        choice = chosen(checkpoint.sha256, limits)
        if choice is None:
            return _chosen_now(checkpoint, reference)
        if not choice.precision:
            return reference, choice.why
        return engine_of(checkpoint, choice.precision), choice.why
    except ImportError:
        return reference, NOT_INSTALLED
    except Exception:  # whatever is wrong with it, torch goes on answering
        log.exception("OpenVINO cannot be used")
        return reference, BROKEN


def chosen(sha256: str, limits: Mapping[str, float]) -> Choice | None:
    """What was chosen before for the model with these weights; None where nothing was.

    Args:
        limits: those of its card. With others a new choice is due.
    """
    try:
        saved = json.loads((_folder(sha256) / CHOICE).read_text(encoding="utf-8"))
        precision, correlation = str(saved["precision"]), float(saved["same"])
        if saved["cpu"] != _cpu() or saved["limits"] != limits:
            return None
        return Choice(precision, same(correlation) if precision else other(correlation))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, ImportError):
        return None


def _chosen_now(checkpoint: Checkpoint, reference: "Engine") -> tuple["Engine", Reason]:
    """Try the precisions that this CPU is quick in, and keep what came out."""
    limits = limits_in(checkpoint.card)
    photos = check_photos(checkpoint.preprocessing)
    engine: Engine
    for precision in precisions(limits):
        engine, why = engine_of(checkpoint, precision), same
        correlation = agreement(reference, engine, photos)
        if correlation >= AGREEMENT[precision]:
            break
    else:
        engine, precision, why = reference, "", other
    if checkpoint.sha256:
        said = {"precision": precision, "same": correlation, "cpu": _cpu(), "limits": limits}
        with contextlib.suppress(OSError):  # then it is tried again next time
            replace_file(_folder(checkpoint.sha256) / CHOICE, json.dumps(said).encode())
    return engine, why(correlation)


def precisions(limits: Mapping[str, float]) -> list[str]:
    """Those that this CPU has instructions for, the fastest one first; int8 needs `limits`."""
    import openvino

    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    try:  # OpenVINO calls every CPU able to do int8
        vnni = not INT8_FLAGS.isdisjoint(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:  # another system than Linux
        vnni = False
    return [*(["int8"] if limits and vnni else []), *(["bf16"] if "BF16" in able else []), "f32"]


def engine_of(checkpoint: Checkpoint, precision: str) -> OpenVinoEngine:
    """A model's network in this precision; int8 needs the limits of its card."""
    limits = limits_in(checkpoint.card) if precision == "int8" else {}
    return OpenVinoEngine(converted(checkpoint, limits), precision)


def converted(
    checkpoint: Checkpoint, limits: Mapping[str, float] | None = None
) -> "openvino.Model":
    """The convolutions of a model for OpenVINO, for any number of photos of any size.

    Read from disk where they were converted before.

    Args:
        limits: for eight bits, see `quantise`; none for the others.
    """
    import openvino

    folder = _folder(checkpoint.sha256, limits)
    file = folder / "features.xml"
    if checkpoint.sha256 and file.is_file():
        try:
            model = openvino.Core().read_model(file)
        except RuntimeError:  # damaged: it is only a copy
            shutil.rmtree(folder, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # it is the last to go
                os.utime(folder)
            return model
    model = _traced(checkpoint.network)
    if limits:  # kept alone: four times smaller, and the only one that will be asked for
        model = quantised(model, limits)
    if checkpoint.sha256:
        try:
            with whole_folder(folder) as temporary:
                openvino.save_model(model, temporary / file.name, compress_to_fp16=False)
            _sweep(folder.parent)
        # A full disk, of which OpenVINO says so little, a read-only one, or a quicker process.
        except (OSError, RuntimeError, HerbError):
            log.info("the converted network was not kept")
    return model


def _traced(network: "HerbNet") -> "openvino.Model":
    """The network as one photo runs through it, for any number of photos of any size.

    Other threads may use the network meanwhile. `torch.export`, the newer way, disturbs them: it
    swaps tensors for fake ones behind everybody's back. `openvino.convert_model` does the same as
    these lines, and tells its makers of it over the network.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    reader = FrontEndManager().load_by_framework("pytorch")
    with TRACING:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                photo = torch.zeros(1, 3, 64, 64)
                traced = _Features(_on_cpu(network)).eval()
                decoder = TorchScriptPythonDecoder(traced, example_input=photo)
            return reader.convert(reader.load(decoder))
        finally:
            _forget_traces()


def _on_cpu(network: "HerbNet") -> "HerbNet":
    """The network, or a copy where it lies on a GPU, whose memory the converter cannot read."""
    if next(network.parameters()).device.type == "cpu":
        return network
    return copy.deepcopy(network).cpu()


def _forget_traces() -> None:
    """Drop what torch keeps of all networks that were traced: 25 MB of ResNet-50, for good.

    Nothing else here is traced or scripted as a class. The three lines are those of torch's own
    tests (`jit_utils.clear_class_registry`); without them, in some later torch, it is only memory.
    """
    with contextlib.suppress(AttributeError, ImportError):
        from torch.jit import _recursive, _state

        torch._C._jit_clear_class_registry()
        _recursive.concrete_type_store = _recursive.ConcreteTypeStore()
        _state._clear_class_state()


class _Features(nn.Module):
    """A network without its head, for the converter, which follows `forward`."""

    def __init__(self, network: "HerbNet") -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.features(x)


def _folder(sha256: str, limits: Mapping[str, float] | None = None) -> Path:
    import openvino

    which = sha256[:SHA]
    if limits:
        which += "-int8-" + hashlib.sha256(json.dumps(limits).encode()).hexdigest()[:8]
    return home() / "engines" / f"{which}-{openvino.get_version().split('-')[0]}"


def _cpu() -> str:
    import openvino

    return str(openvino.Core().get_property("CPU", "FULL_DEVICE_NAME"))


def _sweep(kept: Path) -> None:
    """Keep what was made of the models that were used last."""
    used: dict[str, float] = {}
    for folder in kept.iterdir():
        model = folder.name[:SHA]
        used[model] = max(used.get(model, 0), folder.stat().st_mtime)
    gone = set(sorted(used, key=lambda model: used[model])[:-KEPT])
    for folder in kept.iterdir():
        if folder.name[:SHA] in gone:
            shutil.rmtree(folder, ignore_errors=True)
