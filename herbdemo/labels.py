"""The names of a head's outputs, as people keep them beside a checkpoint.

A text file with a name a line, all with or all without a number before or behind it, also as CSV;
JSON in any of the usual shapes; or the folder of photos that a network was trained on, whose
sub-folders count as torchvision's `ImageFolder` and Keras's `flow_from_directory` number them:
sorted by name.
"""

import csv
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from herbdemo.dataset import is_litter
from herbdemo.errors import HerbError
from herbdemo.files import read_errors, shown
from herbdemo.library import herb_folder

MAX_BYTES = 4 << 20  # ten thousand names of 40 characters take a third of it
MAX_LINES = 50_000  # more than twice what any network here may tell apart
_KEYS = ("class_to_idx", "idx_to_class", "class_names", "classes", "labels", "names")
_MARKS = ",\t;|，；"  # between the cells of a table
_BEHIND = " \t\u3000,，;；:：|="  # between a name and the number behind it
_NUMBER_BEFORE = re.compile(
    r"""["']?([0-9]{1,6})["']?(\s*([.．](?![0-9])|[、,，;；:：|)）=])|\s+([-–—]\s)?)\s*(?=\S)"""
)
_AROUND = " \t\u3000\"'“”,，;；"  # a name, where it was copied from a program or a table
_HEADING = frozenset(
    "id idx index no number label class name herb 序号 编号 标签 类别 名称 名字 药材 药名".split()
)


def labels_of(path: Path) -> tuple[str, ...]:
    """The names in a file, or of a folder's sub-folders, in the order of the head.

    Raises:
        HerbError: nothing is there, it may not be read, it is no list of names, or its numbers are
            not 0, 1, 2 …
    """
    if os.path.isdir(path):
        # Who trained on FOLDER/train and judged on FOLDER/val numbered what is in these.
        with read_errors():
            path = path / "train" if (path / "train").is_dir() else path
            names = [f.name for f in path.iterdir() if f.is_dir() and not is_litter(f.name)]
        return _nonempty(sorted(names))
    if not os.path.isfile(path):  # reading a pipe may wait for ever
        raise HerbError(
            "找不到药材名单。请检查 --herbs 的路径：文本或 JSON 文件，或训练照片的文件夹。",
            "There is no such list of herbs. Check the path given with --herbs: a text or JSON "
            "file, or the folder of the photos it was trained on.",
            hint="labels-missing",
        )
    if path.stat().st_size > MAX_BYTES:
        raise _not_labels()
    with read_errors():
        text = _decoded(path.read_bytes())
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return labels_in(json.loads(text)) or _nonempty(())
        except (ValueError, RecursionError) as error:
            raise _not_labels() from error
    return _lines(text)


def labels_in(value: object) -> tuple[str, ...] | None:
    """The names in a value from JSON or from a checkpoint; None where it is none of the shapes.

    These are: a list of names, {"0": name}, {name: 0}, or any of them under one of the usual keys.

    Raises:
        HerbError: the numbers are not 0, 1, 2 …
    """
    if isinstance(value, Mapping):  # not looked into any further: one may hold itself
        for key in _KEYS:
            if key in value and (found := _plainly(value[key])):
                return found
    return _plainly(value)


def _plainly(value: object) -> tuple[str, ...] | None:
    if isinstance(value, list | tuple):
        return _nonempty(value) if all(isinstance(name, str) for name in value) else None
    if not isinstance(value, Mapping):
        return None
    for items in (value.items(), [(number, name) for name, number in value.items()]):
        pairs = [
            (n, name)
            for number, name in items
            if isinstance(name, str) and (n := _number(number)) is not None
        ]
        if pairs and len(pairs) == len(value):
            return _in_order(pairs)
    return None


def herbs_called(labels: Sequence[str]) -> tuple[str, ...]:
    """The ids of herbs with these names; a name that the catalogue does not know stays as it is.

    So do names that the catalogue would make one herb, such as 白术 and 炒白术: they are two
    outputs of the network.

    Raises:
        HerbError: a name comes twice, or cannot be the name of a folder.
    """
    labels = [unicodedata.normalize("NFC", name).strip() for name in labels]
    twice = [name for name, n in Counter(labels).items() if n > 1]
    if twice:
        names = "、".join(map(shown, twice[:3]))
        raise HerbError(
            f"名单里有重复的名字：{names}。每个输出要有自己的名字，请改名。",
            f"Names come twice in the list: {names}. Each output needs a name of its own; "
            "rename them.",
            hint="labels-twice",
        )
    ids = [herb_folder(name) for name in labels]
    shared = {herb for herb, n in Counter(ids).items() if n > 1}
    return tuple(name if herb in shared else herb for name, herb in zip(labels, ids, strict=True))


def _lines(text: str) -> tuple[str, ...]:
    """The names in lines; a comma is part of one, unless all lines are those of a table."""
    rows = [line.strip() for line in text.splitlines() if line.strip()]
    if len(rows) > MAX_LINES:
        raise _not_labels()
    pairs = _table(rows) or _numbered(rows)
    return _in_order(pairs) if pairs else _nonempty([row.strip(_AROUND) for row in rows])


def _table(rows: Sequence[str]) -> list[tuple[int, str]]:
    """The numbers and names of CSV: as many cells in each line, the number in the first or last."""
    for mark in _MARKS:
        try:
            table = [next(csv.reader([row], delimiter=mark, skipinitialspace=True)) for row in rows]
        except csv.Error:  # a cell of 100 kB
            continue
        if len({len(cells) for cells in table}) != 1 or len(table[0]) < 2:
            continue
        for number, name in ((0, 1), (-1, 0)):
            pairs = [
                (_number(cells[number].strip()), cells[name].strip(_AROUND)) for cells in table
            ]
            if pairs[0][0] is None:  # the names of the columns
                pairs = pairs[1:]
            found = [(n, name) for n, name in pairs if n is not None]
            if found and len(found) == len(pairs):
                return found
    return []


def _numbered(rows: Sequence[str]) -> list[tuple[int, str]]:
    """The numbers and names of lines that all begin, or all end, with a number; else none.

    Raises:
        HerbError: most lines do, and some do not.
    """
    partly = None
    for split in (_before, _behind):
        lines = rows[1:] if rows and not split(rows[0]) and _heading(rows[0]) else rows
        found = [pair for row in lines if (pair := split(row))]
        # The numbers of “herb 1” and “herb 2” are what tells the two apart.
        if split is _behind and len({name for _, name in found}) < len(found):
            continue
        if found and len(found) == len(lines):
            return found
        if 2 * len(found) > len(lines):
            partly = partly or next(row for row in lines if not split(row))
    if partly:
        raise HerbError(
            f"药材名单里多数行有序号，而“{shown(partly)}”没有。请给每一行加上序号，或全部去掉。",
            f"Most lines of the list of herbs have a number, “{shown(partly)}” has none. Give each "
            "line its number, or take all away.",
            hint="labels-some-numbers",
        )
    return []


def _heading(row: str) -> bool:
    return not _HEADING.isdisjoint(re.split(r"[\W_]+", row.casefold()))


def _before(row: str) -> tuple[int, str] | None:
    found = _NUMBER_BEFORE.match(row)
    return (int(found[1]), row[found.end() :].strip(_AROUND)) if found else None


def _behind(row: str) -> tuple[int, str] | None:
    row = row.rstrip(_AROUND)
    before = row.rstrip("0123456789")
    number, name = _number(row[len(before) :]), before.rstrip(_BEHIND)
    return (number, name.strip(_AROUND)) if name and name != before and number is not None else None


def _number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return int(value) if re.fullmatch(r"\d{1,6}", str(value), re.ASCII) else None


def _in_order(pairs: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """The names by their numbers, which begin with 0 or 1 and leave none out."""
    pairs = sorted(pairs)
    numbers = [number for number, _ in pairs]
    if numbers not in (list(range(len(numbers))), list(range(1, len(numbers) + 1))):
        raise HerbError(
            "药材名单的序号应从 0（或 1）开始，不重复，不缺号。请改正序号，或去掉序号。",
            "The numbers in the list of herbs must begin with 0 (or 1), each once and none left "
            "out. Mend them, or take them away.",
            hint="labels-numbers",
        )
    return _nonempty([name for _, name in pairs])


def _nonempty(names: Sequence[Any]) -> tuple[str, ...]:
    if not names or not all(map(str.strip, names)):
        raise _not_labels()
    return tuple(names)


def _decoded(data: bytes) -> str:
    """UTF-8, UTF-16 with its mark, or what Windows in China writes."""
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise _not_labels()


def _not_labels() -> HerbError:
    return HerbError(
        "读不懂这份药材名单。请用文本文件，每行一个名字（可带序号），或 JSON，"
        "或训练照片的文件夹，每种药材一个子文件夹。",
        "This list of herbs cannot be read. Give a text file with one name a line (its number "
        "beside it, if you like), JSON, or the folder of the photos it was trained on, one "
        "sub-folder per herb.",
        hint="labels-unreadable",
    )
