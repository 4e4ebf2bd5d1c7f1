"""From the bytes of a photo to five names, five heatmaps and a picture to show, and what others take.

    python -m benchmarks.answer [--turns 20]

- this: `open_photo`, the fastest engine, five maps in closed form, the first laid over the photo, JPEG.
- this, as HTML: what the page does instead: all maps as numbers, which the browser lays over the JPEG.
- the usual way: Pillow, torchvision's transforms, torchvision's ResNet-50 in float32,
  pytorch-grad-cam once for each of the five, its overlay, PNG.
- torch-cam: the same with that package, which goes back through the last layer only.
- names only: Pillow, transforms and network, nothing explained.
- the least there can be: the bare network of the engine in use, and Pillow's decoding alone.

All have the same weights and draw pictures of at most 1024 px.
"""

import io
import time
from collections import defaultdict
from collections.abc import Callable

import cv2
import numpy as np
import torch
import torchvision
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import show_cam_on_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor

from benchmarks import bench
from benchmarks.photos import PHONE, SCREEN, SMALL, photo
from herbdemo.checkpoint import Checkpoint
from herbdemo.engine import best_device
from herbdemo.heatmap import overlay
from herbdemo.photo import open_photo
from herbdemo.recognise import Recogniser
from herbdemo.ui.result import answer_html

try:
    import torchcam.methods
    import torchcam.utils
except ImportError:
    torchcam = None

KINDS = {"300 × 225": SMALL, "1024 × 768": SCREEN, "12 MP": PHONE}
LONGEST = 1024  # px of the picture with the heatmap
FASTER = {True: 100.0, False: 30.0}  # with and without hardware for bfloat16
MOST = 1.25  # times the bare network and the decoding
THIS, PAGE = "this", "this, as HTML"
NAIVE, OTHER, PLAIN = "pytorch-grad-cam", "torch-cam", "names only"
NETWORK, DECODING = "bare network", "bare decoding"


class Peers:
    """The ways that others recommend, on the weights of this model."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        settings = checkpoint.preprocessing
        self.device = best_device()
        self.network = torchvision.models.resnet50(num_classes=len(checkpoint.herbs)).eval()
        self.network.load_state_dict(checkpoint.network.state_dict())
        self.network.to(self.device)
        self.transform = torchvision.transforms.Compose(
            [
                torchvision.transforms.Resize((settings.size, settings.size)),
                torchvision.transforms.ToTensor(),
                torchvision.transforms.Normalize(settings.mean, settings.std),
            ]
        )

    def names(self, data: bytes) -> list[int]:
        """The best five, nothing explained."""
        image = Image.open(io.BytesIO(data)).convert("RGB")
        with torch.inference_mode():
            return self._best(self.network(self._seen(image)))

    def grad_cam(self, data: bytes) -> tuple[list[int], bytes]:
        """As in the manual of pytorch-grad-cam, for each of the five."""
        image = Image.open(io.BytesIO(data)).convert("RGB")
        x = self._seen(image)
        with torch.no_grad():
            best = self._best(self.network(x))
        with GradCAM(model=self.network, target_layers=[self.network.layer4[-1]]) as cam:
            maps = [cam(input_tensor=x, targets=[ClassifierOutputTarget(k)])[0] for k in best]
        image.thumbnail((LONGEST, LONGEST))
        mask = cv2.resize(maps[0], image.size)
        drawn = show_cam_on_image(np.float32(image) / 255, mask, use_rgb=True)
        return best, _encoded(Image.fromarray(drawn), "PNG")

    def torch_cam(self, data: bytes) -> tuple[list[int], bytes]:
        """As in the manual of torch-cam, for each of the five."""
        image = Image.open(io.BytesIO(data)).convert("RGB")
        with torchcam.methods.GradCAM(self.network, "layer4") as cam:
            scores = self.network(self._seen(image))
            best = self._best(scores.detach())
            maps = [cam(k, scores, retain_graph=True)[0][0] for k in best]
        image.thumbnail((LONGEST, LONGEST))
        mask = Image.fromarray(maps[0].cpu().numpy())
        return best, _encoded(torchcam.utils.overlay_mask(image, mask, alpha=0.5), "PNG")

    def _seen(self, image: Image.Image) -> Tensor:
        return self.transform(image)[None].to(self.device)

    def _best(self, logits: Tensor) -> list[int]:
        return logits.softmax(dim=1)[0].topk(min(5, logits.shape[1])).indices.tolist()


def this(recogniser: Recogniser, data: bytes, stages: dict[str, list[float]]) -> list[str]:
    """The five herbs; `stages` gets the milliseconds of each step."""
    clock = [time.perf_counter()]

    def lap(name: str) -> None:
        clock.append(time.perf_counter())
        stages[name].append((clock[-1] - clock[-2]) * 1000)

    opened = open_photo(data)
    lap("open_photo")
    answer = recogniser.recognise([opened])[0]
    lap("recognise")
    for name, ms in answer.stages.items():
        stages[f"… {name}"].append(ms)
    maps = [answer.heatmap(candidate.herb.zh) for candidate in answer.candidates]
    lap("five heatmaps")
    drawn = overlay(opened.image, maps[0], longest=LONGEST)
    lap("overlay")
    _encoded(drawn, "JPEG")
    lap("JPEG")
    return [candidate.herb.zh for candidate in answer.candidates]


def measure(model: str | None, turns: int) -> bench.Result:
    """All ways on all photos, in turns."""
    checkpoint, engine = bench.fastest(model)
    recogniser, peers = Recogniser(checkpoint, engine=engine), Peers(checkpoint)
    size = checkpoint.preprocessing.size
    blank = torch.zeros(1, 3, size, size)
    stages = {kind: defaultdict(list) for kind in KINDS}
    contenders: dict[str, Callable[[], object]] = {}
    ways = [THIS, PAGE, NAIVE, *([OTHER] if torchcam else []), PLAIN, DECODING]
    agree = []
    for kind, pixels in KINDS.items():
        data = photo(pixels)
        decoded = open_photo(data).image.size
        calls = {
            THIS: lambda d=data, s=stages[kind]: this(recogniser, d, s),
            PAGE: lambda d=data: answer_html(recogniser.recognise([open_photo(d)])[0]),
            NAIVE: lambda d=data: peers.grad_cam(d),
            OTHER: lambda d=data: peers.torch_cam(d),
            PLAIN: lambda d=data: peers.names(d),
            DECODING: lambda d=data, s=decoded: _decode(d, s),
        }
        contenders |= {f"{way}, {kind}": calls[way] for way in ways}
        found = this(recogniser, data, defaultdict(list))
        agree.append(found[0] == checkpoint.herbs[peers.names(data)[0]])
    contenders[NETWORK] = lambda: engine.features(blank)
    limits = bench.limits(best_device())
    slow = [name for name in contenders if name.startswith(NAIVE)]
    seconds = bench.interleaved(contenders | limits, turns=turns, seldom=[*slow, *limits])
    for name in limits:
        seconds[name] = bench.per_photo(seconds[name])

    rows, bars = [], []
    least = {kind: seconds[NETWORK] + seconds[f"{DECODING}, {kind}"] for kind in KINDS}
    for way in [w for w in ways if w != DECODING]:
        times = [seconds[f"{way}, {kind}"] for kind in KINDS]
        mine = [seconds[f"{THIS}, {kind}"] for kind in KINDS]
        rows.append([way, *(bench.shown(t, scale=1000) for t in times),
                     *(f"{np.median(bench.ratio(t, m)):.1f}" for t, m in zip(times, mine, strict=True))])  # fmt: skip
    rows.append(["bare network and decoding", *(bench.shown(t, scale=1000) for t in least.values()),
                 *(f"{np.median(t / seconds[f'{THIS}, {k}']):.2f}" for k, t in least.items())])  # fmt: skip
    rows += [[name, *[bench.shown(seconds[name], scale=1000)] * len(KINDS), *[""] * len(KINDS)]
             for name in limits]  # fmt: skip
    for name in next(iter(stages.values())):
        laps = [np.array(found[name][-turns:]) for found in stages.values()]  # without the warm-up
        rows.append([f"this: {name}", *(bench.shown(lap) for lap in laps), *[""] * len(KINDS)])
    faster = FASTER[bench.half_precision()]
    for kind in KINDS:
        mine = seconds[f"{THIS}, {kind}"]
        times = float(np.median(bench.ratio(seconds[f"{NAIVE}, {kind}"], mine)))
        # The bar was set with a matrix unit (AMX). Without one the bare network may miss it.
        best = np.median(seconds[f"{NAIVE}, {kind}"]) / np.median(seconds[NETWORK])
        remark = f"The bare network alone would be {best:.0f} x" if times < faster else ""
        bars.append(
            bench.Bar(f"{kind}: faster than pytorch-grad-cam for five", times, faster, least=True,
                      remark=remark)
        )  # fmt: skip
    for way in (THIS, PAGE):
        for kind in KINDS:
            over = float(np.median(seconds[f"{way}, {kind}"] / least[kind]))
            bars.append(
                bench.Bar(f"{kind}: {way}, of the bare network and the decoding", over, MOST)
            )
    notes = [f"Network: {engine.name}. The first herb is the same in this and in torchvision's float32 "
             f"on {sum(agree)} of the {len(agree)} photos."]  # fmt: skip
    if not torchcam:
        notes.append(
            "torch-cam is not installed and was not measured: `pip install -e '.[bench]'`."
        )
    return bench.Result(
        name="answer",
        title="Photo bytes → five names, five heatmaps, picture: ms, and times as long as this",
        columns=["way", *KINDS, *(f"x, {kind}" for kind in KINDS)],
        rows=rows,
        notes=notes,
        bars=bars,
        values={
            "engine": engine.name,
            **{name: bench.spread(found) for name, found in seconds.items()},
            "stages, ms": {
                kind: {name: bench.spread(np.array(ms[-turns:])) for name, ms in found.items()}
                for kind, found in stages.items()
            },
        },
    )


def _decode(data: bytes, size: tuple[int, int]) -> None:
    """Pillow alone, reduced while it decodes as far as that goes above `size`."""
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", size)
    image.load()


def _encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def main() -> None:
    arguments = bench.parser("answer", __doc__, turns=20).parse_args()
    bench.tell(measure(arguments.model, arguments.turns), arguments.json)


if __name__ == "__main__":
    main()
