"""Make `herbdemo/traditional.csv`: what turns our simplified Chinese into traditional.

    python -m scripts.traditional

OpenCC knows the language, in dictionaries of megabytes that a browser cannot be sent. Ours needs a
few hundred phrases of them: those that occur in the package's texts and come out wrong character by
character. They are found here, and kept beside the characters themselves, so that the page, the
command line and the API say the same. `s2twp` is OpenCC's for Taiwan, its words for things of
computers included: Hong Kong shares most of them (伺服器, 檔案, 記憶體, 預設) and reads the others,
while the words of the mainland (服务器, 文件) read oddly in both.

A test tells when a new text needs the table made anew.
"""

import ast
import csv
import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from opencc import OpenCC

from herbdemo.herbs import catalogue
from herbdemo.traditional import FILE, Converter

PACKAGE = FILE.parent
LONGEST = 5  # characters of a phrase that decide how it is written; OpenCC's longer ones hold them

# Where OpenCC errs on our texts, or has a word that is not the usual one on screens.
EXCEPTIONS = {
    "“": "「", "”": "」",
    "人发": "人髮",  # hair, not to send
    "蒸制": "蒸製", "制首乌": "製首烏", "制南星": "製南星",  # made, not a system
    "不复制": "不複製",  # it sees 不復
    "姜": "薑", "于术": "於朮", "冬术": "冬朮", "丑": "丑",  # herbs; no Jiang, art or ugliness
    "台乌药": "台烏藥", "谷茴香": "穀茴香", "枫斗": "楓斗", "机制冰片": "機製冰片",
    "权限": "權限", "像素": "像素",  # as in Hong Kong; both are usual in Taiwan
    "发布": "發布", "摄像头": "鏡頭", "下划线": "底線", "端口": "連接埠",
}  # fmt: skip


def main() -> None:
    """Write the table."""
    table = made(texts())
    with FILE.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("zh", "hant"))
        rows.writerows((zh, table[zh]) for zh in sorted(table, key=lambda zh: (-len(zh), zh)))


def texts() -> list[str]:
    """All Chinese that the package may show: its strings, and what herbs.csv says."""
    found = {text for file in PACKAGE.rglob("*.py") for text in _strings(file)}
    for herb in catalogue().values():
        found |= {herb.zh, *herb.aliases}
    return sorted(filter(_has_han, found))


def expected(text: str) -> str:
    """`text` as it should read: herbs by their own column, then our exceptions, then OpenCC."""
    return _written(text, _fixed())


def made(corpus: Sequence[str]) -> dict[str, str]:
    """The table that writes all of `corpus` as expected."""
    characters = {c for c in _gb2312() | set("".join(corpus)) if _has_han(c)}
    table = {c: to for c in sorted(characters) if (to := _opencc.convert(c)) != c}
    table |= {zh: to for zh, to in _fixed().items() if Converter(table)(zh) != to}
    for length in range(2, LONGEST + 1):
        convert = Converter(table)
        for text in corpus:
            if convert(text) == (whole := expected(text)):
                continue
            for at in range(len(text) - length + 1):
                part = text[at : at + length]
                to = expected(part)
                if convert(part) != to and to in whole and all(map(_has_han, part)):
                    table[part] = to
    return table


@functools.cache
def _fixed() -> dict[str, str]:
    """What OpenCC is not asked for."""
    own = {herb.zh: herb.zh_hant for herb in catalogue().values() if herb.zh_hant}
    return {zh: to for zh, to in own.items() if to != _written(zh, EXCEPTIONS)} | EXCEPTIONS


def _written(text: str, fixed: dict[str, str]) -> str:
    parts = re.split(f"({'|'.join(sorted(fixed, key=len, reverse=True))})", text)
    return "".join(fixed.get(part) or _opencc.convert(part) for part in parts)


def _strings(file: Path) -> Iterator[str]:
    """The strings of a module, docstrings aside."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def _gb2312() -> set[str]:
    """The simplified characters of the national standard: whatever users may name a herb."""
    codes = (bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    return {code.decode("gb2312", "ignore") for code in codes} - {""}


def _has_han(text: str) -> bool:
    return re.search(r"[\u3400-\u9fff]", text) is not None


_opencc = OpenCC("s2twp")

if __name__ == "__main__":
    main()
