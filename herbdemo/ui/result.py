"""An answer -> the HTML of the page's result. Pure functions, no Gradio.

All five heatmaps and the contrasts travel with the answer as small pictures inside the HTML, so a
click on a name needs no server, nothing is kept between two requests, and two visitors can never
see each other's maps.
"""

import html
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from PIL import Image

from herbdemo.errors import HerbError
from herbdemo.heatmap import grey, shrunk
from herbdemo.herbs import Herb
from herbdemo.ui import sandbox, texts, texts_learn
from herbdemo.ui.names import name_field
from herbdemo.ui.pictures import data_url, map_size, map_url
from herbdemo.ui.texts import Text

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.recognise import Answer, Candidate

PHOTO_SIDE = 1024  # pixels of the photo that is sent back


def answer_html(answer: "Answer", *, correctable: bool = False) -> str:
    """The whole result: the photo under its heatmap, the verdict, five names, the model.

    Args:
        correctable: with a form to say what the photo really shows.
    """
    shown = shrunk(answer.photo.image, PHOTO_SIDE)
    return (
        f'<article class="answer" data-verdict="{answer.verdict}" '
        f'data-photo="{html.escape(answer.photo.sha256)}" data-id="{secrets.token_hex(4)}">'
        f"{_stage(answer, shown)}"
        f'<div class="findings">{_verdict(answer)}{_candidates(answer, shown)}'
        f"{_correction(answer) if correctable else ''}{_colophon(answer)}</div></article>"
    )


def error_html(error: HerbError | Text, title: Text = texts.FAILED_TITLE) -> str:
    """What takes the place of a result when there is none: a sentence that says what to do."""
    sentence = Text(error.zh, error.en)
    return (
        f'<article class="trouble" role="alert" data-id="{secrets.token_hex(4)}">'
        f"<h2>{title.html}</h2><p>{sentence.html}</p></article>"
    )


def names_html(candidates: Iterable["Candidate"], verdict: str) -> str:
    """The verdict and the names alone, without pictures, for the live camera."""
    candidates = tuple(candidates)
    rows = "".join(
        f'<li class="candidate"><span class="row">{_names(item.herb)}{_odds(item)}</span></li>'
        for item in candidates
    )
    return f'{_seal_and_words(candidates, verdict)}<ol class="candidates">{rows}</ol>'


def herb_text(herb: Herb) -> Text:
    """The herb's name in both languages."""
    return Text(herb.zh, herb.name("en"))


def percent(probability: float) -> str:
    """A probability for people: never 100 % or 0 %, which no model can know."""
    if probability > 0.999:
        return "&gt;99.9%"
    if probability < 0.001:
        return "&lt;0.1%"
    return f"{probability * 100:.1f}%"


# The photo and its heatmap


def _stage(answer: "Answer", shown: Image.Image) -> str:
    photo = data_url(shown, "jpeg", quality=86)
    width, height = shown.size
    return (
        f'<section class="stage"><figure class="plate" style="--ratio:{width / height:.4f}">'
        f'<img class="photo" src="{photo}" width="{width}" height="{height}" '
        f"{texts.PHOTO_ALT.attribute('alt')}>"
        f'<img class="map" hidden alt="">'
        f'<input class="cut" type="range" min="0" max="100" value="0" '
        f"{texts.COMPARE.attribute('aria-label')}>"
        '<span class="divider" aria-hidden="true"></span>'
        '<span class="grip" aria-hidden="true">↔</span>'
        f'<span class="side left" aria-hidden="true">{texts.ORIGINAL.html}</span>'
        f'<span class="side right" aria-hidden="true">{texts.HEATMAP.html}</span></figure>'
        f'<div class="legend"><p class="caption" role="status"></p>{_scales()}</div>'
        f'<div class="tools"><div class="modes" role="group" {texts.SHOW.attribute("aria-label")}>'
        f'<button type="button" data-mode="evidence">{texts.EVIDENCE.html}</button>'
        f'<button type="button" data-mode="contrast">{texts.CONTRAST.html}</button></div>'
        f'<label class="opacity"><span>{texts.OPACITY.html}</span>'
        f'<input type="range" min="0" max="100" value="75"></label>'
        f'<div class="saves"><button type="button" class="quiet" data-save="overlay">'
        f"{_ARROW}{texts.SAVE_OVERLAY.html}</button>"
        f'<button type="button" class="quiet" data-save="raw">{_ARROW}{texts.SAVE_RAW.html}'
        f"</button></div></div></section>"
    )


def _scales() -> str:
    weak, strong = texts.WEAK.html, texts.STRONG.html
    return (
        f'<p class="scale evidence">{weak}<i></i>{strong}</p>'
        f'<p class="scale contrast"><b class="minus"></b><i></i><b class="plus"></b></p>'
    )


_ARROW = (
    '<svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true" fill="none" '
    'stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">'
    '<path d="M10 3v9m-4-3.5 4 4 4-4M4 16.5h12"/></svg>'
)


# Verdict and names


def _verdict(answer: "Answer") -> str:
    more = {
        "certain": texts.CERTAIN_MORE,
        "unsure": texts.UNSURE_MORE,
        "unknown": texts.UNKNOWN_MORE,
    }[answer.verdict]
    return _seal_and_words(answer.candidates, answer.verdict, more)


def _seal_and_words(
    candidates: tuple["Candidate", ...], verdict: str, more: Text | None = None
) -> str:
    first, second = _first_two(candidates)
    seal, words = {
        "certain": (texts.CERTAIN_SEAL, texts.CERTAIN.format(first)),
        "unsure": (texts.UNSURE_SEAL, texts.UNSURE.format(first, second)),
        "unknown": (texts.UNKNOWN_SEAL, texts.UNKNOWN),
    }[verdict]
    return (
        f'<header class="verdict {verdict}" role="status">'
        f'<span class="seal" aria-hidden="true">{seal.html}</span>'
        f"<div><h2>{words.html}</h2>{f'<p>{more.html}</p>' if more else ''}</div></header>"
    )


def _first_two(candidates: tuple["Candidate", ...]) -> tuple[Text, Text]:
    """Their names; a model of one herb has no second, only another herb that it never met."""
    names = [herb_text(item.herb) for item in candidates[:2]]
    return names[0], names[1] if len(names) > 1 else texts.ANOTHER_HERB


def _candidates(answer: "Answer", shown: Image.Image) -> str:
    thumb = data_url(shrunk(shown, 144), "jpeg", quality=75)
    size = map_size(shown.size)
    rows = "".join(_candidate(answer, index, size) for index in range(len(answer.candidates)))
    return (
        f'<ol class="candidates" style="--thumb:url({thumb})" '
        f"{texts.CANDIDATES.attribute('aria-label')}>{rows}</ol>"
    )


def _candidate(answer: "Answer", index: int, size: tuple[int, int]) -> str:
    item = answer.candidates[index]
    first = answer.candidates[0].herb
    other = answer.candidates[min(max(index, 1), len(answer.candidates) - 1)].herb
    name, a, b = herb_text(item.herb), herb_text(first), herb_text(other)
    values = answer.heatmap(item.herb.zh)
    empty = not values.any()
    duel = answer.contrast(first.zh, other.zh)
    caption = (texts.EMPTY_CAPTION if empty else texts.EVIDENCE_CAPTION).format(name)
    return (
        f'<li class="candidate"><button type="button" class="row" data-index="{index}" '
        f'data-herb="{html.escape(item.herb.zh)}"{" data-empty" if empty else ""} '
        f'data-raw="{data_url(grey(values, size), "png", compress_level=2)}" '
        f'data-raw-contrast="{data_url(grey((duel + 1) / 2, size), "png", compress_level=2)}" '
        f'aria-pressed="false"><span class="thumb" aria-hidden="true">'
        f'<img data-map="evidence" src="{map_url(values, size)}" '
        f"{texts.MAP_ALT.format(name).attribute('alt')}>"
        f'<img data-map="contrast" src="{map_url(duel, size, "contrast")}" '
        f"{texts.CONTRAST_ALT.format(a, b).attribute('alt')}></span>"
        f"{_names(item.herb)}{_odds(item)}</button>"
        f'<div class="facts">{_facts(item.herb)}</div>'
        f'<p data-caption="evidence" hidden>{caption.html}</p>'
        f'<p data-caption="contrast" hidden>{texts.CONTRAST_CAPTION.format(a, b).html}</p>'
        f'<b data-end="plus" hidden>{a.html}</b><b data-end="minus" hidden>{b.html}</b></li>'
    )


def _names(herb: Herb) -> str:
    english = html.escape(herb.en) or "–"
    latin = f'<i lang="la">{html.escape(herb.latin)}</i>' if herb.latin else ""
    poison = texts.POISON.get(herb.toxic)
    badge = f'<span class="poison">{poison.html}</span>' if poison else ""
    return (
        f'<span class="names"><span class="han" lang="zh-CN">{html.escape(herb.zh)}</span>'
        f'<span class="pinyin" lang="zh-Latn">{html.escape(herb.pinyin)}</span>{badge}'
        f'<span class="western"><span lang="en">{english}</span>{latin}</span></span>'
    )


def _odds(item: "Candidate") -> str:
    width = max(0.4, item.probability * 100)
    return (
        f'<span class="odds">{percent(item.probability)}</span>'
        f'<span class="bar" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>'
    )


def _facts(herb: Herb) -> str:
    facts = []
    if part := texts.PARTS.get(herb.part):
        facts.append(texts.PART.format(Text(part, herb.part)))
    if herb.state:
        facts.append(texts.LIVING if herb.state == "living" else texts.DRIED)
    if herb.confused_with:
        facts.append(texts.CONFUSED.format("、".join(herb.confused_with)))
    if chinese := [name for name in herb.aliases if not name.isascii()]:
        facts.append(texts.ALIASES.format("、".join(chinese[:4])))
    warning = f'<p class="warning">{texts.POISON_MORE.html}</p>' if herb.toxic else ""
    return warning + "".join(f"<p>{fact.html}</p>" for fact in facts)


# The model


def _correction(answer: "Answer") -> str:
    return (
        f'<form class="correct" data-photo="{html.escape(answer.photo.sha256)}">'
        f"<label><b>{texts_learn.WRONG.html}</b> {texts_learn.WRONG_IT_IS.html}"
        f'{name_field()}</label><button type="submit">{texts_learn.SET_ASIDE.html}</button></form>'
    )


def _colophon(answer: "Answer") -> str:
    own = answer.model == sandbox.NAME
    model = texts_learn.BOX_MODEL.html if own else html.escape(answer.model)
    stages = " · ".join(
        f"{texts.STAGES.get(stage, Text(stage, stage)).html} {ms:.1f} ms"
        for stage, ms in answer.stages.items()
    )
    return (
        f'<footer class="colophon"><p class="advice">{texts.NOT_ADVICE.html}</p>'
        f"<details><summary><span>{texts.MODEL.html} <b>{model}</b></span>"
        f'<code title="sha256 {answer.sha256}">{answer.sha256[:8]}</code>'
        f"<span>{texts.MILLISECONDS.format(f'{answer.ms:.0f}').html}</span>"
        f"<span>{html.escape(answer.device)}</span></summary>"
        f"<p>{stages}</p><p>sha256 <code>{answer.sha256}</code></p></details></footer>"
    )
