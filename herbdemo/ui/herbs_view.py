"""The Herbs tab -> HTML: the finder, the list, the page of one herb. Pure functions, no Gradio."""

import html
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from herbdemo.herbs import Herb, herb_named
from herbdemo.ui import texts, texts_learn
from herbdemo.ui import texts_herbs as t
from herbdemo.ui.candidates import herb_text, names_of, poison_badge
from herbdemo.ui.curves import Share, whiskers
from herbdemo.ui.text import Text
from herbdemo.ui.thumbs import thumb

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.dossier import Accuracy, Dossier

MOST_PHOTOS = 8  # of the library, shown on a herb's page


def finder_html() -> str:
    """The field and the filters; `herbs.js` asks for what is found, and puts it below them."""
    scopes = "".join(
        f'<button type="button" data-scope="{scope}" aria-pressed="{str(first).lower()}">'
        f"{text.html}</button>"
        for scope, text, first in (("model", t.IN_MODEL, True), ("all", t.IN_CATALOGUE, False))
    )
    filters = "".join(
        f'<button type="button" data-only="{only}" aria-pressed="false">{text.html}</button>'
        for only, text in (("toxic", t.ONLY_TOXIC), ("twins", t.ONLY_TWINS))
    )
    return (
        f'<section class="finder"><input type="search" maxlength="60" autocomplete="off" '
        f'spellcheck="false" {t.SEARCH_HOW.attribute("placeholder")} '
        f"{t.SEARCH.attribute('aria-label')}>"
        f'<div class="filters"><div class="scope" role="group" {t.SCOPE.attribute("aria-label")}>'
        f'{scopes}</div>{filters}</div><div class="found"><p class="count" role="status">'
        f'{t.LISTING.html}</p><span class="meter unknown"><i></i></span></div>'
        f'<template data-view="no-answer"><p>{texts.NO_ANSWER.html}</p></template></section>'
    )


def list_html(dossiers: Sequence["Dossier"], total: int) -> str:
    """The herbs that were found.

    Args:
        dossiers: of those that are shown.
        total: how many were found; where it is more, a button asks for the rest.
    """
    if not total:
        return f'<p class="count" role="status">{t.NONE_FOUND.html}</p>'
    items = "".join(map(_card, dossiers))
    left = total - len(dossiers)
    more = f'<button type="button" data-more>{t.MORE.format(left).html}</button>' if left else ""
    count = t.FOUND.format(total).html
    if any(known.accuracy for known in dossiers):
        count += f" · {t.FIGURES.html}"
    return f'<p class="count" role="status">{count}</p><ul class="herb-cards">{items}</ul>{more}'


def page_html(
    known: "Dossier", model: Collection[str], *, photos: Sequence[Path] | None = None
) -> str:
    """All that is known of a herb.

    Args:
        model: ids of the herbs that the model knows.
        photos: of the library; None for who may not see them.
    """
    herb = known.herb
    library = "" if photos is None else _library(known.library, photos)
    return (
        f'<article class="dossier" data-herb="{html.escape(herb.zh)}" '
        f'data-id="{secrets.token_hex(4)}"><button type="button" class="quiet back" data-dismiss>'
        f'← {t.BACK.html}</button><header class="title"><h2 class="han" tabindex="-1" lang="zh-CN">'
        f'{html.escape(herb.zh)}</h2><p class="pinyin" lang="zh-Latn">{html.escape(herb.pinyin)}'
        f'</p><p class="english" lang="en">{html.escape(herb.en)}</p>{poison_badge(herb)}'
        f"{_standing(known)}</header>"
        f'<div class="sheets">{_names(herb)}<div class="sheets">{_poison(herb)}'
        f"{_twins(herb, model)}</div>{_accuracy(known)}{library}</div></article>"
    )


def _card(known: "Dossier") -> str:
    herb, accuracy = known.herb, known.accuracy
    if accuracy:
        share = accuracy.top1
        figure = (
            f'<span class="odds">{share:.0%}</span><span class="bar" aria-hidden="true">'
            f'<i style="width:{100 * share:.0f}%"></i></span>'
        )
    else:
        word = t.NOT_MEASURED if known.known else t.NOT_IN_MODEL
        figure = f'<span class="none">{word.html}</span>'
    return (
        f'<li><button type="button" data-goto="herbs" data-herb="{html.escape(herb.zh)}">'
        f"{names_of(herb)}{figure}</button></li>"
    )


def _standing(known: "Dossier") -> str:
    words = [t.MODEL_KNOWS if known.known else t.NOT_IN_MODEL]
    words += [t.ADDED] if known.added else []
    kind = "known" if known.known else "unknown"
    return "".join(f'<span class="standing {kind}">{word.html}</span>' for word in words)


def _names(herb: Herb) -> str:
    state = {"living": texts.LIVING, "dried": texts.DRIED}.get(herb.state)
    part = Text(t.PARTS.get(herb.part, herb.part), herb.part)
    aliases = "".join(
        f'<span lang="{"en" if name.isascii() else "zh-CN"}">{html.escape(name)}</span>'
        for name in herb.aliases
    )
    rows = [
        (t.SIMPLIFIED, f'<span lang="zh-CN" translate="no">{html.escape(herb.zh)}</span>'),
        (t.TRADITIONAL, _said(herb.zh_hant, "zh-Hant")),
        (t.PINYIN, _said(herb.pinyin, "zh-Latn")),
        (t.LATIN, _said(herb.latin, "la")),
        (t.ENGLISH, _said(herb.en, "en")),
        (t.ALSO, f'<span class="aliases">{aliases}</span>' if aliases else ""),
        (t.PART, part.html if herb.part else ""),
        (t.STATE, state.html if state else ""),
    ]
    items = "".join(f"<dt>{name.html}</dt><dd>{value}</dd>" for name, value in rows if value)
    return _sheet(t.NAMES, f"<dl>{items}</dl>")


def _said(name: str, language: str) -> str:
    return f'<span lang="{language}">{html.escape(name)}</span>' if name else ""


def _poison(herb: Herb) -> str:
    if herb.toxic in t.TOXIC_CLASS:
        said = (
            f'<p class="class">{texts.POISON[herb.toxic].html}</p>'
            f"<p>{t.TOXIC_CLASS[herb.toxic].html}</p><p>{t.TOXIC_OUTSIDE.html}</p>"
        )
        return _sheet(t.TOXIC_TITLE, said, "grave")
    return _sheet(t.TOXIC_TITLE, f"<p>{t.NOT_LISTED.html}</p>")


def _twins(herb: Herb, model: Collection[str]) -> str:
    if not herb.confused_with:
        return _sheet(t.TWINS_TITLE, f"<p>{t.NO_TWINS.html}</p>")
    notes = {zh: "" if zh in model else t.NOT_IN_MODEL.html for zh in herb.confused_with}
    return _sheet(t.TWINS_TITLE, _links(notes))


def _accuracy(known: "Dossier") -> str:
    if not known.known:
        return _sheet(t.ACCURACY_TITLE, f"<p>{t.NOT_KNOWN_MORE.html}</p>", "wide")
    if not known.accuracy:
        return _sheet(t.ACCURACY_TITLE, f"<p>{t.NOT_MEASURED.html}</p>", "wide")
    found = known.accuracy
    share = Share(found.top1, found.interval, found.photos)
    bar = whiskers([(t.RIGHT, Text("", ""), "after", share)])
    more = t.ACCURACY_MORE.format(found.photos, _held_out(found))
    confused = "".join(
        f"<div><h4>{title.html}</h4>{_counted(pairs)}</div>"
        for title, pairs in ((t.MISTAKEN_FOR, known.mistaken_for), (t.TAKES, known.takes))
    )
    said = f'{bar}<p>{more.html}</p><div class="confused">{confused}</div>'
    return _sheet(t.ACCURACY_TITLE, said, "wide")


def _held_out(found: "Accuracy") -> Text:
    known = [texts_learn.MEASURED_BY.get(way, Text(way, way)) for way in found.held_out]
    return Text("；".join(way.zh for way in known) or "–", "; ".join(w.en for w in known) or "–")


def _counted(pairs: Iterable[tuple[Herb, int]]) -> str:
    notes = {herb.zh: t.TIMES.format(n).html for herb, n in pairs}
    return _links(notes) if notes else f"<p>{t.NO_MISTAKES.html}</p>"


def _links(notes: Mapping[str, str]) -> str:
    """Herbs to go on to, each with a note as HTML."""
    items = "".join(
        f'<li><button type="button" data-goto="herbs" data-herb="{html.escape(zh)}">'
        f"{herb_text(herb_named(zh)).html}{poison_badge(herb_named(zh))}"
        f"{f'<small>{note}</small>' if note else ''}</button></li>"
        for zh, note in notes.items()
    )
    return f'<ul class="links">{items}</ul>'


def _library(count: int, photos: Sequence[Path]) -> str:
    thumbs = "".join(f"<li>{thumb(path)}</li>" for path in photos[:MOST_PHOTOS])
    said = (
        f'<p>{texts_learn.PHOTOS.format(count).html}</p><ul class="thumbs">{thumbs}</ul>'
        if count
        else f"<p>{t.LIBRARY_NONE.html}</p>"
    )
    return _sheet(t.LIBRARY_TITLE, said, "wide")


def _sheet(title: Text, body: str, kind: str = "") -> str:
    return f'<section class="sheet {kind}"><h3>{title.html}</h3>{body}</section>'
