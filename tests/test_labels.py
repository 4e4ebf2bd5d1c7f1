"""labels.py: the names of a network's outputs, however people keep them."""

import contextlib
import json
import time
from pathlib import Path

import pytest
import toys

from herbdemo.errors import HerbError
from herbdemo.labels import herbs_called, labels_in, labels_of

NAMES = ("党参", "当归", "甘草")

TEXTS = {
    "a name a line": "党参\n当归\n甘草\n",
    "Windows, blank lines": "\r\n党参\r\n\r\n 当归 \r\n甘草",
    "number before": "0 党参\n1 当归\n2 甘草",
    "from one": "1 党参\n2 当归\n3 甘草",
    "number behind": "党参 0\n当归 1\n甘草 2",
    "not in order": "2\t甘草\n0\t党参\n1\t当归",
    "colons": "0: 党参\n1：当归\n2: 甘草",
    "csv": "0,党参\n1,当归\n2,甘草",
    "csv with a header": "index,name\n0,党参\n1,当归\n2,甘草",
    "csv with more": '"0","党参","Codonopsis Radix"\n"1","当归","x"\n"2","甘草","y"',
    "csv with a comma in quotes": '0,"党参"\n1,"当归"\n2,甘草',
    "dots": "1. 党参\n2.当归\n3． 甘草",
    "Chinese commas": "1、党参\n2、当归\n3，甘草",
    "brackets": "1) 党参\n2）当归\n3) 甘草",
    "bars": "0|党参\n1 | 当归\n2|甘草",
    "dashes": "0 - 党参\n1 – 当归\n2 — 甘草",
    "wide spaces": "0　党参\n1　当归\n2　甘草",
    "equal signs behind": "党参 = 0\n当归=1\n甘草=2",
    "commas behind": "党参，0\n当归, 1\n甘草,2",
    "a heading": "index name\n0 党参\n1 当归\n2 甘草",
    "a heading in Chinese": "序号：药材\n1：党参\n2：当归\n3：甘草",
    "of a program": "'党参',\n'当归',\n'甘草'",
    "of a program, numbered": '0: "党参",\n1: "当归",\n2: "甘草",',
    "csv, number last": "name,latin,id\n党参,Codonopsis Radix,0\n当归,x,1\n甘草,y,2",
}
WHOLE = {  # what is in a name and is no number or mark
    "a comma in one name": ("0 党参\n1 当归, 秦归\n2 甘草", ("党参", "当归, 秦归", "甘草")),
    "a comma in every name": ("0 党参, 上党\n1 当归, 秦归", ("党参, 上党", "当归, 秦归")),
    "a comma more": ("0,党参\n1,当归, 秦归\n2,甘草", ("党参", "当归, 秦归", "甘草")),
    "a comma in quotes": ('0,"当归, 秦归"\n1,甘草', ("当归, 秦归", "甘草")),
    "commas and tabs": ("0\t当归, 秦归\n1\t甘草", ("当归, 秦归", "甘草")),
    "commas without numbers": ("Radix, Codonopsis\nHerba, Rosmarini",
                               ("Radix, Codonopsis", "Herba, Rosmarini")),
    "as many commas": ("a, b, c\nd, e, f", ("a, b, c", "d, e, f")),
    "numbers that tell apart": ("herb 1\nherb 2", ("herb 1", "herb 2")),
    "and beside others": ("herb 1\nherb 2\n甘草", ("herb 1", "herb 2", "甘草")),
    "but numbered": ("0 herb 1\n1 herb 2", ("herb 1", "herb 2")),
    "measures": ("0.5 g 党参\n1.5 g 党参", ("0.5 g 党参", "1.5 g 党参")),
    "one number": ("党参\n3 年当归\n甘草", ("党参", "3 年当归", "甘草")),
    "numbers alone": ("10\n9\n8", ("10", "9", "8")),
    "a number without a mark": ("三七\n999感冒灵", ("三七", "999感冒灵")),
}  # fmt: skip
VALUES = {
    "list": list(NAMES),
    "by number": {"0": "党参", "2": "甘草", "1": "当归"},
    "by name": {"甘草": 2, "党参": 0, "当归": 1},
    "by name, numbers as text": {"甘草": "2", "党参": "0", "当归": "1"},
    "class_to_idx": {"class_to_idx": {"甘草": 2, "党参": 0, "当归": 1}, "epochs": 60},
    "classes": {"classes": list(NAMES)},
}


def written(folder: Path, content: str | bytes, name: str = "labels.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("kind", TEXTS)
def test_text(tmp_path, kind):
    assert labels_of(written(tmp_path, TEXTS[kind])) == NAMES


@pytest.mark.parametrize("kind", WHOLE)
def test_no_name_is_cut(tmp_path, kind):
    text, names = WHOLE[kind]
    assert labels_of(written(tmp_path, text)) == names


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gbk", "utf-16"])
def test_text_from_windows(tmp_path, encoding):
    assert labels_of(written(tmp_path, "\n".join(NAMES).encode(encoding))) == NAMES


@pytest.mark.parametrize("kind", VALUES)
def test_json(tmp_path, kind):
    assert labels_of(written(tmp_path, json.dumps(VALUES[kind]))) == NAMES
    assert labels_in(VALUES[kind]) == NAMES


def test_spaces_within_a_name_stay(tmp_path):
    text = "0 Codonopsis Radix\n1 Angelicae Sinensis Radix"
    assert labels_of(written(tmp_path, text)) == ("Codonopsis Radix", "Angelicae Sinensis Radix")


@pytest.mark.parametrize("part", ["", "train"])
def test_folders_count_as_imagefolder_counts_them(tmp_path, part):
    for name in ("甘草", "10", "9", "B", "a", ".git"):
        (tmp_path / part / name).mkdir(parents=True)
    (tmp_path / part / "readme.txt").touch()
    assert labels_of(tmp_path) == ("10", "9", "B", "a", "甘草")


BAD = {
    "nothing": ("", "labels-unreadable"),
    "blank": ("\n \n", "labels-unreadable"),
    "a photo": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "labels-unreadable"),
    "no JSON": ("{", "labels-unreadable"),
    "other JSON": ('{"a": [1]}', "labels-unreadable"),
    "no names": ("[]", "labels-unreadable"),
    "an empty name": ('["党参", ""]', "labels-unreadable"),
    "deep": ("[" * 100_000, "labels-unreadable"),
    "keys below keys": ('{"classes":' * 900 + "{}" + "}" * 900, "labels-unreadable"),
    "a number twice": ("0 党参\n0 当归", "labels-numbers"),
    "a number left out": ("0 党参\n2 当归", "labels-numbers"),
    "one without a number": ("0 党参\n1 当归\n甘草", "labels-some-numbers"),
    "the first without one": ("党参\n1 当归\n2 甘草", "labels-some-numbers"),
    "one without, behind": ("党参 0\n当归\n甘草 2", "labels-some-numbers"),
    "one without, in a table": ("党参,0\n当归,1\n甘草", "labels-some-numbers"),
    "commas alone": (",\n,", "labels-unreadable"),
    "too many lines": ("a\n" * 50_001, "labels-unreadable"),
    "from seven": ('{"7": "党参"}', "labels-numbers"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_list(tmp_path, kind):
    content, hint = BAD[kind]
    assert toys.refusal(labels_of, written(tmp_path, content)).hint == hint


@pytest.mark.parametrize(
    "text", ["a" + " " * ((4 << 20) - 2) + "b", "0" + "\u3000" * (1 << 20) + "b", "1" * (4 << 20),
             "a" + "," * ((4 << 20) - 3) + "1", "\"a,;\t|，；\n" * 50_000], ids=range(5)
)  # fmt: skip
def test_odd_lines_take_no_time(tmp_path, text):
    started = time.process_time()
    with contextlib.suppress(HerbError):
        labels_of(written(tmp_path, text))
    assert time.process_time() - started < 5


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room
    assert toys.refusal(labels_of, path).hint == "labels-unreadable"


def test_a_missing_one(tmp_path):
    assert toys.refusal(labels_of, tmp_path / "no").hint == "labels-missing"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_one_that_may_not_be_read(tmp_path, locked, kind):
    (tmp_path / "folder" / "党参").mkdir(parents=True)
    written(tmp_path, "党参", "file")
    assert toys.refusal(labels_of, locked(tmp_path / kind)).hint == "unreadable"


def test_any_name_of_a_herb_is_that_herb():
    assert herbs_called(["dangshen", "當歸", "Licorice of mine"]) == (
        "党参",
        "当归",
        "Licorice of mine",
    )


def test_two_outputs_stay_two_where_the_catalogue_knows_one_herb():
    assert herbs_called(["黨參", "dangshen", "当归"]) == ("黨參", "dangshen", "当归")


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["党参", "党参"], "labels-twice"),
        (["党参", " 党参"], "labels-twice"),
        (["党参", "../../etc"], "herb-name"),
        (["党参", "a/b"], "herb-name"),
        (["党参", "con"], "herb-name"),
        (["党参", "\ud800"], "herb-name"),
        (["党参", "x" * 300], "herb-name"),
    ],
)
def test_names_that_cannot_be(names, hint):
    assert toys.refusal(herbs_called, names).hint == hint
