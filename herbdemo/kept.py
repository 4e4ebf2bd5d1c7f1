"""Answers that were shared: kept for a week, under a name that no one can guess.

Kept is what the page showed and no more: the photo at the size of the page, without metadata, the
names and figures, and the evidence E = w·A for each herb of the model, one number per cell, w as
`Head.map_weights` has it. All maps, contrasts and probabilities follow from E: an `Answer` whose
features are E and whose head is the identity gives the same ones. A link therefore shows what was
seen, also when another model answers by then, or the page has learned to show it better. The page's
own HTML would be three times as large, and no browser could be trusted to send it.
"""

import contextlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from herbdemo.atomic import remove_folder, whole_folder
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors, home
from herbdemo.heatmap import class_maps, shrunk
from herbdemo.herbs import herb_named
from herbdemo.photo import open_photo
from herbdemo.recognise import Answer, Candidate
from herbdemo.scores import Head

DAYS = 7
MOST = 500  # results; some 150 KB each, and never a megabyte
SIDE, QUALITY = 1024, 86  # of the photo, as the page shows it
_NAME = re.compile(r"[0-9a-f]{32}")  # 128 random bits, in letters that all disks tell apart


@dataclass(frozen=True)
class Kept:
    """A shared answer.

    `herb` is the id of the candidate that was looked at, or ""; `made` and `ends` are seconds since
    1970. `answer.photo` is the reduced photo.
    """

    answer: Answer
    herb: str
    made: float
    ends: float


def keep(answer: Answer, herb: str = "") -> tuple[str, str]:
    """Keep an answer: its name for the link, and the secret of who may delete it.

    Where `MOST` are kept, the oldest goes.

    Raises:
        HerbError: the disk is full or cannot be written to.
    """
    name, secret, now = secrets.token_hex(16), secrets.token_urlsafe(16), time.time()
    head, pooled = answer._head, answer.features.mean(axis=(1, 2))
    evidence = class_maps(answer.features, head.map_weights(pooled, range(len(head.bias))))
    # Without a tail this is b; with one, E lacks what the tail itself adds to a score, too.
    bias = head.logits(head.embed(pooled[None]))[0] - evidence.mean(axis=(1, 2))
    candidates = [(item.herb.zh, item.probability) for item in answer.candidates]
    said = {
        "made": now,
        "ends": now + DAYS * 86400,
        "secret": _hash(secret),
        "herb": herb if herb in dict(candidates) else "",
        "candidates": candidates,
        "verdict": answer.verdict,
        "model": answer.model,
        "sha256": answer.sha256,
        "device": answer.device,
        "network": answer.network,
        "stages": answer.stages,
        "herbs": answer.herbs,
        "bias": bias.tolist(),
        "temperature": float(head.temperature),
    }
    with disk_errors():
        sweep_kept(room=1)
        with whole_folder(_folder() / name) as folder:
            shrunk(answer.photo.image, SIDE).save(folder / "photo.jpg", quality=QUALITY)
            np.save(folder / "evidence.npy", evidence.astype(np.float32), allow_pickle=False)
            (folder / "answer.json").write_text(json.dumps(said), encoding="utf-8")
    return name, secret


def open_kept(name: str) -> Kept:
    """The shared answer of that name.

    Raises:
        HerbError: there is none, or not any more.
    """
    said = _said(name)
    try:
        if said["ends"] < time.time():
            raise FileNotFoundError
        folder = _folder() / name
        evidence = np.load(folder / "evidence.npy", allow_pickle=False)
        nothing = np.zeros((len(evidence), 1), np.float32)
        answer = Answer(
            photo=open_photo(folder / "photo.jpg", longest=SIDE),
            candidates=tuple(Candidate(herb_named(zh), p) for zh, p in said["candidates"]),
            features=evidence,
            _head=Head(
                weight=np.eye(len(evidence), dtype=np.float32),
                bias=np.asarray(said["bias"], np.float32),
                temperature=said["temperature"],
                certain=1.0,
                unknown=-np.inf,
                basis=nothing,
                bank=nothing[:0],
            ),
            _herbs=tuple(said["herbs"]),
            network=str(said.get("network", "")),
            **{key: said[key] for key in ("verdict", "model", "sha256", "device", "stages")},
        )
        return Kept(answer, said["herb"], said["made"], said["ends"])
    except (OSError, ValueError, KeyError, TypeError, HerbError) as error:
        raise _gone() from error


def forget(name: str, secret: str) -> None:
    """Delete a shared answer.

    Raises:
        HerbError: there is none of that name, or the secret is not the one that `keep` gave.
    """
    if not hmac.compare_digest(str(_said(name).get("secret")), _hash(secret)):
        raise HerbError(
            "只有分享者的浏览器能删除这个结果。",
            "Only the browser that shared this result can delete it.",
            hint="not-yours",
        )
    with disk_errors():
        remove_folder(_folder() / name)


def sweep_kept(*, room: int = 0) -> None:
    """Delete what has ended; and the oldest, until there is room for so many more."""
    ends = {}
    for path in _folder().glob("*"):
        if _NAME.fullmatch(path.name):
            ends[path] = 0.0
            with contextlib.suppress(HerbError, TypeError, ValueError):
                ends[path] = float(_said(path.name).get("ends", 0))
    kept = sorted(ends, key=ends.__getitem__)
    most = max(0, MOST - room)
    for at, path in enumerate(kept):
        if ends[path] < time.time() or len(kept) - at > most:
            with contextlib.suppress(OSError):  # another process sweeps too
                remove_folder(path)


def _folder() -> Path:
    return home() / "shared"


def _said(name: str) -> dict:
    try:
        if not _NAME.fullmatch(name):
            raise FileNotFoundError
        said = json.loads((_folder() / name / "answer.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _gone() from error
    if not isinstance(said, dict):
        raise _gone()
    return said


def _gone() -> HerbError:
    return HerbError(
        f"这个链接已失效：结果保留 {DAYS} 天，或已被分享者删除。请让对方重新分享。",
        f"This link leads nowhere any more: results are kept for {DAYS} days, unless who shared "
        "them deletes them before. Ask for a new link.",
        hint="result-gone",
    )


def _hash(secret: str) -> str:
    return sha256(secret.encode(errors="replace")).hexdigest()
