"""Rows of photos on disk while a pile is being recognised, so that a killed run goes on.

One JSON object per line, appended batch by batch. A row is what `Answer.to_dict` gives, or for a
photo that failed its name, the verdict "failed" and the reason. What a kill has left of a last
line, or of a last batch, is done again: batches must be cut where they were for the figures to be
the same.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from herbdemo.errors import HerbError
from herbdemo.files import disk_errors

FAILED = "failed"  # the verdict on a photo that has none
Row = dict[str, Any]


def lasting(row: Row) -> Row:
    """What of a row is worth a file: all but the times, which no two runs share."""
    return {key: value for key, value in row.items() if key not in ("ms", "stages")}


class Journal:
    """The rows in one file, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end: int | None = None  # bytes, as this one has left the file

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows, without their times, to last.

        Raises:
            HerbError: the disk is full, or may not be written to; or someone else has written
                there meanwhile, whose rows would be mixed with these.
        """
        lines = "".join(json.dumps(lasting(row), ensure_ascii=False) + "\n" for row in rows)
        with disk_errors(), self.path.open("ab") as file:
            if self._end not in (None, file.tell()):
                raise HerbError(
                    "同一个结果文件正由另一个进程写入。请等它做完，或换一个文件名。",
                    "Another process is writing to the same file of results. Wait for it to end, "
                    "or choose another file.",
                    hint="rows-two-writers",
                )
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
            self._end = file.tell()

    def rows(self) -> Iterator[Row]:
        """The rows that are whole, in order; none where there is no file."""
        for row, _ in self._read():
            yield row

    def resume(self, names: Iterable[str], *, sha256: str, batch: int) -> int:
        """How many rows can stay, all of whole batches; what comes after them is cut off.

        Args:
            names: of the photos, as they come. sha256: of the model that will answer.
            batch: how many photos are answered at once.

        Raises:
            HerbError: the rows are of other photos, or of another model.
        """
        ends, end = 0, 0
        count = 0
        expected = iter(names)
        for count, (row, size) in enumerate(self._read(), start=1):
            if row.get("sha256") != sha256:
                raise HerbError(
                    "已有的结果出自另一个模型。请删除它，或换一个文件名，从头开始。",
                    "The rows so far are another model's. Delete them, or choose another file, "
                    "to begin anew.",
                    hint="rows-other-model",
                )
            if row.get("file") != next(expected, None):
                raise HerbError(
                    "照片在上次之后有变动，无法接着做。请删除已有的结果，或换一个文件名，从头开始。",
                    "The photos have changed since, so the run cannot go on. Delete the rows so "
                    "far, or choose another file, to begin anew.",
                    hint="rows-other-photos",
                )
            end += size
            if count % batch == 0:
                ends = end
        if self.path.exists():
            with disk_errors():
                os.truncate(self.path, ends)
        self._end = ends
        return count - count % batch

    def page(self, start: int, size: int, *, verdict: str = "") -> list[tuple[int, Row]]:
        """`size` rows from the one number `start` on, each with its number in the file.

        Args:
            verdict: only rows with that verdict are counted and given; "" for all.
        """
        wanted = (
            (number, row)
            for number, row in enumerate(self.rows())
            if not verdict or row["verdict"] == verdict
        )
        return list(islice(wanted, start, start + size))

    def _read(self) -> Iterator[tuple[Row, int]]:
        """Each whole row and its size in bytes, up to the first line that is none."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    return
                if not line.endswith(b"\n") or not isinstance(row, dict) or "verdict" not in row:
                    return
                yield row, len(line)
