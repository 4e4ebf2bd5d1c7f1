"""Piles kept on the server: whole or not at all, within limits, nobody's but their giver's."""

import io
import os
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image, PdfParser
from toys import herb_picture, refusal

from herbdemo import contact_sheet, kept_piles
from herbdemo.kept_piles import Limits, keep_folder, keep_photos, keep_zip, open_pile

FEW = Limits(3, 1 << 20)


@pytest.fixture
def photos(tmp_path) -> list[Path]:
    """Five photos, as Gradio keeps uploads: each in a folder of its own, two of one name."""
    files = []
    for number in range(5):
        file = tmp_path / f"upload{number}" / f"{'same' if number > 2 else number} <b>.png"
        file.parent.mkdir()
        herb_picture("党参", number).save(file)
        files.append(file)
    return files


@pytest.fixture
def packed(tmp_path, photos) -> Path:
    path = tmp_path / "given.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, photo in enumerate(photos):
            archive.write(photo, f"deep/er/{number}.png")
    return path


def names(pile) -> list[str]:
    with pile.photos() as found:
        return [photo.name for photo in found]


def test_photos_keep_their_names_and_outlive_the_uploads(photos):
    pile = keep_photos(photos, None)
    content = photos[4].read_bytes()
    for photo in photos:
        photo.unlink()
    assert names(pile) == [
        "0 <b>.png",
        "1 <b>.png",
        "2 <b>.png",
        "same <b> (2).png",
        "same <b>.png",
    ]
    with pile.photos() as found:
        read = [Path(photo.read()).read_bytes() for photo in found]
    assert content in read
    assert open_pile(pile.id) == pile
    assert pile.total == 5


def test_a_file_that_is_no_photo_is_kept_for_its_row(tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    assert names(keep_photos([tmp_path / "notes.txt"], None)) == ["notes.txt"]


def test_a_zip_is_read_where_it_lies(packed):
    pile = keep_zip(packed, "herbs of <today>.zip", None)
    packed.unlink()
    assert (pile.title, pile.total) == ("herbs of <today>.zip", 5)
    assert names(pile) == [f"deep/er/{number}.png" for number in range(5)]


def test_what_is_refused_leaves_nothing(photos, packed, tmp_path, home):
    (tmp_path / "bad.zip").write_bytes(b"PK no zip")
    big = tmp_path / "big.png"
    big.write_bytes(b"0" * (2 << 20))
    for hint, call in {
        "pile-too-many": lambda: keep_photos(photos, FEW),
        "pile-too-large": lambda: keep_photos([big], FEW),
        "pile-empty": lambda: keep_photos([], FEW),
        "zip-damaged": lambda: keep_zip(tmp_path / "bad.zip", "", None),
    }.items():
        assert refusal(call).hint == hint
    assert refusal(keep_zip, packed, "", FEW).hint == "pile-too-many"
    assert list((home / "piles").iterdir()) == []


@pytest.mark.parametrize("name", ["..", "../secret", "/etc", "nowhere", "a\0b", "x" * 5000])
def test_a_folder_must_lie_in_the_folder_of_data(name, tmp_path, monkeypatch):
    assert refusal(keep_folder, "anything").hint == "data-not-offered"
    (tmp_path / "data").mkdir()
    (tmp_path / "secret").mkdir()
    herb_picture("党参", 1).save(tmp_path / "secret" / "1.png")
    monkeypatch.setenv("HERBDEMO_DATA", str(tmp_path / "data"))
    assert refusal(keep_folder, name).hint in ("folder-missing", "pile-empty")


def test_a_link_out_of_the_folder_of_data_is_not_read(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "market"
    folder.mkdir(parents=True)
    herb_picture("党参", 1).save(folder / "1.png")
    herb_picture("党参", 2).save(tmp_path / "secret.png")
    (folder / "2.png").symlink_to(tmp_path / "secret.png")
    monkeypatch.setenv("HERBDEMO_DATA", str(tmp_path / "data"))
    with keep_folder("market").photos() as found:
        inside, outside = found
        assert Path(inside.read()).is_file()
        assert refusal(outside.read).hint == "photo-escapes"


@pytest.mark.parametrize("pile_id", ["", ".", "../piles", "0" * 31, "0" * 32, "g" * 32, "0/0"])
def test_an_id_that_is_none_opens_nothing(pile_id, photos):
    keep_photos(photos, None)
    assert refusal(open_pile, pile_id).hint == "pile-missing"


@pytest.mark.parametrize("facts", ["", "[]", "{}", '{"made": 1}', "[" * 100_000])
def test_a_pile_whose_facts_are_spoilt_is_gone(photos, facts):
    pile = keep_photos(photos, None)
    (pile.folder / "pile.json").write_text(facts)
    assert refusal(open_pile, pile.id).hint == "pile-missing"


def test_a_pile_goes_when_it_is_deleted_or_nobody_has_touched_it_for_hours(photos, home):
    first, second, third = (keep_photos(photos, None) for _ in range(3))
    assert len({first.id, second.id, third.id}) == 3
    kept_piles.delete(first)
    long_ago = time.time() - kept_piles.KEPT_SECONDS - 60
    for pile in (second, third):
        os.utime(pile.folder, (long_ago, long_ago))
    third.touch()
    kept_piles.sweep()
    assert [path.name for path in (home / "piles").iterdir()] == [third.id]


def test_a_pile_that_goes_while_it_is_looked_for_is_no_error(photos, monkeypatch):
    gone, stays = keep_photos(photos, None), keep_photos(photos, None)
    kept_piles.delete(gone)
    monkeypatch.setattr(Path, "glob", lambda *_: iter([gone.folder, stays.folder]))
    kept_piles.sweep()
    assert stays.folder.exists()


def test_the_disk_is_not_filled_by_strangers(photos, monkeypatch):
    monkeypatch.setattr(kept_piles, "MOST_KEPT", 2)
    keep_photos(photos, None)
    keep_photos(photos, None)
    assert refusal(keep_photos, photos, None).hint == "piles-full"


# Contact sheets


def row(verdict: str, file: str = "a.jpg") -> dict:
    candidates = [{"zh": "党参", "pinyin": "dǎng shēn", "latin": "", "en": "", "probability": 1.0}]
    failed = verdict == "failed"
    error = {"error": {"zh": "打不开。", "en": "No photo.", "hint": ""}} if failed else {}
    return {"file": file, "verdict": verdict, "candidates": [] if failed else candidates,
            "model": "toy", "sha256": "", **error}  # fmt: skip


def pages_of(path: Path) -> int:
    """How many pages a reader of PDFs finds, each with a picture of its size."""
    with path.open("rb") as file:
        reader = PdfParser.PdfParser(f=file)
        for reference in reader.pages:
            page = reader.read_indirect(reference)
            picture = reader.read_indirect(page[b"Resources"][b"XObject"][b"P"])
            assert picture.dictionary[b"Width"] == contact_sheet.PAGE[0]
            with Image.open(io.BytesIO(picture.buf[: int(picture.dictionary[b"Length"])])) as image:
                assert image.size == contact_sheet.PAGE
        return len(reader.pages)


@pytest.mark.parametrize("has_han", [True, False])
def test_a_contact_sheet_has_a_page_for_each_36_photos(tmp_path, monkeypatch, has_han):
    if not has_han:
        from PIL import ImageFont

        monkeypatch.setattr(
            contact_sheet, "font", lambda size, **_: (ImageFont.load_default(size), False)
        )
    herb_picture("党参", 1).save(tmp_path / "1.jpg")
    verdicts = ["certain", "unsure", "unknown", "failed"]
    cells = [
        contact_sheet.Cell(row(verdicts[n % 4], "../党参\n<b>" * n), tmp_path / f"{n % 2}.jpg")
        for n in range(80)
    ]
    out = tmp_path / "sheet.pdf"
    contact_sheet.write(iter(cells), out, title="批量 Batch " * 20, total=80)
    assert pages_of(out) == 3


def test_an_empty_contact_sheet_has_one_page(tmp_path):
    contact_sheet.write(iter(()), tmp_path / "sheet.pdf", title="", total=0)
    assert pages_of(tmp_path / "sheet.pdf") == 1
