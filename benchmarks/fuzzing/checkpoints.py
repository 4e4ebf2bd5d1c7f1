"""Checkpoints of PyTorch that other programs wrote, and what only looks like one."""

import io
import os
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

from benchmarks.fuzzing.networks import shrink_networks
from benchmarks.fuzzing.target import MB, Seeds
from benchmarks.fuzzing.zips import ZIP_TOKENS, entries_of, lying, zip_of
from benchmarks.mutate import mutated, text


@cache
def pth_seeds() -> Seeds:
    """Bare, wrapped, prefixed, old and new ones, some that hold themselves, two with code in them."""
    import pickle

    import torch

    from herbdemo import network

    shrink_networks()
    torch.manual_seed(0)
    net = network.ResNet50(3)
    state, seeds = dict(net.state_dict()), []
    prefixed = {f"module.{name}": value for name, value in state.items()}
    whole = {"epoch": 3, "state_dict": prefixed, "classes": ["党参", "当归", "x"], "loss": 0.5}
    within: dict = {"state_dict": state, "epoch": 1}
    within["classes"] = within["names"] = within
    rings: list[dict] = [{} for _ in range(30)]
    for ring in rings:
        ring.update({f"{i}": other for i, other in enumerate(rings)})
    for held, new in ((state, True), (state, False), (whole, True), ({"model": state}, False),
                      ([1, "x", None, state], True), (within, True), (within, False),
                      (rings[0] | {"net": state}, True)):  # fmt: skip
        stream = io.BytesIO()
        torch.save(held, stream, _use_new_zipfile_serialization=new)
        seeds.append(stream.getvalue())
    behind = (seeds[0] + end for end in (b"PK\5\6", b"\0" * 512, seeds[2]))
    return (*seeds, *behind, pickle.dumps(_Bomb(), 2), pickle.dumps({"state_dict": _Bomb()}, 4))


class _Bomb:
    """Unpickling it makes a folder."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("it-ran",)


PTH_TOKENS = (*ZIP_TOKENS, b"\x80\2", b"\x80\4", b"cposix\nsystem\n", b"c__builtin__\neval\n", b"R", b"b", b"(", b"t.",
              b"ctorch._utils\n_rebuild_tensor_v2\n", b"data.pkl", b"byteorder", b"QK\0", b"\x8a\x09")  # fmt: skip


@cache
def large_pths() -> Seeds:
    """Zips of a few hundred kB whose records unpack to more than a case may take."""
    good = pth_seeds()[0]
    entries = [entry | {"method": 0} for entry in entries_of(good)]
    plain, large = zip_of(entries, Random(0), comments=()), bytes(160 * MB)
    found = []
    for end in ("data.pkl", "data/0"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in entries:
                swollen = large if entry["name"].endswith(end) else b""
                archive.writestr(entry["name"], entry["data"] + swollen)
        bomb = stream.getvalue()
        found += [bomb, bomb + b"PK\5\6", bomb[:-22] + plain[:-22] + bomb[-22:]]
    return tuple(found)


def change_pth(data: bytes, others: Seeds, rng: Random) -> bytes:
    if rng.random() < 0.02:
        data = rng.choice(large_pths())
        return data if rng.random() < 0.5 else mutated(data, others, PTH_TOKENS, rng)
    if rng.random() < 0.05:  # what comes after a good one, or before it
        return data + rng.choice(PTH_TOKENS) if rng.random() < 0.7 else rng.choice(others) + data
    if zipfile.is_zipfile(io.BytesIO(data)) and rng.random() < 0.6:
        entries = entries_of(data)
        inner = [e for e in entries if e["name"].endswith(("data.pkl", "version", "byteorder"))]
        for entry in entries:
            entry["method"] = 0
        if inner and rng.random() < 0.8:
            one = rng.choice((inner[0], rng.choice(inner)))
            one["data"] = mutated(one["data"], [one["data"]], PTH_TOKENS, rng)
            return zip_of(entries, rng, comments=())
        return zip_of(lying(entries, lambda name, rng: name[:7] + text(rng), rng), rng)
    return mutated(data, others, PTH_TOKENS, rng)


def take_pths(folder: Path) -> Callable[[bytes], object]:
    """A checkpoint of someone else's -> the network in it; nothing in it runs."""
    from herbdemo.foreign import read_foreign

    shrink_networks()
    os.chdir(folder)

    def take(data: bytes) -> None:
        (folder / "given.pth").write_bytes(data)
        try:
            foreign = read_foreign(folder / "given.pth")
        finally:
            assert not (folder / "it-ran").exists()
        assert foreign.network.fc.out_features >= 2

    return take
