"""What to be careful about -> HTML, beside an answer. Pure functions, no Gradio."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from herbdemo.caution import POISON, STRANGER, TWIN_POISON, TWINS, Caution, cautions
from herbdemo.herbs import Herb
from herbdemo.ui import texts
from herbdemo.ui import texts_herbs as t
from herbdemo.ui.candidates import about_button, herb_text, herbs_text, percent
from herbdemo.ui.map_words import contrast_alt
from herbdemo.ui.pictures import map_html
from herbdemo.ui.text import Text

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.recognise import Answer


def cautions_html(answer: "Answer") -> str:
    """The cautions on an answer, the gravest first; "" where there are none."""
    items = [_item(answer, said, about) for said, about in _sentences(answer)]
    if not items:
        return ""
    return f'<ul class="cautions" {t.CAUTIONS.attribute("aria-label")}>{"".join(items)}</ul>'


def caution_texts(answer: "Answer") -> list[Text]:
    """The same cautions as sentences alone, for programs and agents."""
    return [said for said, _ in _sentences(answer)]


def _sentences(answer: "Answer") -> list[tuple[Text, list[Caution]]]:
    """Each sentence with what it is about; all herbs that the model never saw share the last."""
    found = cautions(answer.candidates, answer.verdict, known=answer.herbs)
    strangers = [caution for caution in found if caution.kind == STRANGER]
    said = [(_said(answer, caution), [caution]) for caution in found if caution.kind != STRANGER]
    if strangers:  # some herbs have half a dozen
        others = herbs_text([caution.other for caution in strangers if caution.other])
        said.append((t.STRANGER.format(herb_text(strangers[0].herb), others), strangers))
    return [(Text(zh, en[:1].upper() + en[1:]), about) for (zh, en), about in said]


def _said(answer: "Answer", caution: Caution) -> Text:
    herb, other = caution.herb, caution.other
    if caution.kind == POISON:
        return _poison(answer, herb)
    assert other is not None
    if caution.kind == TWIN_POISON:
        said = t.TWIN_POISON_KNOWN if caution.known else t.TWIN_POISON_UNSEEN
        return said.format(herb_text(herb), herb_text(other), _class(other))
    return t.TWINS.format(herb_text(herb), herb_text(other))


def _poison(answer: "Answer", herb: Herb) -> Text:
    if herb == answer.candidates[0].herb and answer.verdict != "unknown":
        return t.POISON_FIRST.format(herb_text(herb), _class(herb))
    (odds,) = (item.probability for item in answer.candidates if item.herb == herb)
    return t.POISON_POSSIBLE.format(herb_text(herb), percent(odds), _class(herb))


def _class(herb: Herb) -> Text:
    return texts.POISON[herb.toxic]


def _duel(answer: "Answer", herb: Herb, other: Herb) -> str:
    """The contrast map in small; where one of the two is the first, pressing it shows it large."""
    values = answer.contrast(herb.zh, other.zh)
    alt = contrast_alt(herb_text(herb), herb_text(other), values)
    picture = f'<span class="thumb">{map_html(values, alt, table="contrast")}</span>'
    ids = [item.herb.zh for item in answer.candidates]
    if herb.zh != ids[0]:
        return picture
    return (
        f'<button type="button" class="duel" data-index="{ids.index(other.zh)}" '
        f'data-mode="contrast" {t.TWINS_MAP.attribute("title")}>{picture}'
        f"<span>{t.TWINS_MAP.html}</span></button>"
    )


_KINDS = {POISON: "grave", TWIN_POISON: "grave", TWINS: "twins", STRANGER: "stranger"}


def _item(answer: "Answer", said: Text, about: Sequence[Caution]) -> str:
    first, duel = about[0], ""
    herbs = [caution.other or caution.herb for caution in about]
    if first.kind == TWINS and first.other:
        herbs = [one for one in (first.herb, first.other) if one != answer.candidates[0].herb]
        duel = _duel(answer, first.herb, first.other)
    leads = "".join(about_button(herb, herb_text(herb), kind="lead") for herb in herbs)
    return (
        f'<li class="caution {_KINDS[first.kind]}">{_SIGN}<div><p>{said.html}</p> '
        f'<span class="leads">{leads}</span>{duel}</div></li>'
    )


_SIGN = (
    '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" fill="none" '
    'stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">'
    '<path d="M12 3.5 22 20.5H2zM12 10v4.6M12 17.6v.1"/></svg>'
)
