"""Rows of recognised photos as files: JSON Lines, JSON, CSV, Parquet; a thousand rows at a time.

for rows in recognised_into(Path("rows.csv"), current(), [Path("photos")]):
    ...
"""

import json
import os
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from herbdemo import distributed
from herbdemo.atomic import whole_file
from herbdemo.errors import HerbError, shortage
from herbdemo.given import given
from herbdemo.journal import FAILED, Journal, Row, lasting
from herbdemo.piles import recognised
from herbdemo.recognise import BATCH, CANDIDATES, Recogniser

if TYPE_CHECKING:  # imported late: half a second, and rows on a screen have no use for it
    import pandas as pd

CHUNK = 1000  # rows in memory at a time, some 2 MB
NAMES = ("pinyin", "latin", "en")
COLUMNS = (
    "file",
    "verdict",
    *(f"{what}{n}" for n in range(1, CANDIDATES + 1) for what in ("herb", "p")),
    *(f"{what}{n}" for n in range(1, CANDIDATES + 1) for what in NAMES),
    "problem_zh",
    "problem_en",
    "model",
    "sha256",
)
# A spreadsheet takes a cell that begins so for a formula, which may send its neighbours away
# (OWASP, "CSV injection"); with an apostrophe before it, it is text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(rows: Iterable[Row]) -> "pd.DataFrame":
    """Rows as a table: one line per photo, with the columns `COLUMNS`.

    `herb1` to `herb5` are Chinese names and `p1` to `p5` their probabilities; what a photo does not
    have is missing.
    """
    import pandas as pd

    frame = pd.DataFrame([_cells(row) for row in rows], columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if _is_number(name)]
    frame[numbers] = frame[numbers].astype("float64")
    return frame


def write(rows: Iterable[Row], path: Path) -> None:
    """Write rows to `path` in the format that its ending names; the file is there whole or not.

    Raises:
        HerbError: the ending names no format, the disk is full, or may not be written to.
    """
    writer = WRITERS[kind_of(path)]
    try:
        with whole_file(path) as file:
            writer(rows, file)
    except OSError as error:
        raise shortage(error) or unwritable() from error


def recognised_into(
    path: Path, recogniser: Recogniser, photos: Sequence[Path], **options: Any
) -> Generator[list[Row], None, bool]:
    """As `piles.recognised`, with the rows in a file at the end; a run that was ended goes on.

    Until all are done the rows are in `<path>.unfinished`, where the same call finds them again.
    They come out first then, without their times. Of several processes the first one writes.

    Args:
        photos: as for `piles.given`. options: as for `recognised`.

    Raises:
        HerbError: the file cannot be written; or what is unfinished is of other photos or of
            another model.
    """
    kind_of(path)
    journal = Journal(path.with_name(f"{path.name}.unfinished"))
    done = 0
    if distributed.first():
        if os.path.isdir(path):
            raise unwritable()
        _check_writable(journal.path)
        with given(photos) as listed:
            names = (photo.name for photo in listed)
            done = journal.resume(names, sha256=recogniser.checkpoint.sha256, batch=BATCH)
        before = journal.rows()
        while chunk := list(islice(before, CHUNK)):
            yield chunk
    done = int(distributed.agreed(done))
    keep = journal.append if distributed.first() else lambda rows: None
    with given(photos) as listed:
        complete = yield from recognised(recogniser, listed, done=done, keep=keep, **options)
    if complete and distributed.first():
        write(journal.rows(), path)
        journal.path.unlink(missing_ok=True)
    return complete


def _check_writable(path: Path) -> None:
    try:
        path.open("ab").close()
    except OSError as error:
        raise shortage(error) or unwritable() from error


def kind_of(path: Path) -> str:
    """The format that the ending of `path` names.

    Raises:
        HerbError: it names none.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in WRITERS:
        raise HerbError(
            "结果文件的名字要以 .csv、.json、.jsonl 或 .parquet 结尾。",
            "The name of the file for the results must end in .csv, .json, .jsonl or .parquet.",
            hint="rows-format",
        )
    return kind


def unwritable() -> HerbError:
    """What to say where the results cannot be written to."""
    return HerbError(
        "结果文件写不进去。请检查文件夹是否存在、能否写入，或换一个位置。",
        "The file for the results cannot be written. Check that its folder is there and may be "
        "written to, or choose another place.",
        hint="rows-unwritable",
    )


def json_pieces(rows: Iterable[Row], spool: IO[str]) -> Iterator[str]:
    """`{"answers": […], "failures": […]}` of the rows, on one line, piece by piece.

    Args:
        spool: an empty file, where the failures wait for their turn.
    """
    yield '{"answers": ['
    between = {True: "", False: ""}
    for row in rows:
        failed = row["verdict"] == FAILED
        one = {"file": row["file"], **row["error"]} if failed else row
        piece = between[failed] + json.dumps(one, ensure_ascii=False, allow_nan=False)
        between[failed] = ", "
        if failed:
            spool.write(piece)
        else:
            yield piece
    yield '], "failures": ['
    spool.seek(0)
    while piece := spool.read(1 << 16):
        yield piece
    yield "]}\n"


def _write_jsonl(rows: Iterable[Row], file: BinaryIO) -> None:
    file.writelines(f"{json.dumps(lasting(row), ensure_ascii=False)}\n".encode() for row in rows)


def _write_json(rows: Iterable[Row], file: BinaryIO) -> None:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        file.writelines(piece.encode() for piece in json_pieces(map(lasting, rows), spool))


def _write_csv(rows: Iterable[Row], file: BinaryIO) -> None:
    file.write(b"\xef\xbb\xbf")  # without it Excel reads Chinese as something else
    for number, frame in enumerate(_tables(rows)):
        words = [name for name in COLUMNS if not _is_number(name)]
        frame[words] = frame[words].map(_no_formula, na_action="ignore")
        text = frame.to_csv(index=False, header=number == 0, lineterminator="\r\n")
        file.write(text.encode())


def _write_parquet(rows: Iterable[Row], file: BinaryIO) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = [(name, pa.float64() if _is_number(name) else pa.string()) for name in COLUMNS]
    schema = pa.schema(kinds)
    with parquet.ParquetWriter(file, schema) as writer:
        for frame in _tables(rows):
            writer.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False))


WRITERS: dict[str, Callable[[Iterable[Row], BinaryIO], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
}


def _tables(rows: Iterable[Row]) -> Iterator["pd.DataFrame"]:
    """Tables of `CHUNK` rows; at least one, if an empty one."""
    rows = iter(rows)
    yield table(islice(rows, CHUNK))
    while chunk := list(islice(rows, CHUNK)):
        yield table(chunk)


def _cells(row: Row) -> dict[str, Any]:
    cells = {name: row.get(name) for name in ("file", "verdict", "model", "sha256")}
    for n, candidate in enumerate(row["candidates"], start=1):
        cells[f"herb{n}"], cells[f"p{n}"] = candidate["zh"], candidate["probability"]
        cells |= {f"{name}{n}": candidate[name] or None for name in NAMES}
    if error := row.get("error"):
        cells |= {"problem_zh": error["zh"], "problem_en": error["en"]}
    return cells


def _is_number(column: str) -> bool:
    return column[0] == "p" and column[1:].isdigit()


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
