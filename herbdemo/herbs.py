"""What herbs are called: 简 繁 pinyin Latin English, and finding one by any of its names.

The facts are in herbs.csv beside this file, one herb a row; list cells are separated by `;`.
A cell is empty where the fact is unknown or does not exist. How to read the columns:

- `zh` is the id. It is the name in the Chinese Pharmacopoeia where that has the herb.
- `latin` is the drug name of the pharmacopoeia (`Lonicerae Japonicae Flos`); a living plant or a
  kitchen herb that has no drug name of its own carries its scientific name (`Prunus persica`).
- `state` is what a photo shows: "dried" medicine, "living" (or fresh) plant, "" for either.
- `toxic` is the class printed in the pharmacopoeia, see `TOXIC`. Poisons outside it carry the
  class of the standard textbooks, or of poison centres for what is no drug and is known from being
  taken for one (毒芹, 火焰茸). Empty means not listed, which is never a promise of safety.
- `confused_with` holds ids, and is symmetric: herbs that look alike, that are sold for each other,
  or whose names people mix up, by the pharmacopoeia, the textbooks of identification, and reports
  of poisonings.
"""

import csv
import functools
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from herbdemo.traditional import is_traditional, traditional

TOXIC = MappingProxyType({"slightly toxic": "小毒", "toxic": "有毒", "highly toxic": "大毒"})

_LONGEST_NAME = 200  # characters; what is longer is no name, and is not worth folding
_TONES = "\u0304\u0301\u030c\u0300"  # ā á ǎ à
_NO_MATCH = 5  # the rank behind the five kinds of match that `search` knows


@dataclass(frozen=True)
class Herb:
    """The names of one herb and the facts beside them; every field but `zh` may be empty."""

    zh: str
    zh_hant: str = ""
    pinyin: str = ""
    latin: str = ""
    en: str = ""
    part: str = ""
    state: str = ""
    toxic: str = ""
    confused_with: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def initials(self) -> str:
        """First letters of the pinyin, as an input method takes them: "jyh" for 金银花."""
        return "".join(_fold(syllable)[:1] for syllable in self.pinyin.split())

    def name(self, language: str) -> str:
        """What to call the herb in "zh", "zh-Hant" or "en"; the closest name there is, never ""."""
        if is_traditional(language):
            return self.zh_hant or traditional(self.zh)
        if language.casefold().startswith("zh"):
            return self.zh
        return self.en or self.pinyin or self.zh


@functools.cache
def catalogue() -> Mapping[str, Herb]:
    """Every herb of herbs.csv by its id, read once and read-only."""
    lists = [field.name for field in fields(Herb) if field.default == ()]
    herbs = {}
    with Path(__file__).with_name("herbs.csv").open(encoding="utf-8", newline="") as file:
        row: dict[str, Any]
        for row in csv.DictReader(file):
            for column in lists:
                row[column] = tuple(filter(None, row[column].split(";")))
            herbs[row["zh"]] = Herb(**row)
    return MappingProxyType(herbs)


def find(name: str) -> Herb | None:
    """The one herb called `name`, in any script, with or without tones, spaces, marks and case.

    A Chinese name counts before a Latin one, then English, other names, pinyin with tones and
    pinyin without. Where the first kind that matches belongs to several herbs, such as a plant
    that yields three drugs, nothing is guessed: None, and `search` lists them all.
    """
    key, toned, tables = _fold(name), _fold(name, keep_tones=True), _tables()
    herbs = tables.names.get(key) or tables.toned.get(toned)
    if not herbs and toned == key:  # wrong tones are another word: dà jǐ is not dà jì
        herbs = tables.toneless.get(key) or tables.names.get(_simplified(key))
    return herbs[0] if herbs and len(herbs) == 1 else None


def search(text: str, *, limit: int = 20, also: Iterable[Herb] = ()) -> list[Herb]:
    """At most `limit` herbs for what someone has typed so far, the likeliest first.

    Whole names come before beginnings, beginnings before pinyin initials (`jyh`), and those
    before names that hold the text somewhere. Nothing typed finds nothing.

    Args:
        also: herbs to be searched beside the catalogue, such as those that users added to a model.
    """
    key = _fold(text)
    if not key or limit <= 0:
        return []
    entries = _entries() + [_entry(herb) for herb in also if herb.zh not in catalogue()]
    return (_ranked(key, entries) or _ranked(_simplified(key), entries))[:limit]


def namesakes(name: str) -> list[Herb]:
    """All herbs called exactly `name`; several where `find` does not guess."""
    key = _fold(name)
    return [herb for herb, names, _ in _entries() if key in names] if key else []


def by_pinyin(herb: Herb) -> tuple[str, str]:
    """The key that sorts herbs as an index of pinyin does, tones aside."""
    return _fold(herb.pinyin) or _fold(herb.zh), herb.zh


@functools.lru_cache(maxsize=4096)
def herb_named(zh: str) -> Herb:
    """The herb with the id `zh`; for one that users added, a bare `Herb` with its pinyin."""
    return catalogue().get(zh) or Herb(zh=zh, pinyin=_pinyin(zh))


_Table = dict[str, tuple[Herb, ...]]  # folded name -> the herbs that bear it


class _Tables(NamedTuple):
    names: _Table
    toned: _Table
    toneless: _Table


@functools.cache
def _tables() -> _Tables:
    herbs = catalogue().values()
    names: _Table = {}
    for kind in (
        _table((h, name) for h in herbs for name in (h.zh, h.zh_hant)),
        _table((h, h.latin) for h in herbs),
        _table((h, h.en) for h in herbs),
        _table((h, name) for h in herbs for name in h.aliases),
    ):
        names = kind | names  # the earlier kind wins
    toned = _table(((h, h.pinyin) for h in herbs), keep_tones=True)
    toneless = _table((h, pinyin) for h in herbs for pinyin in _typed(h))
    return _Tables(names, toned, toneless)


def _table(pairs: Iterable[tuple[Herb, str]], *, keep_tones: bool = False) -> _Table:
    table: _Table = {}
    for herb, name in pairs:
        key = _fold(name, keep_tones=keep_tones)
        if key and herb not in table.get(key, ()):
            table[key] = (*table.get(key, ()), herb)
    return table


_Entry = tuple[Herb, tuple[str, ...], str]  # a herb, all of its names, folded, and its initials


@functools.cache
def _entries() -> list[_Entry]:
    return [_entry(herb) for herb in catalogue().values()]


def _entry(h: Herb) -> _Entry:
    names = (h.zh, h.zh_hant, h.latin, h.en, *h.aliases, *_typed(h))
    return h, tuple(map(_fold, names)), h.initials


def _ranked(key: str, entries: Iterable[_Entry]) -> list[Herb]:
    ranked = [(_rank(key, names, initials), herb) for herb, names, initials in entries]
    return [herb for rank, herb in sorted(ranked, key=lambda pair: pair[0]) if rank < _NO_MATCH]


def _rank(key: str, names: tuple[str, ...], initials: str) -> int:
    if key in names:
        return 0
    if initials == key:
        return 1
    if any(name.startswith(key) for name in names):
        return 2
    if initials.startswith(key):
        return 3
    return 4 if any(key in name for name in names) else _NO_MATCH


def _fold(text: str, *, keep_tones: bool = False) -> str:
    """`text` as it is compared: letters and digits only, no case, no marks but tones if asked."""
    if len(text) > _LONGEST_NAME:
        return ""
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in split if c.isalnum() or (keep_tones and c in _TONES))


def _typed(herb: Herb) -> set[str]:
    """The pinyin as it is typed: keyboards have no ü, so both nu and nv are."""
    split = unicodedata.normalize("NFD", herb.pinyin)
    return {herb.pinyin, split.replace("u\N{COMBINING DIAERESIS}", "v")}


def _simplified(key: str) -> str:
    """Traditional characters made simplified: only for names that herbs.csv has in one script."""
    return _opencc().convert(key) if _has_han(key) else key


@functools.cache
def _opencc() -> Any:  # imported late: dictionaries that most sessions never need
    from opencc import OpenCC

    return OpenCC("t2s")


def _pinyin(zh: str) -> str:
    if not _has_han(zh):
        return ""
    from pypinyin import Style, lazy_pinyin  # imported late: 0.3 s

    return " ".join(lazy_pinyin(zh, style=Style.TONE, errors="ignore"))


def _has_han(text: str) -> bool:
    return any(unicodedata.name(c, "").startswith("CJK UNIFIED") for c in text)
