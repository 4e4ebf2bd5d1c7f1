"""Piles of photos: row by row, in constant memory, resumed and exported; failures never fatal."""

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from toys import HERBS, herb_picture, refusal

from herbdemo.dataset import photos_below
from herbdemo.given import given, walked
from herbdemo.journal import Journal, lasting
from herbdemo.photo import open_photo
from herbdemo.piles import recognised
from herbdemo.piles_out import COLUMNS, recognised_into, table, write
from herbdemo.recognise import BATCH, Recogniser

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = 2 * BATCH + 6


@pytest.fixture(scope="module")
def recogniser(toy_model) -> Recogniser:
    return Recogniser(toy_model)


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos in sub-folders, two of them broken, with some litter."""
    folder = tmp_path_factory.mktemp("pile") / "photos"
    for number in range(PHOTOS):
        herb = HERBS[number % len(HERBS)]
        place = folder / ("a" if number % 3 else "b c")
        place.mkdir(parents=True, exist_ok=True)
        herb_picture(herb, number).save(place / f"{number:03d} {herb}.png")
    (folder / "a" / "000 broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.png").write_bytes(b"litter")
    return folder


def rows_of(recogniser: Recogniser, *paths: Path, **options) -> list[dict]:
    with given(paths) as photos:
        return [row for rows in recognised(recogniser, photos, **options) for row in rows]


@pytest.fixture(scope="module")
def rows(recogniser, pile) -> list[dict]:
    return rows_of(recogniser, pile)


def test_each_photo_has_a_row_in_the_order_of_the_folder_and_failures_are_rows(rows, pile):
    assert [row["file"] for row in rows] == [str(path) for path in photos_below(pile)]
    failed = {Path(row["file"]).name: row["error"] for row in rows if row["verdict"] == "failed"}
    assert set(failed) == {"000 broken.jpg", "empty.png"}
    for error in failed.values():
        assert error["zh"].endswith("。")
        assert error["en"].endswith(".")
        assert str(pile) not in error["en"]
    right = [row["candidates"][0]["zh"] in row["file"] for row in rows if row["candidates"]]
    assert sum(right) > 0.8 * PHOTOS


def test_the_walk_lists_what_a_search_lists(pile):
    assert [pile / name for name in walked(pile)] == photos_below(pile)
    assert list(walked(pile / "nowhere")) == []


def test_a_zip_gives_what_its_folder_gives(recogniser, rows, pile, tmp_path):
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in reversed(photos_below(pile)):
            archive.write(path, path.relative_to(pile))
    zipped = rows_of(recogniser, packed)
    assert [row["file"] for row in zipped] == [str(packed / name) for name in walked(pile)]
    assert [row["candidates"] for row in zipped] == [row["candidates"] for row in rows]


def test_a_damaged_photo_in_a_zip_is_a_row_and_a_bad_zip_a_sentence(recogniser, tmp_path):
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        herb_picture("党参", 1).save(tmp_path / "1.png")
        archive.write(tmp_path / "1.png", "good.png")
        archive.write(tmp_path / "1.png", "bad.png")
    data = bytearray(packed.read_bytes())
    at = data.index(b"bad.png") + len("bad.png") + 40
    data[at] ^= 0xFF
    packed.write_bytes(data)
    verdicts = {Path(row["file"]).name: row["verdict"] for row in rows_of(recogniser, packed)}
    assert verdicts["bad.png"] == "failed"
    assert verdicts["good.png"] != "failed"

    (tmp_path / "no.zip").write_bytes(b"PK no zip")
    assert refusal(rows_of, recogniser, tmp_path / "no.zip").hint == "zip-damaged"
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("notes.txt", "no photo")
    assert refusal(rows_of, recogniser, tmp_path / "none.zip").hint == "zip-no-photos"


def test_a_missing_photo_is_a_row(recogniser, tmp_path):
    (row,) = rows_of(recogniser, tmp_path / "nowhere.jpg")
    assert row["verdict"] == "failed"
    assert row["error"]["hint"] == "photo-missing"


def test_a_name_that_is_no_utf8_goes_through_every_format(recogniser, tmp_path):
    (tmp_path / "in").mkdir()
    herb_picture("党参", 1).save(tmp_path / "1.png")
    os.rename(tmp_path / "1.png", os.fsencode(tmp_path / "in") + b"/\xff\xfe.png")
    for kind in ("jsonl", "csv", "json", "parquet"):
        out = tmp_path / f"rows.{kind}"
        assert sum(map(len, recognised_into(out, recogniser, [tmp_path / "in"]))) == 1
        assert out.stat().st_size > 100


def test_what_is_seen_has_a_small_photo_and_its_maps(recogniser, pile):
    seen = {}

    def see(number, name, answer):
        best = answer.candidates[0].herb.zh
        seen[number] = (name, max(answer.photo.image.size), answer.heatmap(best).shape)

    rows = rows_of(recogniser, pile, see=see, shown=24)
    assert {rows[number]["file"] for number in seen} == {name for name, _, _ in seen.values()}
    assert len(seen) == PHOTOS
    assert {size for _, size, _ in seen.values()} == {24}


# Resume


@pytest.mark.parametrize("kept", [0, 1, BATCH - 1, BATCH, 2 * BATCH + 3, PHOTOS + 2])
def test_a_run_that_was_cut_anywhere_ends_with_the_same_file(recogniser, pile, tmp_path, kept):
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    for _ in recognised_into(whole, recogniser, [pile]):
        pass
    lines = whole.read_bytes().splitlines(keepends=True)
    torn = lines[kept][:20] if kept < len(lines) else b'{"file": "'
    (tmp_path / "cut.jsonl.unfinished").write_bytes(b"".join(lines[:kept]) + torn)
    again = []
    for rows in recognised_into(cut, recogniser, [pile], see=lambda n, *_: again.append(n)):
        assert rows
    assert cut.read_bytes() == whole.read_bytes()
    assert all(number >= kept - kept % BATCH for number in again)
    assert len(again) == len(set(again))
    assert not (tmp_path / "cut.jsonl.unfinished").exists()


def test_a_stop_leaves_what_is_done_and_the_same_call_goes_on(recogniser, pile, rows, tmp_path):
    out = tmp_path / "rows.csv"
    done = [
        row
        for batch in recognised_into(out, recogniser, [pile], stop=lambda: True)
        for row in batch
    ]
    assert len(done) == BATCH
    assert not out.exists()
    assert len(list(Journal(tmp_path / "rows.csv.unfinished").rows())) == BATCH
    assert [
        row for batch in recognised_into(out, recogniser, [pile]) for row in map(lasting, batch)
    ] == [lasting(row) for row in rows]
    assert len(pd.read_csv(out)) == PHOTOS + 2


def test_two_runs_do_not_mix_their_rows_in_one_file(recogniser, pile, tmp_path):
    out = tmp_path / "rows.jsonl"
    first = recognised_into(out, recogniser, [pile])
    next(first)
    list(recognised_into(out, recogniser, [pile], stop=lambda: True))
    assert refusal(list, first).hint == "rows-two-writers"
    files = [json.loads(line)["file"] for line in (tmp_path / "rows.jsonl.unfinished").open()]
    assert len(files) == len(set(files))


def test_other_photos_or_another_model_are_not_mixed_in(recogniser, pile, tmp_path):
    out = tmp_path / "rows.csv"
    list(recognised_into(out, recogniser, [pile], stop=lambda: True))

    def run(*paths):
        return list(recognised_into(out, recogniser, paths))

    assert refusal(run, pile / "b c").hint == "rows-other-photos"
    unfinished = tmp_path / "rows.csv.unfinished"
    sha256 = recogniser.checkpoint.sha256
    unfinished.write_text(unfinished.read_text("utf-8").replace(sha256, "0" * 64), "utf-8")
    assert refusal(run, pile).hint == "rows-other-model"


def test_where_nothing_can_be_written_it_says_so_at_once(recogniser, pile, tmp_path):
    def run(name):
        return list(recognised_into(tmp_path / name, recogniser, [pile]))

    assert refusal(run, "nowhere/rows.csv").hint == "rows-unwritable"
    assert refusal(run, "rows.xlsx").hint == "rows-format"


# Files


def test_the_files_hold_what_the_rows_say(rows, tmp_path):
    for kind in ("jsonl", "json", "csv", "parquet"):
        write(iter(rows), tmp_path / f"rows.{kind}")
    lines = (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [lasting(row) for row in rows]

    whole = json.loads((tmp_path / "rows.json").read_text("utf-8"))
    assert [answer["file"] for answer in whole["answers"]] == [
        row["file"] for row in rows if row["candidates"]
    ]
    assert {Path(failure["file"]).name for failure in whole["failures"]} == {
        "000 broken.jpg",
        "empty.png",
    }
    assert set(whole["failures"][0]) == {"file", "zh", "en", "hint"}

    frame = table(rows)
    assert list(frame.columns) == list(COLUMNS)
    assert frame["p1"].dropna().between(0, 1).all()
    read = pd.read_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)

    raw = (tmp_path / "rows.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")  # for Excel
    text = raw.decode("utf-8-sig").splitlines()
    by_hand = list(csv.DictReader(text))
    assert [line["herb1"] or None for line in by_hand] == [
        row["candidates"][0]["zh"] if row["candidates"] else None for row in rows
    ]


def test_a_spreadsheet_takes_no_name_for_a_formula(rows, tmp_path):
    names = ['=HYPERLINK("http://x")', "+1+2.jpg", "-1.jpg", "@SUM(A1).jpg", "\tx.jpg", "a=1.jpg"]
    write([{**rows[0], "file": name} for name in names], tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [line["file"] for line in csv.DictReader(file)]
    assert cells == [f"'{name}" for name in names[:-1]] + ["a=1.jpg"]


def test_an_empty_pile_makes_empty_files(tmp_path):
    for kind in ("jsonl", "json", "csv", "parquet"):
        write(iter(()), tmp_path / f"rows.{kind}")
    assert json.loads((tmp_path / "rows.json").read_text()) == {"answers": [], "failures": []}
    assert list(pd.read_parquet(tmp_path / "rows.parquet").columns) == list(COLUMNS)
    assert len(pd.read_csv(tmp_path / "rows.csv")) == 0


def test_a_name_that_no_disk_can_have_is_a_photo_that_is_missing(tmp_path):
    with given([tmp_path / ("参" * 300)]) as listed:
        (one,) = listed
    assert refusal(open_photo, one.read()).hint == "photo-missing"


def test_a_page_of_rows(rows, tmp_path):
    journal = Journal(tmp_path / "rows.jsonl")
    assert journal.page(0, 50) == []
    journal.append(rows)
    assert [number for number, _ in journal.page(10, 5)] == [10, 11, 12, 13, 14]
    failed = journal.page(0, 50, verdict="failed")
    assert len(failed) == 2
    assert rows[failed[0][0]]["file"] == failed[0][1]["file"]
    assert "ms" not in failed[0][1]


# Memory


_GROWTH = """
import resource, sys
from pathlib import Path
from herbdemo.checkpoint import load_checkpoint
from herbdemo.given import given
from herbdemo.piles import recognised
from herbdemo.recognise import Recogniser
import torch; torch.set_num_threads(1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with given([Path(sys.argv[2])]) as photos:
    done, early = 0, 0
    for rows in recognised(Recogniser(load_checkpoint(sys.argv[1])), photos):
        done += len(rows)
        if early == 0 and done >= 200:
            early = peak()
print(done, early, peak())
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_a_thousand_photos_need_no_more_memory_than_two_hundred(toy_folder, tmp_path):
    herb_picture("党参", 1).save(tmp_path / "one.png")
    (tmp_path / "in").mkdir()
    for number in range(1000):
        os.link(tmp_path / "one.png", tmp_path / "in" / f"{number:04d}.png")
    said = subprocess.run(
        [sys.executable, "-c", _GROWTH, str(toy_folder), str(tmp_path / "in")],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=True,
    ).stdout  # fmt: skip
    done, early, late = map(int, said.split())
    assert done == 1000
    # Answers kept for 800 photos, with their feature maps of 2 x 2 cells, would be 26 MB, and
    # with their photos more; the noise of the allocator is a fraction of that.
    assert late - early < 16 * 1024, f"{(late - early) / 1024:.1f} MB more"
