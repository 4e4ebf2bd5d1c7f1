"""An answer -> the HTML of the page's result. Pure functions, no Gradio.

All five heatmaps and the contrasts travel with the answer as a few numbers each, which the browser
draws: a click on a name needs no server, and two visitors can never see each other's maps.
"""

import html
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from herbdemo.card_figures import is_light, network_name
from herbdemo.errors import HerbError
from herbdemo.heatmap import shrunk
from herbdemo.ui import sandbox, texts, texts_learn
from herbdemo.ui.candidates import candidates_html, herb_text, percent, plain_candidates_html
from herbdemo.ui.caution_view import caution_texts, cautions_html
from herbdemo.ui.keepsake import keepsake_html
from herbdemo.ui.map_words import evidence_words
from herbdemo.ui.names import name_field
from herbdemo.ui.pictures import data_url
from herbdemo.ui.text import Text

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.recognise import Answer, Candidate

PHOTO_SIDE = 1024  # pixels of the photo that is sent back


def answer_html(
    answer: "Answer", *, correctable: bool = False, closer: bool = False, shareable: bool = False
) -> str:
    """The whole result: the photo under its heatmap, the verdict, cautions, five names, the model.

    Args:
        correctable: with a form to say what the photo really shows.
        closer: with buttons that take the photo to the Explain tab.
        shareable: with a button for a link; see share.py.
    """
    started = time.perf_counter()
    drawn = (
        f'<article class="answer" data-verdict="{answer.verdict}" '
        f'data-photo="{html.escape(answer.photo.sha256)}" '
        f'data-model="{html.escape(answer.sha256)}" data-id="{secrets.token_hex(4)}">'
        f'<template class="spoken">{_spoken(answer).html}</template>'
        f'{_stage(answer, shareable)}<div class="findings">{_verdict(answer)}'
        f"{cautions_html(answer)}{candidates_html(answer, closer=closer)}"
        f"{_correction(answer) if correctable else ''}"
    )
    ms = (time.perf_counter() - started) * 1000
    return f"{drawn}{_colophon(answer, ms)}</div></article>"


def error_html(error: HerbError | Text, title: Text = texts.FAILED_TITLE) -> str:
    """What takes the place of a result when there is none: a sentence that says what to do."""
    sentence = Text(error.zh, error.en)
    return (
        f'<div class="trouble" role="alert" data-id="{secrets.token_hex(4)}">'
        f"<h2>{title.html}</h2><p>{sentence.html}</p></div>"
    )


def names_html(candidates: Iterable["Candidate"], verdict: str, *, between: str = "") -> str:
    """The verdict and the names alone, without pictures, and what is said `between` them."""
    candidates = tuple(candidates)
    return _seal_and_words(candidates, verdict) + between + plain_candidates_html(candidates)


# The photo and its heatmap


def _stage(answer: "Answer", shareable: bool) -> str:
    shown = shrunk(answer.photo.image, PHOTO_SIDE)
    photo = data_url(shown, "jpeg", quality=86)
    width, height = shown.size
    return (
        f'<section class="stage"><figure class="plate" style="--ratio:{width / height:.4f}">'
        f'<img class="photo" src="{photo}" width="{width}" height="{height}" '
        f"{texts.PHOTO_ALT.attribute('alt')}>"
        f'<herb-map class="map" role="img" hidden></herb-map>'
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
        f"</button></div>{keepsake_html(shareable=shareable)}</div></section>"
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


# The verdict


def _verdict(answer: "Answer") -> str:
    more = {
        "certain": texts.CERTAIN_MORE,
        "unsure": texts.UNSURE_MORE,
        "unknown": texts.UNKNOWN_MORE,
    }[answer.verdict]
    return _seal_and_words(answer.candidates, answer.verdict, (more, texts.NOT_ADVICE))


def _seal_and_words(
    candidates: tuple["Candidate", ...], verdict: str, more: Iterable[Text] = ()
) -> str:
    first, second = _first_two(candidates)
    seal, words = {
        "certain": (texts.CERTAIN_SEAL, texts.CERTAIN.format(first)),
        "unsure": (texts.UNSURE_SEAL, texts.UNSURE.format(first, second)),
        "unknown": (texts.UNKNOWN_SEAL, texts.UNKNOWN),
    }[verdict]
    sentences = "".join(f"<p>{text.html}</p>" for text in more)
    return (
        f'<header class="verdict {verdict}">'
        f'<span class="seal" aria-hidden="true">{seal.html}</span>'
        f"<div><h2>{words.html}</h2>{sentences}</div></header>"
    )


def _first_two(candidates: tuple["Candidate", ...]) -> tuple[Text, Text]:
    """Their names; a model of one herb has no second, only another herb that it never met."""
    names = [herb_text(item.herb) for item in candidates[:2]]
    return names[0], names[1] if len(names) > 1 else texts.ANOTHER_HERB


def said(candidates: Iterable["Candidate"], verdict: str) -> Text:
    """The names with their odds and how sure they are, in one sentence to be read out."""
    named = [(herb_text(item.herb), percent(item.probability)) for item in candidates]
    (first, odds), *others = named
    rest = Text(
        "，".join(f"{name.zh} {odds}" for name, odds in others) or texts.ANOTHER_HERB.zh,
        ", ".join(f"{name.en} {odds}" for name, odds in others) or texts.ANOTHER_HERB.en,
    )
    sentence = {
        "certain": texts.SAID_CERTAIN,
        "unsure": texts.SAID_UNSURE,
        "unknown": texts.SAID_UNKNOWN,
    }[verdict]
    return sentence.format(first, odds, rest)


def _spoken(answer: "Answer") -> Text:
    """What is read out when the answer is there: the names, what to beware of, the evidence."""
    first = answer.candidates[0].herb
    sentences = [said(answer.candidates, answer.verdict), *caution_texts(answer)]
    if answer.verdict != "unknown":
        sentences.append(evidence_words(herb_text(first), answer.heatmap(first.zh)))
    return Text("".join(one.zh for one in sentences), " ".join(one.en for one in sentences))


# The model


def _correction(answer: "Answer") -> str:
    return (
        f'<form class="correct" data-photo="{html.escape(answer.photo.sha256)}">'
        f"<label><b>{texts_learn.WRONG.html}</b> {texts_learn.WRONG_IT_IS.html}"
        f'{name_field()}</label><button type="submit">{texts_learn.SET_ASIDE.html}</button></form>'
    )


def _colophon(answer: "Answer", page: float) -> str:
    """The model, and what took how long; `page` milliseconds went into what stands above."""
    own = answer.model == sandbox.NAME
    model = texts_learn.BOX_MODEL.html if own else html.escape(answer.model)
    light = f"<p>{texts.LIGHT.html}</p>" if is_light(answer.network) else ""
    network = network_name({"architecture": answer.network}) if answer.network else ""
    stages = " · ".join(
        f"{texts.STAGES.get(stage, Text(stage, stage)).html} {ms:.1f} ms"
        for stage, ms in {**answer.stages, "page": page}.items()
    )
    engine = html.escape(answer.device)
    why = f"<p>{engine}: {Text(answer.why.zh, answer.why.en).html}</p>" if answer.why else ""
    return (
        f'<footer class="colophon"><details><summary><span>{texts.MODEL.html} <b>{model}</b></span>'
        f'<code title="sha256 {answer.sha256}">{answer.sha256[:8]}</code>'
        f"<span>{texts.MILLISECONDS.format(f'{answer.ms:.0f}').html}</span>"
        f"<span>{html.escape(network)}</span><span>{engine}</span></summary>"
        f"{light}{why}<p>{stages}</p><p>sha256 <code>{answer.sha256}</code></p></details></footer>"
    )
