"""Where the evidence lies, by other methods and in other layers than `heatmap` shows it.

from herbdemo.explain import explainer
explainer().explain(photo, "金银花", method="layer-cam", layer="layer3").values

Grad-CAM of the last layer is a matrix product (see `heatmap`). Everything else is worked out by
pytorch-grad-cam, which hangs hooks on modules, asks for gradients and swaps layers; it gets throw-
away modules around a copy of the network, so nothing of that outlives a call, however it ends.
"""

import copy
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from herbdemo import heatmap
from herbdemo.checkpoint import Checkpoint
from herbdemo.engine import Engine, TorchEngine
from herbdemo.errors import HerbError
from herbdemo.network import HerbNet
from herbdemo.photo import Photo
from herbdemo.recognise import Recogniser, current, herb_index
from herbdemo.scores import Head

METHODS = (
    "grad-cam",
    "grad-cam++",
    "layer-cam",
    "hires-cam",
    "xgrad-cam",
    "eigen-cam",
    "finer-cam",
    "ablation-cam",
    "score-cam",
)
LAYERS = ("layer1", "layer2", "layer3", "layer4")
SLOW = frozenset({"ablation-cam", "score-cam"})  # a forward pass for each channel of the layer

Progress = Callable[[float], None]
Stop = Callable[[], bool]


class Stopped(Exception):  # noqa: N818  # not an error: it was asked for
    """The caller's `stop` said so."""


@dataclass(frozen=True)
class Explanation:
    """One map: where in a photo the evidence for a herb lies.

    Attributes:
        method, layer: of `METHODS` and `LAYERS`.
        herb: whose evidence it is. against: the herb that Finer-CAM tells it from; else "".
        raw: the signed evidence, float32 (h, w), as fine as the layer. Maps of one method and layer
            can be compared by it, others not: each method has a unit of its own.
        seconds: what it took.
    """

    method: str
    layer: str
    herb: str
    against: str
    raw: np.ndarray = field(repr=False)
    seconds: float

    @property
    def values(self) -> np.ndarray:
        """The map as it is shown: (h, w) in 0..1; all zero without positive evidence."""
        return heatmap.normalised(self.raw)

    @property
    def peak(self) -> float:
        """The strongest positive evidence; 0 where there is none."""
        return max(0.0, float(self.raw.max()))


@dataclass(frozen=True)
class Seen:
    """One photo as the network sees it, so that several maps share one forward pass.

    Attributes:
        x: what went in, (1, 3, size, size). stages: the outputs of the four layers.
        probabilities: calibrated, (herbs,).
    """

    x: Tensor = field(repr=False)
    stages: tuple[Tensor, ...] = field(repr=False)
    probabilities: np.ndarray = field(repr=False)


class Explainer:
    """Explains what one model sees. Safe to share between threads.

    The copy of the network, as large as the network itself, is made when a method first needs it.

    Args:
        engine: what answers for this model; it answers `probabilities`, too. Torch by default.
    """

    def __init__(self, checkpoint: Checkpoint, *, engine: Engine | None = None) -> None:
        self.checkpoint = checkpoint
        self._engine = engine or TorchEngine(checkpoint.network)
        self.herbs = checkpoint.herbs
        self._head = Head.of(checkpoint)
        self._copy: HerbNet | None = None
        self._copying = threading.Lock()
        # One map at a time: more would take as long together. A slow one does not hold up others.
        self._turns = {False: threading.Lock(), True: threading.Lock()}

    def see(self, photo: Photo | Tensor) -> Seen:
        """Run the network once on a photo, or on one prepared as (3, size, size).

        This only reads the model's own network; it needs neither the copy nor a lock.
        """
        if isinstance(photo, Photo):
            photo = self.checkpoint.preprocessing.tensor(photo.image)
        network = self.checkpoint.network
        with torch.no_grad():  # inference mode would make tensors that no gradient may pass
            x = photo[None].to(next(network.parameters()).device)
            stages = tuple(network.stages(x))
        pooled = self._head.embed(stages[-1].mean(dim=(2, 3)).float().cpu().numpy())
        return Seen(x, stages, self._head.probabilities(pooled)[0])

    def probabilities(self, batch: Tensor, herb: str) -> np.ndarray:
        """Calibrated probabilities (N,) of `herb` for prepared photos (N, 3, size, size).

        Raises:
            HerbError: the model does not know the herb.
        """
        k = herb_index(self.herbs, herb)
        pooled = self._head.embed(self._engine.features(batch).mean(axis=(2, 3)))
        return self._head.probabilities(pooled)[:, k]

    def explain(
        self,
        photo: Photo | Tensor | Seen,
        herb: str,
        *,
        method: str = "grad-cam",
        layer: str = "layer4",
        against: str | None = None,
        progress: Progress | None = None,
        stop: Stop | None = None,
    ) -> Explanation:
        """Where in `photo` the evidence for `herb` lies.

        Args:
            photo: opened, prepared as a tensor (3, size, size), or what `see` gave.
            herb: any herb of the model. method, layer: of `METHODS` and `LAYERS`.
            against: the herb that Finer-CAM tells `herb` from; the likeliest other one by default.
            progress: called by the methods in `SLOW` with the share done, 0..1.
            stop: asked by them several times a second whether to give up.

        Raises:
            HerbError: the model does not know a herb, or there is no such method or layer.
            Stopped: `stop` said so.
        """
        began = time.perf_counter()
        _check(method, layer)
        k = herb_index(self.herbs, herb)
        seen = photo if isinstance(photo, Seen) else self.see(photo)
        j = self._other(seen, k, against) if method == "finer-cam" else None
        if method == "grad-cam" and layer == "layer4":
            A, weights = self._last(seen, k)
            raw = heatmap.class_maps(A, weights)[0] / A[0].size
        else:

            def tick(share: float) -> None:
                if stop is not None and stop():
                    raise Stopped
                if progress is not None:
                    progress(share)

            turn = self._turns[method in SLOW]
            while not turn.acquire(timeout=0.2):
                tick(0.0)  # whoever waits may be stopped, too
            try:
                raw = self._raw(seen, method, layer, k, j, tick)
            finally:
                turn.release()
        return Explanation(
            method=method,
            layer=layer,
            herb=herb,
            against="" if j is None else self.herbs[j],
            raw=raw,
            seconds=time.perf_counter() - began,
        )

    def contrast(self, seen: Seen, a: str, b: str) -> np.ndarray:
        """Why herb a and not herb b: float32 (h, w) in -1..1, see `heatmap.contrast`."""
        A, weights = self._last(seen, *(herb_index(self.herbs, herb) for herb in (a, b)))
        return heatmap.contrast(A, *weights)

    def _last(self, seen: Seen, *ks: int) -> tuple[np.ndarray, np.ndarray]:
        """A (C, h, w), and the weights of its channels in the maps of these herbs, (K, C)."""
        A = seen.stages[-1][0].float().cpu().numpy()
        return A, self._head.map_weights(A.mean(axis=(1, 2)), ks)

    def _raw(
        self, seen: Seen, method: str, layer: str, k: int, j: int | None, tick: Progress
    ) -> np.ndarray:
        from herbdemo import cam  # with pytorch-grad-cam, which takes seconds to import

        at = LAYERS.index(layer)
        below, above = self._own_network().split(at)
        return cam.raw_map(method, below, above, seen.x, seen.stages[at], k, j, tick)

    def _own_network(self) -> HerbNet:
        with self._copying:
            if self._copy is None:
                self._copy = copy.deepcopy(self.checkpoint.network).eval().requires_grad_(False)
            return self._copy

    def _other(self, seen: Seen, k: int, against: str | None) -> int | None:
        """The herb to tell `k` from; None where the model knows no other."""
        if against is not None and against != self.herbs[k]:
            return herb_index(self.herbs, against)
        return next((int(j) for j in np.argsort(-seen.probabilities) if j != k), None)


def _check(method: str, layer: str) -> None:
    if method not in METHODS:
        raise HerbError(
            f"没有“{method[:40]}”这种方法。可用的有：{'、'.join(METHODS)}。",
            f"There is no method “{method[:40]}”. Choose one of {', '.join(METHODS)}.",
            hint="no-such-method",
        )
    if layer not in LAYERS:
        raise HerbError(
            f"没有“{layer[:40]}”这一层。可用的有：{'、'.join(LAYERS)}。",
            f"There is no layer “{layer[:40]}”. Choose one of {', '.join(LAYERS)}.",
            hint="no-such-layer",
        )


_lock = threading.Lock()
# Of the active model, as it may hold a second network; it goes with its model.
_explainers: weakref.WeakKeyDictionary[Recogniser, Explainer] = weakref.WeakKeyDictionary()


def explainer() -> Explainer:
    """The explainer of the active model, made once.

    Raises:
        HerbError: there is no model, or the active one is damaged.
    """
    recogniser = current()
    with _lock:
        if recogniser not in _explainers:
            _explainers[recogniser] = Explainer(recogniser.checkpoint, engine=recogniser.engine)
        return _explainers[recogniser]
