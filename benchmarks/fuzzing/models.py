"""Models: their folders, their cards, their zips."""

import contextlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.fuzzing.networks import (
    model_seeds,
    packed,
    parted,
    shrink_light_networks,
    shrink_networks,
)
from benchmarks.fuzzing.photos import photo_seeds
from benchmarks.fuzzing.target import NoSync, Seeds
from benchmarks.fuzzing.zips import ZIP_TOKENS, entries_of, lying, zip_of
from benchmarks.mutate import any_json, json_bytes, json_changed, mutated, text
from herbdemo.errors import HerbError


def card_seeds() -> Seeds:
    shipped = Path(__file__).parents[2] / "weights"
    cards = [card.read_bytes() for card in sorted(shipped.glob("*/card.json"))]
    return (*cards, *(parted(seed)[0] for seed in model_seeds()))


def tensors_changed(data: bytes, rng: Random) -> bytes:
    """Safetensors whose header was changed as JSON, or whose tensors were swapped or spoilt."""
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    names = [name for name in header if name != "__metadata__"]
    few = [name for name in names if name.startswith("statistics.")] or names
    name = rng.choice(few if rng.random() < 0.7 else names)
    way = rng.randrange(6)
    if way == 0:
        del header[name]
        header = {k: v for k, v in header.items() if k != name}
    elif way == 1:
        header[name]["shape"] = rng.choice(
            (header[name]["shape"][::-1], [], [int(np.prod(header[name]["shape"]))], [1, *header[name]["shape"]],
             [0], [2**32, 2**32], [-1]))  # fmt: skip
    elif way == 2:
        header[name]["dtype"] = rng.choice(
            ("F32", "I32", "U8", "BF16", "F16", "I64", "BOOL", "F8_E4M3", "X", 7)
        )
    elif way == 3:
        header = json_changed(header, rng)
    elif way == 4:
        first, last = header[name]["data_offsets"]
        value = rng.choice((b"\xff", b"\0\x7c", b"\0\0\x80\x7f", b"\x7f", b"\0", rng.randbytes(4)))
        size = last - first if rng.random() < 0.5 else min(8, last - first)
        body = body[:first] + (value * size)[:size] + body[first + size :]
    else:
        header[text(rng)] = header.pop(name)
    text_ = json_bytes(header)
    if rng.random() < 0.2:
        text_ = mutated(text_, [text_], (), rng)
    return struct.pack("<Q", len(text_)) + text_ + body


def change_model(data: bytes, others: Seeds, rng: Random) -> bytes:
    """Spoilt weights, a spoilt card, or both; the card mostly has the sha256 of the weights."""
    import hashlib

    card, weights = parted(data)
    way = rng.random()
    if way < 0.6:
        weights = tensors_changed(weights, rng)
    elif way < 0.75:
        weights = mutated(weights, [parted(other)[1] for other in others], TENSOR_TOKENS, rng)
    elif way < 0.8:
        weights = parted(rng.choice(others))[1]
    card = json.loads(card)
    if way > 0.7:
        card = json_changed(card, rng)
    if isinstance(card, dict) and rng.random() < 0.95:
        card["sha256"] = hashlib.sha256(weights).hexdigest()
    return packed(json_bytes(card), weights)


TENSOR_TOKENS = (
    b"\x80\x04",
    b"PK\3\4",
    b"F32",
    b"BF16",
    b"data_offsets",
    b"__metadata__",
    b"[]",
    b"{",
)


def take_models(folder: Path) -> Callable[[bytes], object]:
    """A model's folder -> a model that answers, explains itself, is extended and passed on."""
    from herbdemo.checkpoint import load_checkpoint
    from herbdemo.engine import said
    from herbdemo.extend import forget
    from herbdemo.held_out import held_out
    from herbdemo.photo import open_photo
    from herbdemo.recognise import Recogniser
    from herbdemo.replay import remember
    from herbdemo.specimen import least_familiarity

    shrink_networks()
    shrink_light_networks()
    np.seterr(all="ignore")
    photo = open_photo(photo_seeds()[1])

    def take(data: bytes) -> None:
        card, weights = parted(data)
        (folder / "card.json").write_bytes(card)
        (folder / "model.safetensors").write_bytes(weights)
        model = load_checkpoint(folder)
        recogniser = Recogniser(model)
        answer = recogniser.recognise([photo])[0]
        json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False).encode()
        assert abs(sum(answer.probability(herb) for herb in model.herbs) - 1) < 1e-3
        heat = answer.heatmap(model.herbs[0])
        assert 0 <= heat.min() <= heat.max() <= 1
        answer.contrast(model.herbs[0], model.herbs[-1])
        least_familiarity(model, recogniser.head, 2)
        said(model.card)
        held_out(model)
        for use in (
            lambda: remember(model, set()),
            lambda: forget(model, model.herbs[0], name="x"),
        ):
            with contextlib.suppress(HerbError):  # not every model can
                use()

    return take


def change_card(data: bytes, others: Seeds, rng: Random) -> bytes:
    way = rng.random()
    if way < 0.7:
        return json_bytes(json_changed(json.loads(data), rng))
    if way < 0.95:
        return mutated(data, others, JSON_TOKENS, rng)
    return json_bytes(any_json(rng, depth=5))


JSON_TOKENS = (b"null", b"NaN", b"Infinity", b"1e999", b"[" * 3000, b'{"a":' * 3000, b"\\ud800", b"\\u0000",
               b'"', b"9" * 5000, b"-0", b"true", b",", b"}", b"\xff", b"\xef\xbb\xbf")  # fmt: skip


def take_cards(folder: Path) -> Callable[[bytes], object]:
    """card.json -> a card that can be shown, written again and read back; all the page shows of it."""
    from herbdemo.checkpoint import card_named, read_card
    from herbdemo.dossier import dossier
    from herbdemo.engine import said
    from herbdemo.registry import Registry
    from herbdemo.ui.herbs_view import page_html
    from herbdemo.ui.models_view import Row, models_html
    from herbdemo.ui.proof_view import plain_html, proof_html

    model = folder / "models" / "small"
    model.mkdir(parents=True)
    registry = Registry(shipped=folder / "none", own=folder)

    def take(data: bytes) -> None:
        (model / "card.json").write_bytes(data)
        (info,) = registry.list()
        card = read_card(model)
        assert not info.problem
        json.dumps({"herbs": info.herbs, "metrics": info.metrics}, allow_nan=False)
        (model / "card.json").write_bytes(card_named(card, "again"))
        assert read_card(model) == card | {"id": "again"}
        said(card)
        shown = models_html([Row("small", False, False, 1, card)])
        assert 'class="problem"' not in shown, "the card was read, and cannot be drawn"
        if card.get("proof"):
            proof_html("small", card["proof"], active=False)
        else:
            plain_html("small", card.get("metrics", {}), active=False)
        for herb in card["herbs"][:3]:
            page_html(dossier(herb, card), card["herbs"], photos=None)

    return take


@cache
def model_zip_seeds() -> Seeds:
    seeds = []
    small, more, _, light = model_seeds()
    for data in (small, more, light):
        card, weights = parted(data)
        for folder, litter in (("small/", {}), ("", {"__MACOSX/._x": b"1", ".DS_Store": b"1"})):
            tree = {f"{folder}card.json": card, f"{folder}model.safetensors": weights, **litter}
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in tree.items():
                    archive.writestr(name, content)
            seeds.append(stream.getvalue())
    return tuple(seeds)


def change_model_zip(data: bytes, others: Seeds, rng: Random) -> bytes:
    if rng.random() < 0.4:
        return mutated(data, others, ZIP_TOKENS, rng)
    entries = entries_of(data)
    if rng.random() < 0.3:
        parts = {entry["name"].rpartition("/")[2]: entry for entry in entries}
        both = packed(parts["card.json"]["data"], parts["model.safetensors"]["data"])
        parts["card.json"]["data"], parts["model.safetensors"]["data"] = parted(
            change_model(both, [both], rng)
        )
    else:
        entries = lying(
            entries, lambda name, rng: text(rng) if rng.random() < 0.5 else "x/" + name, rng
        )
    return zip_of(entries, rng)


def take_model_zips(folder: Path) -> Callable[[bytes], object]:
    """A model's zip -> a model in the registry, or a sentence and nothing left behind."""
    from herbdemo import atomic
    from herbdemo.portable import export_zip, import_zip
    from herbdemo.registry import Registry

    shrink_networks()
    shrink_light_networks()
    atomic.os = NoSync(os)
    registry = Registry(shipped=folder / "none", own=folder / "own")
    models = folder / "own" / "models"
    models.mkdir(parents=True)

    def take(data: bytes) -> None:
        (folder / "given.zip").write_bytes(data)
        try:
            name = import_zip(registry, folder / "given.zip")
            export_zip(registry, name, folder / "again.zip")
            registry.activate(name)
            (folder / "own" / "active.json").unlink()
            (folder / "again.zip").unlink()
            for file in (models / name).iterdir():
                file.unlink()
            (models / name).rmdir()
        finally:
            assert not any(models.iterdir()), "something was left"
            assert not (folder / "again.zip").exists()
            assert len(list(folder.iterdir())) == 2

    return take
