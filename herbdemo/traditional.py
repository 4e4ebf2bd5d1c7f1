"""Simplified Chinese -> traditional, by a table that the browser gets as well.

`traditional.csv` beside this file holds characters, and the phrases in which they are written
otherwise (头发 頭髮, 发现 發現). `scripts/traditional.py` makes it, with OpenCC. Texts are kept in
simplified characters and in English only, so none can be missing in traditional ones.
"""

import csv
import functools
import re
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).with_name("traditional.csv")


class Converter:
    """Replaces whatever the table holds, at each place the longest that fits."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = table
        phrases = sorted((zh for zh in table if len(zh) > 1), key=len, reverse=True)
        characters = "".join(zh for zh in table if len(zh) == 1)
        self._found = re.compile("|".join([*map(re.escape, phrases), f"[{characters}]"]))

    def __call__(self, text: str) -> str:
        return self._found.sub(lambda match: self._table[match[0]], text)


def is_traditional(language: str) -> bool:
    """Whether a language such as "zh-Hant", "zh_TW" or "zh-HK" is Chinese in these characters."""
    language = language.casefold().replace("_", "-")
    return language.startswith(("zh-hant", "zh-tw", "zh-hk", "zh-mo"))


def traditional(text: str) -> str:
    """`text` in traditional characters, with the words of Taiwan; other languages stay."""
    return _converter()(text)


@functools.cache
def table() -> dict[str, str]:
    """What is replaced by what; phrases come first, the longest before all."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {row["zh"]: row["hant"] for row in csv.DictReader(file)}


@functools.cache
def _converter() -> Converter:
    return Converter(table())
