"""Text: lists of herbs, names, and the program's own files."""

import contextlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.fuzzing.models import JSON_TOKENS
from benchmarks.fuzzing.photos import picture
from benchmarks.fuzzing.target import NoSync, Seeds
from benchmarks.mutate import json_bytes, json_changed, mutated, text
from herbdemo.errors import HerbError


def label_seeds() -> Seeds:
    """Lists of a head's outputs, in the shapes in which people keep them."""
    names = ("党参", "枸杞子", "Rosemary", "dang gui")
    lines = ("{1}", "{0} {1}", "{1},{0}", "{0}\t{1}", "{0}: {1}", '"{0}","{1}"', "{0}. {1}", "{0}、{1}", "{0} | {1}",
             "{1} {0}", "{1}, Radix", "{0} {1}, Radix", '{0},"{1}, Radix",x', "herb {0}")  # fmt: skip
    shapes = [
        *("\n".join(line.format(i, name) for i, name in enumerate(names)) for line in lines),
        "0 党参\n1 当归, 秦归\n2 甘草",
        "id,name\n" + "\n".join(f"{i + 1},{name}" for i, name in enumerate(names)),
        *(json.dumps(shape, ensure_ascii=False) for shape in (
            list(names), dict(enumerate(names)), {name: i for i, name in enumerate(names)},
            {"class_to_idx": {name: i for i, name in enumerate(names)}}, {"classes": names},
        )),
    ]  # fmt: skip
    codes = ("utf-8", "gb18030", "utf-16", "utf-8-sig")
    return tuple(shape.encode(code) for shape in shapes for code in codes)


LABEL_TOKENS = (b",", b"\t", b". ", b"|", b" 1", b"1 ", "、".encode(), "，".encode(), b" " * 3000, b"1" * 3000, b";", b"\n", b"\r\n", b"0", b"999999", b"-1", b"[", b"{", b'"', b":", b"\0",
                b"\xff\xfe", b"\xef\xbb\xbf", b"classes", b"[" * 3000)  # fmt: skip


def change_labels(data: bytes, others: Seeds, rng: Random) -> bytes:
    if data[:1] in (b"[", b"{") and rng.random() < 0.5:
        with contextlib.suppress(ValueError):
            return json_bytes(json_changed(json.loads(data), rng))
    if rng.random() < 0.3:
        return data + text(rng).encode("utf-8", "surrogatepass")
    return mutated(data, others, LABEL_TOKENS, rng)


def take_labels(folder: Path) -> Callable[[bytes], object]:
    """A list of names -> herbs, each once, that can be folders."""
    from herbdemo.labels import herbs_called, labels_of

    def take(data: bytes) -> None:
        (folder / "labels").write_bytes(data)
        labels = labels_of(folder / "labels")
        herbs = herbs_called(labels)
        assert len(herbs) == len(labels) == len(set(herbs))

    return take


def name_seeds() -> Seeds:
    from herbdemo.herbs import catalogue

    names = [name for herb in catalogue().values()
             for name in (herb.zh, herb.zh_hant, herb.pinyin, herb.latin, herb.en, *herb.aliases)]  # fmt: skip
    return tuple(name.encode() for name in names if name)


def change_text(data: bytes, others: Seeds, rng: Random) -> bytes:
    way = rng.random()
    if way < 0.3:
        return text(rng).encode("utf-8", "surrogatepass")
    name = data.decode()
    at = rng.randrange(len(name) + 1)
    inserted = rng.choice(("", text(rng), rng.choice(others).decode()))
    cut = at + rng.choice((0, 0, 1, 3, 200))
    found = name[:at] + inserted + name[cut:]
    return rng.choice((str, str.upper, str.title, str.casefold))(found).encode(
        "utf-8", "surrogatepass"
    )


def take_names(folder: Path) -> Callable[[bytes], object]:
    """Any text as the name of a herb, a folder, a model; in results in every format and back."""
    import csv

    from herbdemo import journal as journals
    from herbdemo.files import is_portable, shown
    from herbdemo.herbs import Herb, find, herb_named, namesakes, search
    from herbdemo.journal import Journal
    from herbdemo.library import herb_folder
    from herbdemo.piles_out import WRITERS
    from herbdemo.registry import Registry

    registry = Registry(shipped=folder / "none", own=folder)
    journal = folder / "rows"
    journals.os = NoSync(os)

    def take(data: bytes) -> None:
        name = data.decode("utf-8", "surrogatepass")
        found = find(name)
        assert found is None or isinstance(found, Herb)
        assert all(isinstance(herb, Herb) for herb in (*search(name), *namesakes(name)))
        assert len(shown(name)) <= 41
        herb_named(name).initials.encode("utf-8", "surrogatepass")
        safe = name.encode("utf-8", "replace").decode()  # as `given.text_of` has it
        herb = {"zh": safe, "pinyin": "", "latin": safe, "en": "", "probability": 0.5}
        row = {"file": safe, "verdict": "certain", "candidates": [herb | {"herb": safe}], "model": "m",
               "sha256": "0"}  # fmt: skip
        journal.unlink(missing_ok=True)
        Journal(journal).append([row])
        assert list(Journal(journal).rows()) == [row]
        for kind in ("csv", "json", "jsonl"):
            stream = io.BytesIO()
            WRITERS[kind]([row], stream)
            said = stream.getvalue().decode("utf-8-sig")
            if kind == "csv":
                (line,) = csv.DictReader(io.StringIO(said, newline=""))
                assert line["file"].removeprefix("'") == safe.removeprefix("'")
                assert not line["file"].startswith(tuple("=+-@\t\r"))
            else:
                kept = json.loads(said)
                assert (kept["answers"][0] if kind == "json" else kept)["file"] == safe
        with contextlib.suppress(HerbError):
            registry.new_folder(name)
        kept = herb_folder(name)  # the last: what it refuses is refused
        assert is_portable(kept)
        assert herb_folder(kept) == kept

    return take


def state_seeds() -> Seeds:
    """Files of HERBDEMO_HOME, which a crash, a disk or an editor may have spoilt."""
    row = {"file": "", "verdict": "certain", "candidates": [], "model": "m", "sha256": "0" * 64}
    rows = b"".join(json_bytes(row | {"file": f"{i}.jpg"}) + b"\n" for i in range(5))
    events = b"".join(
        json_bytes({"kind": kind, "zh": "x", "en": "x"}) + b"\n" for kind in ("start", "error")
    )
    job = {"id": "small", "kind": "train", "who": "", "started": 1.0, "pid": 999999, "before": 0,
           "stopping": False}  # fmt: skip
    shared = {"made": 1.0, "ends": 1e12, "secret": "", "herb": "", "candidates": [["党参", 0.9]],
              "verdict": "certain", "model": "m", "sha256": "0", "device": "cpu", "stages": {"network": 1.0},
              "herbs": ["党参"], "bias": [0.0], "temperature": 1.0}  # fmt: skip
    pile = {"kind": "photos", "title": "x", "source": "", "total": 1, "started": 1.0}
    batch = {"names": {"党参": "党参"}, "refused": [{"file": "x", "zh": "x", "en": "x", "hint": "x"}],
             "merged": {}}  # fmt: skip
    choice = {"precision": "int8", "same": 0.99, "cpu": "x", "limits": {}}
    others = ({"trail": ["small", "more"]}, job, shared, pile, batch, choice)
    return (rows, events, *map(json_bytes, others))


def change_state(data: bytes, others: Seeds, rng: Random) -> bytes:
    if rng.random() < 0.5 and b"\n" not in data:
        return json_bytes(json_changed(json.loads(data), rng))
    return mutated(data, others, JSON_TOKENS, rng)


def take_states(folder: Path) -> Callable[[bytes], object]:
    """The program's own files: read as far as they are whole, or as if they were not there."""
    from herbdemo import intake, kept_piles
    from herbdemo.engine import said
    from herbdemo.jobs import Jobs
    from herbdemo.journal import Journal
    from herbdemo.kept import open_kept
    from herbdemo.registry import Registry

    os.environ["HERBDEMO_HOME"], os.environ["HERBDEMO_ENGINE"] = str(folder), "auto"
    shared, batch, pile = "0" * 32, "20260101-000000-00000000", "0" * 32
    for name in ("models/small", "runs/small", f"shared/{shared}", f"incoming/{batch}/党参", f"piles/{pile}",
                 f"openvino/{shared * 2}"):  # fmt: skip
        (folder / name).mkdir(parents=True)
    picture().save(folder / "shared" / shared / "photo.jpg")
    np.save(folder / "shared" / shared / "evidence.npy", np.zeros((1, 2, 2), np.float32))
    places = [folder / name for name in (
        "active.json", "job.json", "rows", "runs/small/events.jsonl", "runs/small/result.json",
        f"shared/{shared}/answer.json", f"incoming/{batch}/batch.json", f"piles/{pile}/pile.json",
        f"openvino/{shared * 2}/choice.json",
    )]  # fmt: skip
    registry, jobs, journal = Registry(shipped=folder / "none"), Jobs(), Journal(folder / "rows")

    def take(data: bytes) -> None:
        for place in places:
            place.write_bytes(data)
        assert registry.active_id() == "small"
        rows = list(journal.rows())
        journal.page(0, 5, verdict="certain")
        jobs.latest()
        jobs.events()
        jobs.result()
        said({"sha256": shared * 2})
        for use in (
            lambda: open_kept(shared),
            lambda: intake.open_batch(batch),
            lambda: kept_piles.open_pile(pile),
            lambda: journal.resume((f"{i}.jpg" for i in range(9)), sha256="0" * 64, batch=2),
        ):
            with contextlib.suppress(HerbError):
                use()
        left = list(journal.rows())
        assert left == rows[: len(left)]

    return take
