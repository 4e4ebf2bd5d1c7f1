"""From photos to answers: five herbs with calibrated percentages, a verdict, and heatmaps.

from herbdemo import current, open_photo
answer = current().recognise([open_photo("herb.jpg")])[0]
answer.candidates[0].herb.zh, answer.candidates[0].probability, answer.heatmap("金银花")
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from herbdemo import heatmap
from herbdemo.checkpoint import Checkpoint
from herbdemo.choice import Reason
from herbdemo.engine import Engine, TorchEngine, serving
from herbdemo.errors import HerbError
from herbdemo.herbs import Herb, herb_named
from herbdemo.one_thread import one_thread
from herbdemo.photo import Photo
from herbdemo.registry import Registry
from herbdemo.scores import Head

CANDIDATES = 5
BATCH = 16  # photos per forward pass; more adds memory, not speed


@dataclass(frozen=True)
class Candidate:
    """One of the five herbs, with its calibrated probability (0..1)."""

    herb: Herb
    probability: float


@dataclass(frozen=True)
class Answer:
    """All that was found out about one photo; heatmaps cost no further pass.

    Attributes:
        candidates: the five most probable herbs, best first (fewer if the model knows fewer).
        verdict: "certain", "unsure", or "unknown" when it shows none of the model's herbs.
        features: the feature map A, float32 (C, h, w), which covers the whole photo.
        model, sha256: which model answered. device: what it ran on.
        why: the reason for that, where there was a choice.
        network: the architecture of the model; "" in answers that were kept before it was told.
        stages: milliseconds of each step; batched steps are shared out evenly.
    """

    photo: Photo
    candidates: tuple[Candidate, ...]
    verdict: str
    features: np.ndarray = field(repr=False)
    model: str
    sha256: str
    device: str
    stages: dict[str, float]
    _head: Head = field(repr=False)
    _herbs: tuple[str, ...] = field(repr=False)
    why: Reason | None = None
    network: str = ""

    @property
    def ms(self) -> float:
        """Milliseconds from the file to the answer with its five maps."""
        return sum(self.stages.values())

    @property
    def herbs(self) -> tuple[str, ...]:
        """Ids of all herbs of the model, in the order of its head."""
        return self._herbs

    def heatmap(self, herb: str) -> np.ndarray:
        """Grad-CAM of any herb of the model: float32 (h, w) in 0..1; all zero without evidence.

        Raises:
            HerbError: the model does not know the herb.
        """
        with one_thread():
            return heatmap.normalised(heatmap.class_maps(self.features, self._rows(herb)))[0]

    def contrast(self, a: str, b: str) -> np.ndarray:
        """Why herb a and not herb b: float32 (h, w) in -1..1, positive where it speaks for a."""
        with one_thread():
            return heatmap.contrast(self.features, *self._rows(a, b))

    def probability(self, herb: str) -> float:
        """The calibrated probability of any herb of the model, not only of the five.

        Raises:
            HerbError: the model does not know the herb.
        """
        k = herb_index(self._herbs, herb)
        with one_thread():
            pooled = self._head.embed(self.features.mean(axis=(1, 2))[None])
            return float(self._head.probabilities(pooled)[0, k])

    def to_dict(self, file: str = "") -> dict[str, Any]:
        """The answer as `recognise --json` and the web API give it."""
        return {
            "file": file,
            "verdict": self.verdict,
            "candidates": [
                {
                    "herb": candidate.herb.zh,
                    "zh": candidate.herb.zh,
                    "zh_hant": candidate.herb.name("zh-Hant"),
                    "pinyin": candidate.herb.pinyin,
                    "latin": candidate.herb.latin,
                    "en": candidate.herb.en,
                    "probability": round(candidate.probability, 6),
                }
                for candidate in self.candidates
            ],
            "model": self.model,
            "sha256": self.sha256,
            "ms": round(self.ms, 3),
            "stages": {name: round(ms, 3) for name, ms in self.stages.items()},
        }

    def _rows(self, *herbs: str) -> np.ndarray:
        ks = [herb_index(self._herbs, herb) for herb in herbs]
        return self._head.map_weights(self.features.mean(axis=(1, 2)), ks)


def herb_index(herbs: Sequence[str], herb: str) -> int:
    """Where `herb` stands among the herbs of a model.

    Raises:
        HerbError: it does not.
    """
    if herb not in herbs:
        raise HerbError(
            f"这个模型不认识“{herb[:40]}”。请从它的药材里选一种。",
            f"This model does not know “{herb[:40]}”. Choose one of its herbs.",
            hint="herb-not-in-model",
        )
    return herbs.index(herb)


@dataclass(frozen=True)
class Prepared:
    """A photo that only the network is missing from: what other threads may do ahead of it.

    Attributes:
        tensor: what the network sees, (3, size, size).
        ms: milliseconds that preparing it took.
    """

    photo: Photo
    tensor: Tensor = field(repr=False)
    ms: float


class Recogniser:
    """A model ready to answer. Safe to share between threads.

    Attributes:
        head: what is made of the feature maps.

    Args:
        engine: what runs the convolutions; torch by default. Models with the same convolutions,
            such as one and its extension, may share it.
    """

    def __init__(self, checkpoint: Checkpoint, *, engine: Engine | None = None) -> None:
        self.checkpoint = checkpoint
        self.herbs = tuple(herb_named(zh) for zh in checkpoint.herbs)
        self.engine = engine or TorchEngine(checkpoint.network)
        self.head = Head.of(checkpoint)

    @classmethod
    def load(cls, model: str | None = None) -> "Recogniser":
        """The model of this id, ready to answer with the fastest engine there is.

        Args:
            model: one of this computer, or one on the Hub by its name: "owner/name" or
                "owner/name@revision". The active one by default.

        Raises:
            HerbError: there is no such model, it is damaged, or the Hub does not give it.
        """
        checkpoint = Registry().load(model)
        return cls(checkpoint, engine=serving(checkpoint))

    @property
    def device(self) -> str:
        """What the network runs on, such as "cpu · torch"."""
        return self.engine.name

    def recognise(self, photos: Sequence[Photo]) -> list[Answer]:
        """One `Answer` per photo, in order; one forward pass per `BATCH` photos."""
        answers: list[Answer] = []
        for start in range(0, len(photos), BATCH):
            answers += self.answer([self.prepare(p) for p in photos[start : start + BATCH]])
        return answers

    def features(self, batch: torch.Tensor) -> np.ndarray:
        """A (N, C, h, w) of prepared photos (N, 3, H, W) of any size, see `Engine.features`."""
        return self.engine.features(batch)

    def passes(self) -> Callable[[torch.Tensor], np.ndarray]:
        """`features` for an answer of several passes, between which the engine must not change.

        Returns:
            What takes prepared photos (N, 3, H, W) and gives a feature map (N, C, h, w).
        """
        return getattr(self.engine, "now", self.engine).features

    def prepare(self, photo: Photo) -> Prepared:
        """A photo made ready for `answer`."""
        started = time.perf_counter()
        tensor = self.checkpoint.preprocessing.tensor(photo.image)
        return Prepared(photo, tensor, (time.perf_counter() - started) * 1000)

    def warm_up(self) -> None:
        """Run the network once on nothing, so that the first photo is as quick as the second."""
        size = self.checkpoint.preprocessing.size
        self.engine.features(torch.zeros(1, 3, size, size))

    def answer(self, batch: Sequence[Prepared]) -> list[Answer]:
        """One `Answer` per prepared photo, in order, from one forward pass."""
        if not batch:
            return []
        clock = _Clock(len(batch))
        features = self.engine.features(torch.stack([one.tensor for one in batch]))
        clock.lap("network")
        pooled = features.mean(axis=(2, 3))
        with one_thread():
            embedded = self.head.embed(pooled)
            probabilities = self.head.probabilities(embedded)
            familiarity = self.head.familiarity(embedded)
            best = np.argsort(-probabilities, axis=1)[:, :CANDIDATES]
            clock.lap("scores")
            for a, mean, rows in zip(features, pooled, best, strict=True):  # of five clicks
                heatmap.normalised(heatmap.class_maps(a, self.head.map_weights(mean, rows)))
            clock.lap("maps")
        return [
            Answer(
                photo=one.photo,
                candidates=tuple(Candidate(self.herbs[k], float(p[k])) for k in rows),
                verdict=self.head.verdict(float(p.max()), float(familiar)),
                features=a,
                model=self.checkpoint.id,
                sha256=self.checkpoint.sha256,
                device=self.device,
                why=self.engine.why,
                network=self.checkpoint.network.architecture,
                stages={"open": one.photo.ms, "prepare": one.ms, **clock.stages},
                _head=self.head,
                _herbs=self.checkpoint.herbs,
            )
            for one, a, p, rows, familiar in zip(
                batch, features, probabilities, best, familiarity, strict=True
            )
        ]


class _Clock:
    """Milliseconds per photo of consecutive steps."""

    def __init__(self, photos: int) -> None:
        self.photos = photos
        self.stages: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.stages[name] = (now - self._last) * 1000 / self.photos
        self._last = now


_lock = threading.Lock()
_current: tuple[tuple, Recogniser] | None = None


def current() -> Recogniser:
    """The active model, loaded once per process and again when another one is activated.

    Raises:
        HerbError: there is no model, or the active one is damaged.
    """
    global _current
    registry = Registry()
    with _lock:  # a second caller waits for the first one's load instead of loading again
        active = registry.active_id()
        # The name alone does not do: a model may be deleted and trained anew under the same one.
        status = registry.folder(active).stat()
        which = (active, status.st_ino, status.st_mtime_ns)
        if _current is None or _current[0] != which:
            checkpoint = registry.load(active)
            _current = which, Recogniser(checkpoint, engine=serving(checkpoint))
        return _current[1]
