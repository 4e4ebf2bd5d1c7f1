"""A model for other programs: ONNX, or OpenVINO's two files, with all that explains its answers.

Beside the scores the network gives its feature map, the evidence for every herb in every cell, and
how familiar the photo is, so heatmaps and verdicts need none of this code. docs/export.md has the
formulas. What a program must know besides, such as the herbs' names, is JSON inside the file.
"""

import copy
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from herbdemo.atomic import whole_file
from herbdemo.checkpoint import Checkpoint
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors
from herbdemo.herbs import TOXIC, herb_named
from herbdemo.scores import Head

if TYPE_CHECKING:
    import onnx

FORMAT = 1
KEY = "herbdemo"  # of the JSON, in the ONNX file's metadata and in OpenVINO's rt_info
INPUT = "photos"
OUTPUTS = ("feature_map", "pooled", "scores", "evidence", "familiarity")
# What the sides of the input and the outputs that may have any length are called.
_ROW, _MAP = {0: "batch"}, {0: "batch", 2: "rows", 3: "columns"}
SIDES = ({0: "batch", 2: "height", 3: "width"}, _MAP, _ROW, _ROW, _MAP, _ROW)
SMALL = 1024  # numbers; to keep fewer in 16 bits saves nothing

# How much a tail's activation lets through of a small change: `scores.ACTIVATIONS` in torch.
SLOPES = {
    "relu": lambda z: (z > 0).to(z.dtype),
    "hardswish": lambda z: torch.where(z.abs() < 3, (2 * z + 3) / 6, (z > 0).to(z.dtype)),
}


def export_onnx(checkpoint: Checkpoint, target: Path) -> Path:
    """Write a model as one ONNX file to `target`, in place of what was there.

    Not while the network answers in another thread: `torch.export` swaps its tensors meanwhile.

    Raises:
        HerbError: the packages that it takes are missing, or `target` cannot be written.
    """
    data = onnx_model(checkpoint).SerializeToString()
    with writing(), whole_file(target) as file:
        file.write(data)
    return target


def export_openvino(checkpoint: Checkpoint, target: Path) -> Path:
    """Write a model as OpenVINO's NAME.xml and NAME.bin, in place of what was there.

    Args:
        target: NAME.xml, or NAME, which may have dots.

    Returns:
        NAME.xml, with the ending in small letters: OpenVINO writes no other.

    Raises:
        HerbError: see `export_onnx`.
    """
    import openvino

    named = target.suffix.lower() == ".xml"
    target = target.with_suffix(".xml") if named else target.with_name(f"{target.name}.xml")
    model = openvino.Core().read_model(onnx_model(checkpoint).SerializeToString(), b"")
    model.set_rt_info(described(checkpoint), [KEY])
    with writing():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=target.parent) as folder:
            written = Path(folder) / target.name
            try:
                openvino.save_model(model, written, compress_to_fp16=False)  # see `_halve`
            except RuntimeError as error:  # of a full disk, which it does not tell from others
                raise OSError from error
            for suffix in (".bin", ".xml"):  # whoever finds the second finds the first
                os.replace(written.with_suffix(suffix), target.with_suffix(suffix))
    return target


def described(checkpoint: Checkpoint) -> str:
    """What a program has to know of an exported model, as JSON; docs/export.md explains it."""
    head, herbs = Head.of(checkpoint), (herb_named(herb) for herb in checkpoint.herbs)
    told = {
        "format": FORMAT,
        "model": checkpoint.id,
        "sha256": checkpoint.sha256,
        "architecture": checkpoint.network.architecture,
        "licence": checkpoint.card.get("licence", ""),
        "size": checkpoint.preprocessing.size,
        "temperature": checkpoint.temperature,
        # Nothing is below -1, so a model without a threshold calls nothing unknown.
        "thresholds": {"certain": head.certain, "unknown": max(head.unknown, -1.0)},
        "herbs": [
            {name: getattr(herb, name) for name in ("zh", "pinyin", "latin", "en", "toxic")}
            | {"toxic_zh": TOXIC.get(herb.toxic, "")}
            for herb in herbs
        ],
    }
    return json.dumps(told, ensure_ascii=False, allow_nan=False)


def onnx_model(checkpoint: Checkpoint) -> "onnx.ModelProto":
    """A model in ONNX, for any number of photos of any size.

    Raises:
        HerbError: onnx or onnxscript is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript
    except ImportError as error:
        raise HerbError(
            "导出需要 onnx 和 onnxscript 两个包。请运行 pip install onnx onnxscript，再试一次。",
            "Exporting takes the packages onnx and onnxscript. "
            "Run pip install onnx onnxscript and try again.",
            hint="export-not-installed",
        ) from error
    any_size = torch.export.Dim.DYNAMIC
    with _quiet():
        program = torch.onnx.export(
            _Explained(checkpoint).eval(),
            (torch.zeros(2, 3, 64, 96),),
            dynamo=True,
            optimize=False,
            verbose=False,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes={INPUT: {0: any_size, 2: any_size, 3: any_size}},
        )
        assert program is not None  # it is one with dynamo=True
        _halve(program.model)
        program.optimize()
    # The exporter notes where each layer stands in the code, by the paths of this computer.
    onnxscript.ir.passes.common.ClearMetadataAndDocStringPass()(program.model)
    graph = program.model.graph
    for value, sides in zip([*graph.inputs, *graph.outputs], SIDES, strict=True):
        shape = value.shape or ()  # every one has a shape
        value.shape = onnxscript.ir.Shape(sides.get(at, n) for at, n in enumerate(shape))
    program.model.metadata_props[KEY] = described(checkpoint)
    return program.model_proto


class _Explained(nn.Module):
    """A network with all that its answers are explained by, for the exporter.

    The temperature is in the head, so the softmax of the scores is calibrated, and the evidence
    for a herb is the gradient of its score.
    """

    mean: Tensor
    std: Tensor
    weight: Tensor
    bias: Tensor
    basis: Tensor
    bank: Tensor

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        head = Head.of(checkpoint)
        preprocessing = checkpoint.preprocessing
        self.network = copy.deepcopy(checkpoint.network).cpu()
        for name, value in {
            "mean": np.reshape(preprocessing.mean, (3, 1, 1)) * 255,
            "std": np.reshape(preprocessing.std, (3, 1, 1)) * 255,
            "weight": head.weight / head.temperature,
            "bias": head.bias / head.temperature,
            "basis": head.basis,
            # `head.bank` is unit(bank); only as it was saved is it exact in 16 bits.
            "bank": checkpoint.statistics.get("bank", torch.zeros(0, 1)),
        }.items():
            self.register_buffer(name, torch.as_tensor(value).float())

    def forward(self, photos: Tensor) -> tuple[Tensor, ...]:
        """All of `OUTPUTS` for photos (N, 3, H, W), RGB in 0..255.

        A (N, C, h, w), its mean (N, C), scores (N, herbs), evidence (N, herbs, h, w), and
        familiarity (N,).
        """
        A = self.network.features((photos - self.mean) / self.std)
        pooled = A.mean((2, 3))
        embedded, evident = pooled, A
        if self.network.tail():  # as `Tail.pulled_back`, but first to A: there are more herbs
            layer, activation = self.network.tail()
            z = layer(pooled[:, :, None, None])
            slope = SLOPES[type(activation).__name__.lower()](z)  # now: it may work in place
            embedded = activation(z).flatten(1)
            evident = functional.conv2d(A, layer.get_parameter("weight")) * slope
        scores = embedded @ self.weight.T + self.bias
        evidence = functional.conv2d(evident, self.weight[:, :, None, None])
        return A, pooled, scores, evidence, self.familiarity(embedded)

    def familiarity(self, embedded: Tensor) -> Tensor:
        """As `Head.familiarity`."""
        if not len(self.bank):
            return torch.ones_like(embedded[:, 0])
        both = len(self.basis) > embedded.shape[1]  # as `scores.roots`
        signs = (embedded, -embedded) if both else (embedded,)
        found = _unit(torch.cat([part.clamp(min=0).sqrt() for part in signs], 1) @ self.basis)
        return (found @ _unit(self.bank).T).amax(1)


def _unit(rows: Tensor) -> Tensor:
    return rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp(min=1e-12)


def _halve(model: Any) -> None:
    """Keep in 16 bits what loses nothing by it: all that the model's own file has in 16 bits.

    The arithmetic stays in 32: each is cast when the file is loaded, and normalisation is folded
    into the convolutions only then.
    """
    from onnxscript import ir

    for value in list(model.graph.initializers.values()):
        numbers = value.const_value.numpy()
        with np.errstate(over="ignore"):
            half = numbers.astype(np.float16)
        if numbers.dtype != np.float32 or numbers.size < SMALL or (half != numbers).any():
            continue
        name = value.name
        stored = ir.Value(name=f"{name}.half", const_value=ir.tensor(half, name=f"{name}.half"))
        stored.shape, stored.type = value.shape, ir.TensorType(ir.DataType.FLOAT16)
        cast = ir.Node("", "Cast", [stored], [ir.AttrInt64("to", int(ir.DataType.FLOAT))])
        cast.outputs[0].shape, cast.outputs[0].type = value.shape, value.type
        ir.convenience.replace_all_uses_with(value, cast.outputs[0])
        del model.graph.initializers[name]
        cast.outputs[0].name = name
        model.graph.initializers[stored.name] = stored
        model.graph.insert_before(model.graph[0], cast)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks to its own makers."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def writing() -> AbstractContextManager[None]:
    """`disk_errors` for a place that the user has chosen."""
    return disk_errors(
        HerbError(
            "这个位置写不进去。请另选一个位置和文件名。",
            "It cannot be written there. Choose another place and name for it.",
            hint="export-unwritable",
        )
    )
