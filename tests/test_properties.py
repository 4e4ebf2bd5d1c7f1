"""What holds for every input, not only for those that someone thought of."""

import csv
import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from toys import encoded, refusal

from herbdemo import dataset, heatmap
from herbdemo.archive import unpacked
from herbdemo.atomic import replace_file, whole_file, whole_folder
from herbdemo.checkpoint import CARD, SCHEMA, card_named, read_card
from herbdemo.dataset import HASH_DISTANCE, Sample, copy_groups, near_pairs, split
from herbdemo.errors import HerbError
from herbdemo.files import is_portable, shown
from herbdemo.fits import statistics_fit
from herbdemo.journal import Journal
from herbdemo.labels import herbs_called, labels_of
from herbdemo.library import herb_folder
from herbdemo.photo import open_photo
from herbdemo.piles_out import WRITERS
from herbdemo.scores import softmax

pytestmark = pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # half surrogates, too
TEXT = st.text()  # what UTF-8 can hold
FLOATS = st.floats(-1e6, 1e6, width=32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@contextmanager
def a_folder() -> Iterator[Path]:
    """As hypothesis calls a test many times, `tmp_path` would be the same for all of them."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def tried(call, *given):
    """What a call gives and "", or None and the hint of its refusal."""
    try:
        return call(*given), ""
    except HerbError as error:
        return None, error.hint


# Photos

TURNED = {  # how a picture lies in a file with that EXIF orientation
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 100), st.integers(1, 8),
       st.sampled_from(("PNG", "JPEG", "WEBP", "TIFF")))  # fmt: skip
def test_a_photo_is_upright_and_no_larger_than_asked_for(width, height, longest, turn, kind):
    upright = Image.new("RGB", (width, height))
    exif = Image.Exif()
    exif[274] = turn
    lying = upright.transpose(TURNED[turn]) if TURNED[turn] is not None else upright
    photo = open_photo(encoded(lying, kind, exif=exif.tobytes()), longest=longest)
    assert photo.size == (width, height)
    assert max(photo.image.size) <= longest
    if max(width, height) <= longest:
        assert photo.image.size == (width, height)
    for side, whole in zip(photo.image.size, (width, height), strict=True):
        scale = max(photo.image.size) / max(width, height)
        assert abs(side - max(1, whole * scale)) <= 1


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
       st.integers(1, 8))  # fmt: skip
def test_a_turn_in_exif_shows_the_same_pixels(pixels, turn):
    upright = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[274] = turn
    lying = upright.transpose(TURNED[turn]) if TURNED[turn] is not None else upright
    shown_ = open_photo(encoded(lying, "PNG", exif=exif.tobytes())).image
    assert np.array_equal(np.asarray(shown_), pixels)


# Names


@given(ANY_TEXT)
def test_any_text_is_the_name_of_a_folder_or_refused(name):
    assert len(shown(name)) <= 41
    folder, hint = tried(herb_folder, name)
    assert hint in ("", "herb-name")
    if folder is not None:
        assert is_portable(folder)
        assert herb_folder(folder) == folder


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_a_refusal_crosses_processes(zh, en, hint):
    error = pickle.loads(pickle.dumps(HerbError(zh, en, hint=hint)))
    assert (error.zh, error.en, error.hint) == (zh, en, hint)


NAMES = st.lists(
    st.text(st.characters(categories=("Lo", "Ll")), min_size=1, max_size=8), min_size=1,
    max_size=9, unique=True,
)  # fmt: skip


@given(NAMES, st.sampled_from(("list", "by number", "by name", "nested", "lines", "csv", "gbk")))
def test_a_list_of_names_is_read_in_any_shape(names, shape):
    numbered = dict(enumerate(names))
    by_name = {name: number for number, name in numbered.items()}
    text = {
        "list": json.dumps(names),
        "by number": json.dumps(numbered, ensure_ascii=False),
        "by name": json.dumps(by_name),
        "nested": json.dumps({"class_to_idx": by_name, "epoch": 3}),
        "lines": "\n".join(names),
        "csv": "\r\n".join(f"{number},{name}" for number, name in numbered.items()),
        "gbk": "\n".join(names),
    }[shape]
    with a_folder() as folder:
        (folder / "names").write_bytes(text.encode("gb18030" if shape == "gbk" else "utf-8"))
        if shape == "gbk":  # which some bytes of cannot be told from UTF-8
            assert len(labels_of(folder / "names")) == len(names)
        else:
            assert list(labels_of(folder / "names")) == names


@given(NAMES)
def test_each_output_keeps_a_herb_of_its_own(names):
    herbs, hint = tried(herbs_called, names)
    assert hint in ("", "labels-twice", "herb-name")  # twice: but for how their marks are written
    assert herbs is None or len(set(herbs)) == len(names)


# Cards


@given(JSON)
def test_any_json_is_a_card_or_refused(value):
    with a_folder() as folder:
        data = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        (folder / CARD).write_bytes(data)
        assert refusal(read_card, folder).hint in ("card-damaged", "card-newer")


FINITE = st.floats(allow_nan=False, allow_infinity=False)
FACTS = st.dictionaries(
    TEXT.filter(lambda key: key not in ("base", "added", "proof", "metrics", "architecture")),
    st.recursive(st.none() | st.booleans() | FINITE | TEXT, lambda x: st.lists(x, max_size=3)),
    max_size=4,
)


@given(FACTS, st.lists(TEXT, min_size=1, max_size=9, unique=True), st.floats(1e-3, 1e3),
       st.dictionaries(TEXT, st.floats(-2, 2), max_size=3), st.integers(32, 1024))  # fmt: skip
def test_a_card_that_is_written_reads_back(facts, herbs, temperature, thresholds, size):
    card = facts | {
        "schema": SCHEMA,
        "id": "x",
        "herbs": herbs,
        "sha256": "0" * 64,
        "temperature": temperature,
        "thresholds": thresholds,
        "preprocessing": {"size": size, "mean": [0.5] * 3, "std": [0.5] * 3},
    }
    with a_folder() as folder:
        (folder / CARD).write_bytes(card_named(card, "again"))
        assert read_card(folder) == card | {"id": "again"}


STATISTICS = {
    "count": torch.ones(3), "sum": torch.ones(3, 4), "moment": torch.ones(10),
    "basis": torch.ones(4, 2).half(), "bank": torch.ones(5, 2).half(),
    "bank_labels": torch.tensor([0, 1, 2, 2, -1]), "val": torch.ones(6, 4).half(),
    "val_labels": torch.tensor([0, 0, 1, 1, 2, 2]), "held_out": torch.arange(7),
}  # fmt: skip
LABELLED = {"bank_labels", "val_labels", "held_out"}


CHANGES = ("longer", "deeper", "half a number", "no number", "too many herbs", "no herb",
           "its partner gone")  # fmt: skip


@given(st.sampled_from(sorted(STATISTICS)), st.sampled_from(CHANGES))
def test_statistics_that_do_not_fit_are_noticed(name, change):
    card = {"herbs": ["a", "b", "c"]}
    assert statistics_fit(STATISTICS, card, features=4)
    both = STATISTICS | {"basis": torch.ones(8, 2).half()}  # of features with two signs
    assert statistics_fit(both, card, features=4, signed=True)
    assert not statistics_fit(both, card, features=4)
    value, spoilt = STATISTICS[name], dict(STATISTICS)
    if change == "longer" and name != "held_out":
        spoilt[name] = torch.cat([value, value])
    elif change == "deeper":
        spoilt[name] = value[None]
    elif change == "half a number" and name in LABELLED:
        spoilt[name] = value.float()
    elif change == "no number" and name not in LABELLED:
        spoilt[name] = torch.full_like(value, float("nan"))
    elif change == "too many herbs" and name in LABELLED - {"held_out"}:
        spoilt[name] = value + 1
    elif change == "no herb" and name == "val_labels":
        spoilt[name] = value - 1
    elif change == "its partner gone" and name in ("basis", "bank", "val", "val_labels"):
        del spoilt[name]
    else:
        return
    assert not statistics_fit(spoilt, card, features=4)


# Numbers


TABLES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=FLOATS
)


@given(TABLES, st.floats(-1000, 1000, width=32))
def test_probabilities_sum_to_one_and_keep_the_order(logits, shift):
    shares = softmax(logits)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert ((shares >= 0) & (shares <= 1)).all()
    best = shares[np.arange(len(logits)), logits.argmax(axis=1)]
    assert (best == shares.max(axis=1)).all()
    if abs(logits).max() < 1000:
        np.testing.assert_allclose(softmax(logits + shift), shares, atol=1e-3)


@given(st.lists(st.floats(width=32), min_size=1, max_size=6).map(np.float32))
def test_what_are_no_numbers_is_said(logits):
    shares, hint = tried(softmax, logits)
    assert np.isfinite(shares).all() if hint == "" else not np.isfinite(logits).all()


MAPS = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)),
    elements=st.floats(0, 1000, width=32),
)  # fmt: skip


@given(MAPS, st.integers(0, 10**6))
def test_maps_are_shares_and_their_mean_is_the_score(features, seed):
    weights = np.random.default_rng(seed).normal(size=(3, len(features))).astype(np.float32)
    raw = heatmap.class_maps(features, weights)
    scores = features.mean(axis=(1, 2)) @ weights.T
    np.testing.assert_allclose(raw.mean(axis=(1, 2)), scores, rtol=1e-2, atol=1e-1)
    normal = heatmap.normalised(raw)
    assert normal.min() >= 0
    assert normal.max() <= 1
    contrast = heatmap.contrast(features, weights[0], weights[1])
    assert np.abs(contrast).max() <= 1 + 1e-6
    np.testing.assert_allclose(
        contrast, -heatmap.contrast(features, weights[1], weights[0]), atol=1e-5
    )


@given(MAPS.map(lambda maps: maps[0]), st.integers(1, 40), st.integers(1, 40))
def test_enlarging_keeps_the_range_and_has_the_size_of_the_photo(values, width, height):
    large = heatmap.resized(values, (width, height))
    assert large.shape == (height, width)
    slack = 1e-3 + 1e-5 * values.max()
    assert values.min() - slack <= large.min() <= large.max() <= values.max() + slack
    share = values / max(1.0, float(values.max()))
    photo = heatmap.overlay(Image.new("RGB", (width, height)), share, longest=30)
    assert max(photo.size) == min(30, max(width, height))
    for lines in heatmap.contours(share, (0.3, 0.7), cells=8):
        assert ((lines >= 0) & (lines <= 1)).all()


# Copies


def apart(a: int, b: int) -> int:
    """Bits of 64 in which two fingerprints differ."""
    return ((a ^ b) % 2**64).bit_count()


PRINTS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300), max_size=25)


@given(PRINTS)
def test_copies_are_grouped_as_a_slow_way_groups_them(prints):
    near = {
        (i, j)
        for i, a in enumerate(prints)
        for j, b in enumerate(prints)
        if i < j and apart(a, b) <= HASH_DISTANCE
    }
    blocks = [np.stack(block, axis=1) for block in near_pairs(np.array(prints, np.int64))]
    pairs = {(int(i), int(j)) for block in blocks for i, j in block}
    assert pairs == near
    if prints:
        groups = copy_groups(np.array(prints, np.int64))
        assert all(groups[i] == groups[j] for i, j in pairs)


PHOTOS = st.lists(st.tuples(st.sampled_from("甲乙丙"), st.integers(-300, 300)), max_size=30)


@given(PHOTOS, st.integers(0, 99), st.floats(0, 0.6))
def test_no_copy_crosses_a_split_and_no_photo_is_lost(photos, seed, share):
    samples = [Sample(Path(f"{i}"), herb) for i, (herb, _) in enumerate(photos)]
    known = {Path(f"{i}"): fingerprint for i, (_, fingerprint) in enumerate(photos)}

    def fingerprints(some, progress):
        return np.array([known[sample.path] for sample in some], np.int64), list(some)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "fingerprints", fingerprints)
        train, val = split(samples, val_share=share, seed=seed)
    assert sorted([*train, *val], key=lambda s: int(s.path.name)) == samples
    for one in train:
        for other in val:
            if one.herb == other.herb:
                assert apart(known[one.path], known[other.path]) > HASH_DISTANCE
    assert {sample.herb for sample in val} <= {sample.herb for sample in train}


# Files


def half_of_a_file(path: Path, content: bytes) -> None:
    with whole_file(path) as file:
        file.write(content)
        raise OSError("halfway")


def half_of_a_folder(path: Path, content: bytes) -> None:
    with whole_folder(path) as folder:
        (folder / "a").write_bytes(content)
        raise OSError("halfway")


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_a_file_is_old_or_new_and_never_between(contents):
    with a_folder() as folder:
        for content in contents:
            replace_file(folder / "file", content)
            for half, path in ((half_of_a_file, "file"), (half_of_a_folder, "model")):
                with pytest.raises(OSError, match="halfway"):
                    half(folder / path, content + b"more")
            assert (folder / "file").read_bytes() == content
            assert [path.name for path in folder.iterdir()] == ["file"]


VERDICTS = st.sampled_from(("certain", "unsure", "failed"))
ROWS = st.lists(
    st.fixed_dictionaries({"file": TEXT, "verdict": VERDICTS}),
    min_size=1, max_size=12,
).map(lambda rows: [row | {"sha256": "m"} for row in rows])  # fmt: skip


@given(ROWS, st.integers(0, 2000), st.integers(1, 5))
def test_a_journal_cut_anywhere_goes_on_as_if_it_had_not_been(rows, cut, batch):
    with a_folder() as folder:
        path, names = folder / "rows", [row["file"] for row in rows]
        Journal(path).append(rows)
        assert list(Journal(path).rows()) == rows
        path.write_bytes(path.read_bytes()[:cut])
        left = list(Journal(path).rows())
        assert left == rows[: len(left)]
        journal = Journal(path)
        kept = journal.resume(names, sha256="m", batch=batch)
        assert kept % batch == 0
        assert len(left) - batch < kept <= len(left)
        journal.append(rows[kept:]) if rows[kept:] else None
        assert list(Journal(path).rows()) == rows


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_results_keep_every_name_and_run_no_formula(names):
    rows = [{"file": name, "verdict": "certain", "model": "m", "sha256": "0", "candidates": []}
            for name in names]  # fmt: skip
    written = {}
    for kind in ("csv", "json", "jsonl"):
        stream = io.BytesIO()
        WRITERS[kind](rows, stream)
        written[kind] = stream.getvalue().decode("utf-8-sig")
    cells = [line["file"] for line in csv.DictReader(io.StringIO(written["csv"], newline=""))]
    assert [cell.removeprefix("'") for cell in cells] == [name.removeprefix("'") for name in names]
    assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in cells)
    assert [row["file"] for row in json.loads(written["json"])["answers"]] == names
    assert [json.loads(line)["file"] for line in written["jsonl"].split("\n")[:-1]] == names


LETTERS = st.characters(categories=("Lo", "Lu", "Nd", "Po", "Cc", "Zs"))
PATHS = st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)


def unpacked_photos(file: Path, place: Path) -> list[bytes]:
    with unpacked(file, inside=place) as folder:
        return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@given(st.dictionaries(PATHS, st.binary(max_size=60), min_size=1, max_size=5))
def test_a_zip_gives_exactly_the_photos_in_it_or_is_refused(tree):
    with a_folder() as folder:
        with zipfile.ZipFile(folder / "given.zip", "w") as archive:
            for name, content in tree.items():
                archive.writestr(f"党参/{name}.png", content)
        place = folder / "place"
        place.mkdir()
        photos, hint = tried(unpacked_photos, folder / "given.zip", place)
        assert photos == (None if hint else sorted(tree.values()))
        assert not any(place.iterdir())
        assert sorted(path.name for path in folder.iterdir()) == ["given.zip", "place"]
