"""Whether ONNX Runtime would serve better than OpenVINO, with the same network in float32.

    pip install onnx onnxruntime
    python -m benchmarks.onnx_runtime

They take turns in one process. Medians of the ratios within a turn, with their tenth and ninetieth
percentile.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from herbdemo.choice import agreement, check_photos
from herbdemo.engine import TorchEngine
from herbdemo.openvino_engine import engine_of
from herbdemo.registry import Registry

BATCH = 8


class OnnxEngine:
    """A network in ONNX Runtime on the CPU, on as many threads as torch takes."""

    name = "cpu · onnxruntime f32"
    why = None

    def __init__(self, network: nn.Module) -> None:
        layers = (network.layer1, network.layer2, network.layer3, network.layer4)
        features = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool, *layers)
        sides = {"x": [0, 2, 3], "A": [0, 2, 3]}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "features.onnx"
            torch.onnx.export(features.eval(), (torch.zeros(1, 3, 64, 64),), file, dynamo=False,
                              input_names=["x"], output_names=["A"], dynamic_axes=sides)  # fmt: skip
            self.session = onnxruntime.InferenceSession(file, options)

    def features(self, batch: Tensor) -> np.ndarray:
        """See `Engine`."""
        return self.session.run(None, {"x": batch.numpy()})[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=20)
    turns = parser.parse_args().turns
    checkpoint = Registry().load()
    torch_engine, onnx = TorchEngine(checkpoint.network), OnnxEngine(checkpoint.network)
    openvino = engine_of(checkpoint, "f32")
    photos = check_photos(checkpoint.preprocessing)
    print(f"feature maps correlate with torch's by {agreement(torch_engine, onnx, photos):.7f}\n")
    print("| photos at once | torch / ONNX Runtime | torch / OpenVINO | ONNX Runtime / OpenVINO |")
    print("|---|---|---|---|")
    for n in (1, BATCH):
        batch = photos[:1].expand(n, -1, -1, -1).contiguous()
        seconds = np.zeros((turns, 3))
        for turn in range(turns + 1):
            for at, engine in enumerate((torch_engine, onnx, openvino)):
                start = time.perf_counter()
                engine.features(batch)
                seconds[turn - 1, at] = time.perf_counter() - start  # the first turn is overwritten
        cells = []
        for a, b in ((0, 1), (0, 2), (1, 2)):
            low, middle, high = np.percentile(seconds[:, a] / seconds[:, b], (10, 50, 90))
            cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
        print(f"| {n} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
