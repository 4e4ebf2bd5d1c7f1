"""Contact sheets: a PDF to print or to hand on, each photo with its heatmap, name and verdict."""

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, ImageDraw, ImageFont

from herbdemo.errors import HerbError
from herbdemo.fonts import font
from herbdemo.journal import FAILED, Row
from herbdemo.photo import open_photo

DPI = 150
PAGE = (1240, 1754)  # pixels: A4
COLUMNS, ROWS = 6, 6
MARGIN, HEAD, FOOT = 60, 84, 44
SIDE = 168  # of a picture; three lines of words below it
INK, SOFT, PAPER, LINE = "#232a24", "#6b685a", "#ffffff", "#e0d8c5"
WORDS = {  # verdict: in Chinese, in English, colour
    "certain": ("可信", "Sure", "#2f6b45"),
    "unsure": ("存疑", "Unsure", "#8a5a0b"),
    "unknown": ("不识", "Unknown", "#ab3a29"),
    FAILED: ("打不开", "Failed", "#ab3a29"),
}


class Cell(NamedTuple):
    """One photo on a sheet: its row, and a small picture of it, if there is one."""

    row: Row
    picture: Path | None


def write(cells: Iterable[Cell], path: Path, *, title: str, total: int) -> None:
    """Write the sheets to the PDF `path`, page by page: one page is in memory at a time.

    `total` is how many cells there are, which tells the number of pages.
    """
    pages = -(-total // (COLUMNS * ROWS)) or 1
    with path.open("wb") as file:
        _write_pdf(_pages(cells, title, pages), file)


def _write_pdf(pages: Iterable[Image.Image], file: BinaryIO) -> None:
    """As much of PDF (ISO 32000) as pages of one JPEG each need.

    Pillow's writer would hold all pages, or, appending, list all earlier ones again with each.
    """
    starts: dict[int, int] = {}  # object: where it starts
    numbers: list[int] = []  # of the pages' objects

    def add(number: int, entries: str, stream: bytes | None = None) -> None:
        starts[number] = file.tell()
        length = "" if stream is None else f" /Length {len(stream)}"
        file.write(f"{number} 0 obj\n<< {entries}{length} >>\n".encode())
        if stream is not None:
            file.write(b"stream\n" + stream + b"\nendstream\n")
        file.write(b"endobj\n")

    file.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    width, height = (round(side * 72 / DPI, 2) for side in PAGE)
    for page in pages:
        this = 3 + 3 * len(numbers)
        numbers.append(this)
        jpeg = io.BytesIO()
        page.save(jpeg, "JPEG", quality=82)
        size = f"/MediaBox [0 0 {width} {height}]"
        parts = f"/Resources << /XObject << /P {this + 2} 0 R >> >> /Contents {this + 1} 0 R"
        add(this, f"/Type /Page /Parent 2 0 R {size} {parts}")
        add(this + 1, "", f"{width} 0 0 {height} 0 0 cm /P Do".encode())
        size = f"/Width {PAGE[0]} /Height {PAGE[1]}"
        kind = "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode"
        add(this + 2, f"/Type /XObject /Subtype /Image {size} {kind}", jpeg.getvalue())
    add(1, "/Type /Catalog /Pages 2 0 R")
    kids = " ".join(f"{number} 0 R" for number in numbers)
    add(2, f"/Type /Pages /Count {len(numbers)} /Kids [{kids}]")
    table = file.tell()
    lines = "".join(f"{starts[number]:010d} 00000 n \n" for number in sorted(starts))
    file.write(f"xref\n0 {len(starts) + 1}\n0000000000 65535 f \n{lines}".encode())
    file.write(f"trailer\n<< /Size {len(starts) + 1} /Root 1 0 R >>\n".encode())
    file.write(f"startxref\n{table}\n%%EOF\n".encode())


def _pages(cells: Iterable[Cell], title: str, pages: int) -> Iterator[Image.Image]:
    cells = iter(cells)
    number, batch = 1, list(islice(cells, COLUMNS * ROWS))
    while batch or number == 1:
        page = Image.new("RGB", PAGE, PAPER)
        draw = ImageDraw.Draw(page)
        model = batch[0].row["model"] if batch else ""
        _head(draw, title, f"{model}   {number} / {pages}")
        for place, cell in enumerate(batch):
            row, column = divmod(place, COLUMNS)
            width, height = (
                (PAGE[0] - 2 * MARGIN) // COLUMNS,
                (PAGE[1] - MARGIN - HEAD - 70) // ROWS,
            )
            _cell(page, draw, cell, (MARGIN + column * width, MARGIN + HEAD + row * height))
        yield page
        number, batch = number + 1, list(islice(cells, COLUMNS * ROWS))


def _head(draw: ImageDraw.ImageDraw, title: str, right: str) -> None:
    large, has_han = font(32, bold=True)
    small, _ = font(19)
    title = _fitting(draw, _plain(title, has_han), large, PAGE[0] - 2 * MARGIN - 420)
    draw.text((MARGIN, MARGIN), title, INK, large)
    draw.text((PAGE[0] - MARGIN, MARGIN + 8), _plain(right, has_han), SOFT, small, anchor="ra")
    draw.line((MARGIN, MARGIN + 56, PAGE[0] - MARGIN, MARGIN + 56), LINE, 2)
    words = "For study and reference; not medical advice."
    words = f"仅供学习参考，不能代替医师或药师的判断。 {words}" if has_han else words
    draw.text((MARGIN, PAGE[1] - MARGIN), words, SOFT, small, anchor="ls")


def _cell(page: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, at: tuple[int, int]) -> None:
    x, y = at
    row = cell.row
    name, has_han = font(22, bold=True)
    small, _ = font(15)
    frame = (x, y, x + SIDE - 1, y + SIDE - 1)
    picture = _picture(cell.picture)
    if picture:
        page.paste(picture, (x + (SIDE - picture.width) // 2, y + (SIDE - picture.height) // 2))
    else:
        draw.rectangle(frame, outline=LINE, width=2)
        draw.line(frame, LINE, 2)
    zh, en, colour = WORDS[row["verdict"]]
    verdict = zh if has_han else en
    if row["candidates"]:
        best = row["candidates"][0]
        words = best["zh"] if has_han else best["pinyin"] or best["en"]
        percent = f"{min(best['probability'], 0.999):.1%}"
        room = SIDE - draw.textlength(percent, small) - 8
        ink = SOFT if row["verdict"] == "unknown" else INK  # the nearest herb, but no answer
        draw.text((x, y + SIDE + 26), _fitting(draw, words, name, room), ink, name, anchor="ls")
        draw.text((x + SIDE, y + SIDE + 26), percent, INK, small, anchor="rs")
        below = f"{verdict} · {best['pinyin'] or best['en']}"
    else:
        below = verdict
    draw.text((x, y + SIDE + 46), _fitting(draw, below, small, SIDE), colour, small, anchor="ls")
    file = _fitting(draw, _plain(Path(row["file"]).name, has_han), small, SIDE)
    draw.text((x, y + SIDE + 65), file, SOFT, small, anchor="ls")


def _picture(path: Path | None) -> Image.Image | None:
    if path is None:
        return None
    try:
        picture = open_photo(path, longest=SIDE).image
    except HerbError:  # deleted meanwhile
        return None
    return picture


def _plain(words: str, has_han: bool) -> str:
    return words if has_han else words.encode("ascii", "replace").decode()


def _fitting(
    draw: ImageDraw.ImageDraw, words: str, found: ImageFont.FreeTypeFont, room: float
) -> str:
    """`words`, or as many of them as there is room for; nothing in them may break the line."""
    words = "".join(c if c.isprintable() else " " for c in words)
    if draw.textlength(words, found) <= room:
        return words
    while words and draw.textlength(f"{words}…", found) > room:
        words = words[:-1]
    return f"{words}…"
