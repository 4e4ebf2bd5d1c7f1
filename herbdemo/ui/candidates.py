"""The candidates of an answer -> HTML: names, odds, maps, facts, and where to learn more.

Pure functions, no Gradio.
"""

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from herbdemo.herbs import Herb, herb_named
from herbdemo.ui import texts
from herbdemo.ui import texts_herbs as t
from herbdemo.ui.map_words import (
    contrast_alt,
    contrast_words,
    evidence_alt,
    evidence_words,
)
from herbdemo.ui.pictures import map_html
from herbdemo.ui.text import Text

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.recognise import Answer, Candidate


def candidates_html(answer: "Answer", *, closer: bool) -> str:
    """The five herbs with a small map each; `answer.js` shows the pressed one's on the photo.

    Args:
        closer: with a button that takes the photo and the herb to the Explain tab.
    """
    rows = "".join(
        _candidate(answer, index, closer=closer) for index in range(len(answer.candidates))
    )
    return f'<ol class="candidates" {texts.CANDIDATES.attribute("aria-label")}>{rows}</ol>'


def plain_candidates_html(candidates: Iterable["Candidate"]) -> str:
    """The herbs without maps and facts, for the live camera."""
    rows = "".join(
        f'<li class="candidate"><span class="row">{names_of(item.herb)}{_odds(item)}</span></li>'
        for item in candidates
    )
    return f'<ol class="candidates">{rows}</ol>'


def herb_text(herb: Herb) -> Text:
    """The herb's name in both languages."""
    return Text(herb.zh, herb.name("en"))


def herbs_text(herbs: Iterable[Herb]) -> Text:
    """The names of several herbs in both languages."""
    names = [herb_text(herb) for herb in herbs]
    return Text("、".join(name.zh for name in names), ", ".join(name.en for name in names))


def percent(probability: float) -> str:
    """A probability for people: never 100 % or 0 %, which no model can know."""
    if probability > 0.999:
        return ">99.9%"
    if probability < 0.001:
        return "<0.1%"
    return f"{probability * 100:.1f}%"


def names_of(herb: Herb) -> str:
    """The names of a herb in four ways, flagged where it is a poison."""
    english = html.escape(herb.en) or "–"
    latin = f'<i lang="la">{html.escape(herb.latin)}</i>' if herb.latin else ""
    return (
        f'<span class="names"><span class="han" lang="zh-CN">{html.escape(herb.zh)}</span>'
        f'<span class="pinyin" lang="zh-Latn">{html.escape(herb.pinyin)}</span>{poison_badge(herb)}'
        f'<span class="western"><span lang="en">{english}</span>{latin}</span></span>'
    )


def poison_badge(herb: Herb) -> str:
    """How poisonous the herb is, in a word; "" where it is not listed."""
    poison = texts.POISON.get(herb.toxic)
    return f'<span class="poison">{poison.html}</span>' if poison else ""


def about_button(herb: Herb, label: Text = t.ABOUT, *, kind: str = "quiet") -> str:
    """Leads to the herb's page."""
    return (
        f'<button type="button" class="{kind}" data-goto="herbs" '
        f'data-herb="{html.escape(herb.zh)}">{label.html}</button>'
    )


def _candidate(answer: "Answer", index: int, *, closer: bool) -> str:
    item = answer.candidates[index]
    first = answer.candidates[0].herb
    other = answer.candidates[min(max(index, 1), len(answer.candidates) - 1)].herb
    name, a, b = herb_text(item.herb), herb_text(first), herb_text(other)
    values = answer.heatmap(item.herb.zh)
    empty = not values.any()
    evidence = map_html(values, evidence_alt(name, values), more='data-map="evidence"')
    difference = answer.contrast(first.zh, other.zh)
    duel = map_html(
        difference, contrast_alt(a, b, difference), table="contrast", more='data-map="contrast"'
    )
    return (
        f'<li class="candidate"><button type="button" class="row" data-index="{index}" '
        f'data-herb="{html.escape(item.herb.zh)}"{" data-empty" if empty else ""} '
        f'aria-pressed="false"><span class="thumb" aria-hidden="true">{evidence}{duel}</span>'
        f"{names_of(item.herb)}{_odds(item)}</button>"
        f'<div class="facts">{_facts(item.herb)}{_leads(answer, item.herb, closer=closer)}</div>'
        f'<p data-caption="evidence" hidden>{evidence_words(name, values).html}</p>'
        f'<p data-caption="contrast" hidden>{contrast_words(a, b, difference).html}</p>'
        f'<b data-end="plus" hidden>{a.html}</b><b data-end="minus" hidden>{b.html}</b></li>'
    )


def _odds(item: "Candidate") -> str:
    width = max(0.4, item.probability * 100)
    return (
        f'<span class="odds">{html.escape(percent(item.probability))}</span>'
        f'<span class="bar" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>'
    )


def _facts(herb: Herb) -> str:
    facts = []
    if part := t.PARTS.get(herb.part):
        facts.append(texts.PART.format(Text(part, herb.part)))
    if herb.state:
        facts.append(texts.LIVING if herb.state == "living" else texts.DRIED)
    if herb.confused_with:
        twins = herbs_text(map(herb_named, herb.confused_with))
        facts.append(texts.CONFUSED.format(twins))
    warning = f'<p class="warning">{texts.POISON_MORE.html}</p>' if herb.toxic else ""
    also = "、".join([name for name in herb.aliases if not name.isascii()][:4])
    names = f'<p>{texts.ALIASES.html}<span lang="zh-CN">{html.escape(also)}</span></p>'
    return warning + "".join(f"<p>{fact.html}</p>" for fact in facts) + (names if also else "")


def _leads(answer: "Answer", herb: Herb, *, closer: bool) -> str:
    look = (
        f'<button type="button" class="quiet" data-goto="explain" '
        f'data-herb="{html.escape(herb.zh)}" data-photo="{html.escape(answer.photo.sha256)}">'
        f"{t.CLOSER.html}</button>"
    )
    return f'<div class="leads">{about_button(herb)}{look if closer else ""}</div>'
