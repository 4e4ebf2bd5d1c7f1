"""preflight.py, findings.py: whatever may be wrong with photos is said once, and right."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from hostile.zips import Entry, photo, written, zip_of
from PIL import Image
from toys import HERBS, encoded, herb_picture

from herbdemo import preflight as module
from herbdemo.dataset import Sample, fingerprint, scan
from herbdemo.findings import FEWEST, IMBALANCE, MAX_FILES, SMALLEST, Photos, near_copies, numbers
from herbdemo.intake import accept, take_files, take_zip
from herbdemo.library import Library
from herbdemo.photo import open_photo
from herbdemo.preflight import Preflight, check, check_batch

SIZE = (192, 160)  # large enough to be nothing to remark on


def fill(folder: Path, herb: str, seeds: range, *, name: str = "", size=SIZE) -> Path:
    target = folder / (name or herb)
    target.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        herb_picture(herb, seed, size=size).save(target / f"{seed:03d}.png")
    return target


def report(folder: Path, **options) -> Preflight:
    return check(scan(folder), root=folder, **options)


def found(folder: Path, **options) -> list[tuple[str, str, str, tuple[str, ...]]]:
    findings = report(folder, **options).findings
    for finding in findings:
        assert finding.zh.endswith("。")
        assert finding.en.endswith(".")
        assert "{" not in finding.zh + finding.en
    return [(f.level, f.kind, f.herb, f.files) for f in findings]


@pytest.fixture
def clean(tmp_path) -> Path:
    """Two herbs of six different photos each."""
    for herb in HERBS[:2]:
        fill(tmp_path, herb, range(6))
    return tmp_path


def test_nothing_to_remark_on(clean):
    steps = []
    result = report(clean, progress=lambda done, total: steps.append((done, total)))
    assert result.findings == ()
    assert result.ok
    assert result.photos == 12
    assert result.herbs == {"党参": 6, "金银花": 6}
    assert result.seconds > 0
    assert steps == [(12, 12)]


def test_each_photo_is_opened_once(clean, toy, monkeypatch):
    opened = []
    monkeypatch.setattr(
        module, "open_photo", lambda path, **o: opened.append(path) or open_photo(path, **o)
    )
    report(clean, checkpoint=toy)
    assert sorted(opened) == sorted(sample.path for sample in scan(clean))


# Files


def test_photos_that_do_not_open_by_herb_and_reason(clean):
    (clean / "党参" / "a.jpg").write_bytes(b"")
    (clean / "党参" / "b.jpg").write_bytes(b"")
    (clean / "党参" / "c.jpg").write_bytes(b"%PDF-1.7")
    result = report(clean)
    first, second = result.findings
    assert (first.kind, first.herb, first.files) == (
        "unreadable",
        "党参",
        ("党参/a.jpg", "党参/b.jpg"),
    )
    assert "2 photos set aside: The file is empty" in first.en
    assert "1 photo set aside: This is a PDF file" in second.en
    assert result.ok
    assert result.herbs["党参"] == 6


def test_small_photos(clean):
    for name, size in (("a", (SMALLEST - 1, 900)), ("b", (900, SMALLEST)), ("c", (20, 20))):
        herb_picture("党参", 50 + ord(name), size=size).save(clean / "党参" / f"{name}.png")
    small = [f for f in found(clean) if f[1] == "too-small"]
    assert small == [("warning", "too-small", "党参", ("党参/a.png", "党参/c.png"))]


def test_the_same_file_twice_in_a_herb(clean):
    for name in ("copy1.png", "copy2.png"):
        shutil.copy(clean / "党参" / "000.png", clean / "党参" / name)
    copies = ("党参/copy1.png", "党参/copy2.png")
    assert found(clean) == [("warning", "exact-copy", "党参", copies)]


def test_the_same_file_under_two_herbs_is_an_error(clean):
    shutil.copy(clean / "党参" / "000.png", clean / "金银花" / "x.png")
    shutil.copy(clean / "党参" / "001.png", clean / "金银花" / "y.png")
    files = ("党参/000.png", "金银花/x.png", "党参/001.png", "金银花/y.png")
    assert found(clean) == [("error", "copy-other-herb", "党参", files)]
    result = report(clean)
    assert not result.ok
    assert result.findings[0].en.startswith("2 photos both in “党参” and in “金银花”")


def test_copies_as_the_web_makes_them(clean):
    image = herb_picture("党参", 0, size=SIZE)
    for number, data in enumerate(toys.copies(image)):
        (clean / "党参" / f"copy{number}.jpg").write_bytes(data)
    (clean / "金银花" / "copy.jpg").write_bytes(toys.copies(herb_picture("党参", 1, size=SIZE))[0])
    within = ("党参/000.png", "党参/copy0.jpg", "党参/copy1.jpg", "党参/copy2.jpg")
    across = ("党参/001.png", "金银花/copy.jpg")
    assert found(clean) == [
        ("warning", "near-copy", "党参", within),
        ("warning", "near-copy-other-herb", "党参", across),
    ]


def test_copies_of_the_models_test_photos(clean, toy):
    kept = [fingerprint(herb_picture("党参", seed, size=SIZE)) for seed in (2, 4, 77)]
    model = replace(toy, statistics={**toy.statistics, "held_out": torch.tensor(kept)})
    (clean / "党参" / "004.png").write_bytes(toys.copies(herb_picture("党参", 4, size=SIZE))[0])
    files = ("党参/002.png", "党参/004.png")
    assert ("warning", "held-out", "党参", files) in found(clean, checkpoint=model)
    assert "held-out" not in {kind for _, kind, *_ in found(clean, checkpoint=toy)}


def test_a_long_list_of_files_is_cut_and_counted(tmp_path):
    fill(tmp_path, "党参", range(MAX_FILES + 7), size=(40, 40))
    small = next(f for f in report(tmp_path).findings if f.kind == "too-small")
    assert small.count == MAX_FILES + 7
    assert len(small.files) == MAX_FILES


# Names


def test_another_name_of_a_herb_that_the_model_knows(tmp_path, toy):
    fill(tmp_path, "党参", range(6), name="dangshen")
    fill(tmp_path, "菊花", range(6))
    fill(tmp_path, "甘草", range(6), name="unobtainium")
    names = [f for f in report(tmp_path, checkpoint=toy).findings if f.level == "note"]
    known = [f for f in names if f.kind == "known-herb"]
    assert [f.herb for f in known] == ["党参"]
    assert "“dangshen” is “党参”" in known[0].en
    assert report(tmp_path, checkpoint=toy).new_herbs == ("unobtainium",)


def test_two_folders_of_one_herb(tmp_path):
    for number, name in enumerate(("党参", "黨參", "Codonopsis Radix")):
        fill(tmp_path, "党参", range(6 * number, 6 * number + 6), name=name)
    assert [f[:3] for f in found(tmp_path)] == [("note", "same-herb-twice", "党参")]
    assert "“Codonopsis Radix”, “党参”, “黨參” are one herb" in report(tmp_path).findings[0].en


def test_a_name_that_several_herbs_share(tmp_path):
    fill(tmp_path, "党参", range(6), name="Citrus aurantium")
    assert [f[:3] for f in found(tmp_path)] == [("warning", "ambiguous-name", "Citrus aurantium")]
    assert "枳壳、枳实" in report(tmp_path).findings[0].zh


# Numbers


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"a": FEWEST, "b": FEWEST * IMBALANCE}, []),
        ({"a": FEWEST, "b": FEWEST * IMBALANCE + 1}, [("warning", "imbalance", "b")]),
        ({"a": FEWEST - 1, "b": FEWEST}, [("warning", "few-photos", "a")]),
        ({"a": 1}, [("warning", "few-photos", "a")]),
        ({"a": 0, "b": 9}, [("error", "few-photos", "a")]),
        ({}, []),
    ],
)
def test_numbers_of_photos(counts, expected):
    assert [(f.level, f.kind, f.herb) for f in numbers(counts)] == expected


def test_a_herb_without_a_photo_is_an_error(clean):
    (clean / "菊花").mkdir()
    (clean / "甘草").mkdir()
    (clean / "甘草" / "x.jpg").write_bytes(b"")
    result = report(clean)
    assert [(f.level, f.herb) for f in result.findings if f.kind == "few-photos"] == [
        ("error", "甘草"),
        ("error", "菊花"),
    ]
    assert not result.ok
    assert result.herbs == {"党参": 6, "甘草": 0, "菊花": 0, "金银花": 6}


# The model's opinion


@pytest.fixture
def sure(toy):
    """The toy model, sure of whatever it says and familiar with everything."""
    return replace(toy, temperature=0.05, thresholds={"certain": 0.9, "unknown": -2.0})


def test_photos_in_the_wrong_folder(clean, sure):
    herb_picture("枸杞子", 7, size=SIZE).save(clean / "党参" / "wrong.png")
    others = [f for f in found(clean, checkpoint=sure) if f[1] == "called-otherwise"]
    assert ("warning", "called-otherwise", "党参", ("党参/wrong.png",)) in others
    assert sum(len(f[3]) for f in others) <= 2  # the toy is not perfect


def test_a_new_herb_that_is_an_old_one_under_another_name(tmp_path, sure):
    fill(tmp_path, "枸杞子", range(8), name="红果")
    finding = next(f for f in report(tmp_path, checkpoint=sure).findings if f.herb == "红果")
    assert (finding.level, finding.kind) == ("warning", "called-otherwise")
    assert "“枸杞子”" in finding.en
    assert finding.count >= 5


def test_a_new_herb_that_resembles_several_is_worth_a_note(tmp_path, sure):
    for herb in HERBS[:4]:
        fill(tmp_path, herb, range(HERBS.index(herb) * 3, HERBS.index(herb) * 3 + 3), name="杂草")
    others = [f for f in report(tmp_path, checkpoint=sure).findings if f.kind == "called-otherwise"]
    assert [f.level for f in others] == ["note"]
    assert others[0].count >= 8


def test_what_the_model_finds_unfamiliar_it_has_no_opinion_on(clean, sure):
    strange = replace(sure, thresholds={"certain": 0.9, "unknown": 2.0})
    herb_picture("枸杞子", 7, size=SIZE).save(clean / "党参" / "wrong.png")
    assert "called-otherwise" not in {kind for _, kind, *_ in found(clean, checkpoint=strange)}


# Batches, JSON, many photos


def test_a_batch_keeps_what_its_owner_called_things(home, tmp_path, toy):
    entries = [Entry(f"all/dangshen/{i}.png", photo(i)) for i in range(6)]
    entries += [Entry("all/dangshen/bad.jpg", b""), Entry("all/loose.png", photo(9))]
    batch = take_zip(written(tmp_path, zip_of(entries)))
    result = check_batch(batch, checkpoint=toy)
    kinds = {(f.kind, f.herb, f.files) for f in result.findings}
    assert ("known-herb", "党参", ()) in kinds
    assert ("unreadable", "党参", ("dangshen/bad.jpg",)) in kinds
    assert ("unreadable", "", ("loose.png",)) in kinds
    assert result.herbs == {"党参": 6}


def test_a_batch_is_compared_with_the_library(home):
    library = Library()
    for seed in range(4):
        library.add(photo(seed), "党参")
    same = photo(0)
    library.add(encoded(herb_picture("菊花", 90, size=SIZE)), "菊花")
    recompressed = toys.copies(herb_picture("菊花", 90, size=SIZE))[0]
    batch = take_files([same, photo(50), photo(50), recompressed], "黨參")
    found = {(f.level, f.kind): f for f in check_batch(batch).findings}
    assert set(found) == {
        ("warning", "too-small"),  # the photos of the zips are
        ("warning", "exact-copy"),
        ("warning", "near-copy-other-herb"),
        ("note", "exact-copy"),
    }
    assert "the library holds already" in found["warning", "exact-copy"].en
    assert found["warning", "near-copy-other-herb"].count == 1
    assert "“菊花” in the library" in found["warning", "near-copy-other-herb"].en
    assert "1 photo given twice" in found["note", "exact-copy"].en
    accept(batch.id)

    result = check_batch(take_files([same], "菊花"))
    assert not result.ok
    assert [(f.level, f.kind, f.herb) for f in result.findings if f.level == "error"] == [
        ("error", "copy-other-herb", "菊花")
    ]
    assert "under “党参”" in result.findings[0].en


def test_the_library_itself_and_other_folders(home, clean):
    library = Library()
    for sample in scan(clean):
        library.add(sample.path, sample.herb)
    assert check(scan(library.root), root=library.root, library=library).findings == ()
    copies = [f for f in found(clean, library=library) if f[1] == "exact-copy"]
    assert [(f[2], len(f[3])) for f in copies] == [("党参", 6), ("金银花", 6)]


def test_numbers_count_the_library_too():
    assert list(numbers({"a": 1}, {"a": FEWEST - 1})) == []
    assert [f.kind for f in numbers({"a": 9}, {"b": 9 * IMBALANCE + 1})] == ["imbalance"]
    assert list(numbers({"a": 9}, {"b": 100, "c": 1})) == []  # neither is this batch's


def test_a_batch_without_a_photo(home):
    result = check_batch(take_files([b"broken"], "党参"))
    assert [(f.level, f.kind) for f in result.findings] == [
        ("error", "few-photos"),
        ("warning", "unreadable"),
    ]
    assert result.herbs == {"党参": 0}


def test_the_report_as_json(clean):
    shutil.copy(clean / "党参" / "000.png", clean / "金银花" / "x.png")
    result = report(clean).to_dict()
    assert set(result) == {"ok", "photos", "herbs", "new_herbs", "findings", "seconds"}
    assert result["ok"] is False
    assert set(result["findings"][0]) == {"level", "kind", "herb", "zh", "en", "files", "count"}


def test_errors_come_first(clean):
    shutil.copy(clean / "党参" / "000.png", clean / "党参" / "copy.png")
    shutil.copy(clean / "党参" / "000.png", clean / "金银花" / "x.png")
    fill(clean, "金银花", range(20, 26), name="金銀花")
    assert [f.level for f in report(clean).findings] == ["error", "warning", "note"]


def test_thousands_of_equal_photos_cost_neither_time_nor_memory(tmp_path):
    n = 4000
    photos = Photos([str(i) for i in range(n)], ["a", "b"] * (n // 2), np.full(n, 500),
                    [str(i) for i in range(n)], np.zeros(n, np.int64), [""] * n)  # fmt: skip
    assert [(f.herb, f.count) for f in near_copies(photos)] == [
        ("a", n // 2),
        ("a", n),
        ("b", n // 2),
    ]


def test_a_sample_whose_photo_vanishes_meanwhile(clean):
    samples = [*scan(clean), Sample(clean / "党参" / "gone.png", "党参")]
    assert [f.kind for f in check(samples, root=clean).findings] == ["unreadable"]


def test_the_size_counted_is_that_of_the_original(tmp_path):
    folder = fill(tmp_path, "党参", range(6))
    Image.new("RGB", (4000, SMALLEST + 1), "red").save(folder / "wide.png")
    (folder / "flat.png").write_bytes(encoded(Image.new("RGB", (4000, SMALLEST - 1), "blue")))
    small = [f.files for f in report(tmp_path).findings if f.kind == "too-small"]
    assert small == [("党参/flat.png",)]
