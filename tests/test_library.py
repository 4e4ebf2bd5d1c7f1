"""library.py: photos by herb, each kept once, whole or not at all."""

import errno
import hashlib
import os
import time

import pytest
from PIL import Image
from toys import encoded, herb_picture, refusal

from herbdemo import files
from herbdemo.library import LONGEST, Library, herb_folder

PHOTO = encoded(herb_picture("党参", 1))
SHA256 = hashlib.sha256(PHOTO).hexdigest()


@pytest.fixture
def library(tmp_path) -> Library:
    return Library(tmp_path / "library")


def listed(library: Library) -> list[tuple[str, str]]:
    return [(entry.herb, entry.sha256) for entry in library.entries()]


# Names


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        *(("党参", "党参"), ("黨參", "党参"), ("dangshen", "党参"), ("Codonopsis Radix", "党参")),
        *(
            (" 罗勒 ", "罗勒"),
            ("我家后院的草", "我家后院的草"),
            ("My Herb (2024)", "My Herb (2024)"),
        ),
        *(("the\u0301", "thé"), ("x" * 40, "x" * 40), ("100%", "100%"), ("é", "é"), ("a.b", "a.b")),
    ],
)
def test_a_herb_by_any_of_its_names(name, folder):
    assert herb_folder(name) == folder
    assert herb_folder(folder) == folder


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", ".", "..", "...", "../up", "a/b", "a\\b", "/", "~/..", "x.", "x..", ".hidden"),
        *("x" * 41, "CON", "con", "Nul.txt", "aux .x", "com1", "lpt9", "C:", "a:b", "a*", "a?"),
        *('"a"', "<b>", "a|b", "a\nb", "a\0b", "a\u202eb", "\u200b", "a\u2028b", "\ud800"),
        *("——", "！？", "__MACOSX", "@eaDir", "desktop.ini"),
    ],
    ids=ascii,
)  # fmt: skip
def test_names_that_no_herb_can_have(library, name):
    error = refusal(herb_folder, name)
    assert error.hint == "herb-name"
    assert "\n" not in error.en
    assert refusal(library.add, PHOTO, name).hint == "herb-name"
    assert not library.root.exists()


# Adding


def test_a_photo_is_kept_upright_small_and_without_its_metadata(library):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it to the right
    exif[0x010E] = "at home"
    data = encoded(Image.new("RGB", (3000, 2000), (200, 30, 30)), "JPEG", exif=exif)
    entry = library.add(data, "dangshen")
    assert entry.new
    assert entry.path == library.root / "党参" / f"{hashlib.sha256(data).hexdigest()}.jpg"
    with Image.open(entry.path) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert image.size == (round(LONGEST * 2 / 3), LONGEST)
        assert not image.getexif()


def test_a_small_photo_keeps_its_size_and_its_looks(library, tmp_path):
    original = herb_picture("党参", 1)
    original.save(tmp_path / "a.png")
    with Image.open(library.add(tmp_path / "a.png", "党参").path) as image:
        assert image.size == original.size
        pairs = zip(image.tobytes(), original.tobytes(), strict=True)
        assert sum(abs(a - b) for a, b in pairs) / len(original.tobytes()) < 4


def test_adding_again_changes_nothing(library):
    first = library.add(PHOTO, "党参")
    before = first.path.stat()
    again = library.add(PHOTO, "黨參")
    assert not again.new
    assert again.path == first.path
    assert again.path.stat() == before
    assert listed(library) == [("党参", SHA256)]


def test_the_same_photo_under_another_herb_is_refused_naming_the_first(library):
    library.add(PHOTO, "党参")
    error = refusal(library.add, PHOTO, "菊花")
    assert error.hint == "photo-other-herb"
    assert "“党参”" in error.en
    assert "“党参”" in error.zh
    assert listed(library) == [("党参", SHA256)]


def test_a_correction_moves_the_photo(library):
    library.add(PHOTO, "党参")
    assert not library.add(PHOTO, "菊花", move=True).new
    assert listed(library) == [("菊花", SHA256)]
    assert library.add(PHOTO, "菊花", move=True).path.is_file()
    assert library.add(encoded(herb_picture("党参", 2)), "菊花", move=True).new


def test_a_broken_photo_leaves_nothing(library):
    assert refusal(library.add, b"\xff\xd8\xff broken", "党参").hint.startswith("photo-")
    assert not library.root.exists()


def test_the_library_is_at_home_by_default(home):
    assert Library().herbs() == {}
    Library().add(PHOTO, "党参")
    assert (home / "library" / "党参" / f"{SHA256}.jpg").is_file()


# Listing and removing


def test_listing(library):
    assert (library.herbs(), library.entries(), library.photos("党参")) == ({}, [], [])
    for seed in range(3):
        library.add(encoded(herb_picture("党参", seed)), "党参")
    library.add(encoded(herb_picture("菊花", 1)), "菊花")
    assert library.herbs() == {"党参": 3, "菊花": 1}
    assert len(library.entries()) == 4
    assert {entry.herb for entry in library.photos("dangshen")} == {"党参"}
    assert all(entry.path.is_file() for entry in library.entries())


@pytest.mark.parametrize("name", [".writing-x", "党参/1.jpg", ".hidden/" + "0" * 64 + ".jpg",
                                  "党参/" + "0" * 64 + ".jpg.part", "0" * 64 + ".jpg"])  # fmt: skip
def test_what_is_not_the_librarys_is_not_listed(library, name):
    library.add(PHOTO, "党参")
    (library.root / name).parent.mkdir(exist_ok=True)
    (library.root / name).write_bytes(b"half")
    assert listed(library) == [("党参", SHA256)]


def test_a_folder_put_there_by_hand_is_listed_and_read_under_its_name(library):
    name = library.add(PHOTO, "党参").path.name
    (library.root / "党参").rename(library.root / "dangshen")
    assert library.herbs() == {"dangshen": 1}
    assert [entry.path.name for entry in library.photos("dangshen")] == [name]
    assert library.photos("党参") == []
    library.add(encoded(herb_picture("党参", 2)), "党参")
    assert {herb: len(library.photos(herb)) for herb in library.herbs()} == library.herbs()
    assert library.remove("dangshen") == 1
    assert library.herbs() == {"党参": 1}
    assert library.photos("dangshen") == library.photos("党参")


def test_removing_a_photo_and_a_herb(library):
    for seed in range(1, 4):
        library.add(encoded(herb_picture("党参", seed)), "党参")
    assert library.remove("dangshen", SHA256) == 1
    assert library.remove("党参", SHA256) == 0
    assert library.herbs() == {"党参": 2}
    assert library.remove("党参") == 2
    assert library.remove("党参") == 0
    assert list(library.root.iterdir()) == []
    assert refusal(library.remove, "../library").hint == "herb-name"


# Crashes, full disks


def test_what_a_crash_left_is_removed_an_hour_later(library, monkeypatch):
    monkeypatch.setenv("HERBDEMO_HOME", str(library.root.parent))
    library.add(PHOTO, "党参")
    folder = library.root / "党参"
    old, fresh = folder / ".writing-old", folder / ".writing-fresh"
    for file in (old, fresh):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 4000,) * 2)
    library.add(encoded(herb_picture("党参", 2)), "党参")
    assert not old.exists()
    assert fresh.exists()


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"),
                         (errno.EFBIG, "disk-full"),
                         (errno.EROFS, "disk-unwritable"), (errno.EIO, "disk-unwritable")],
)  # fmt: skip
def test_a_full_disk_is_a_sentence_and_leaves_nothing(library, monkeypatch, number, hint):
    library.add(PHOTO, "党参")

    def fails(descriptor: int) -> None:
        raise OSError(number, os.strerror(number), str(library.root))

    monkeypatch.setattr(files.os, "fsync", fails)
    assert refusal(library.add, encoded(herb_picture("党参", 2)), "党参").hint == hint
    assert listed(library) == [("党参", SHA256)]
    assert [path.name for path in library.root.iterdir()] == ["党参"]
