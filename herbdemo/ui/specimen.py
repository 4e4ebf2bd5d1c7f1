"""One herb, several photos: a fused answer, what each photo says by itself, and which decided."""

import dataclasses
import secrets
from typing import TYPE_CHECKING, Any

from gradio.data_classes import ListFiles

from herbdemo.errors import HerbError
from herbdemo.heatmap import shrunk
from herbdemo.photo import Photo, open_photo
from herbdemo.ui import model, sandbox, texts
from herbdemo.ui import texts_many as t
from herbdemo.ui.candidates import herb_text, percent
from herbdemo.ui.caution_view import cautions_html
from herbdemo.ui.gate import Visitor
from herbdemo.ui.map_words import evidence_alt, evidence_words
from herbdemo.ui.photo_input import PICTURES, drop_zone, script
from herbdemo.ui.pictures import data_url, map_html
from herbdemo.ui.pieces import Change, Piece, wire
from herbdemo.ui.result import answer_html, error_html, names_html, said
from herbdemo.ui.result_view import ResultView
from herbdemo.ui.text import Text
from herbdemo.ui.uploads import Uploads

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.recognise import Answer
    from herbdemo.specimen import Specimen

MOST = 5  # as in `herbdemo.specimen`, whose import takes seconds
CARD_SIDE = 480  # pixels of a photo among the others


class PhotosInput(Uploads):
    """Up to `MOST` photos. The handler gets the paths of the uploaded files, unopened, in order.

    Triggers `act` "look" whenever a photo was added or removed.
    """

    data_model = ListFiles

    def __init__(self, *, into: str, **options: Any) -> None:
        super().__init__(
            html_template=_template(into),
            js_on_load=script("camera.js", "sources.js", "specimen.js"),
            apply_default_css=False,
            **options,
        )

    def preprocess(self, payload: ListFiles | None) -> list[str]:
        return [file.path for file in payload][:MOST] if payload else []


def build() -> None:
    """Lay the way out inside the current Blocks."""
    photos = PhotosInput(into="specimen-one", elem_id="specimen-photos")
    notice = Piece(elem_id="specimen-notice")
    fused = Piece(elem_id="specimen")
    one = ResultView(elem_id="specimen-one")

    def look(paths: list[str], data: dict[str, str], who: Visitor) -> Change:
        return dict(zip((fused, one), look_at(paths, who), strict=True))

    def show(paths: list[str], data: dict[str, str], who: Visitor) -> Change:
        return {one: one_photo(paths, data.get("index", ""), who)}

    shared: dict[str, Any] = {"notice": notice, "inputs": [photos], "outputs": [fused, one]}
    anyone: dict[str, Any] = {"open_to_all": frozenset({"look", "show"})} | model.QUEUE
    wire(photos, {"look": look}, **shared, **anyone)
    wire(fused, {"show": show}, **shared, **anyone)


def look_at(paths: list[str], who: Visitor) -> tuple[str, str]:
    """HTML of the fused answer, and of the answer to the photo that decided it.

    Raises:
        HerbError: the model cannot be used.
    """
    opened: dict[int, Photo] = {}
    failed: dict[int, HerbError] = {}
    for index, path in enumerate(paths):
        try:
            opened[index] = open_photo(path)
        except HerbError as error:
            failed[index] = error
    if not opened:
        return _failures(failed), ""
    specimen = _specimen(list(opened.values()), who)
    return (
        specimen_html(specimen, tuple(opened)) + _failures(failed),
        answer_html(specimen.answers[specimen.decisive], closer=True),
    )


def one_photo(paths: list[str], index: str, who: Visitor) -> str:
    """HTML of the answer to one of the photos alone.

    Raises:
        HerbError: there is no such photo, it does not open, or the model cannot be used.
    """
    if not index.isdecimal() or int(index) >= len(paths):
        raise HerbError(*texts.NO_UPLOAD, hint="no-upload")
    try:
        answer = model.recognise(paths[int(index)], by=sandbox.recogniser(who.session))
    except HerbError as error:
        return error_html(error)
    return answer_html(answer, closer=True)


def specimen_html(specimen: "Specimen", numbers: tuple[int, ...]) -> str:
    """The fused answer and a card for each photo.

    Args:
        numbers: position of each photo among all that were given, some of which did not open.
    """
    several = len(specimen.answers) > 1
    warning = f'<p class="warning" role="alert">{t.DISAGREE.html}</p>' if specimen.disagree else ""
    cautions = cautions_html(_fused(specimen))
    hint = "" if several else f'<p class="hint">{t.ONE_PHOTO.html}</p>'
    cards = "".join(_card(specimen, at, number) for at, number in enumerate(numbers))
    return (
        f'<article class="specimen result" data-verdict="{specimen.verdict}" '
        f'data-id="{secrets.token_hex(4)}"><p hidden data-tell="{secrets.token_hex(4)}">'
        f"{said(specimen.candidates, specimen.verdict).html}</p>"
        f'<section class="fused"><p class="kicker">{t.TOGETHER.html}</p>'
        f"{names_html(specimen.candidates, specimen.verdict, between=warning + cautions)}{hint}"
        f'<p class="advice">{texts.NOT_ADVICE.html}</p></section>'
        f'<section class="each"><h3>{t.EACH.html}</h3><p>{t.EACH_MORE.html}</p>'
        f'{_switch(specimen)}<div class="takes">{cards}</div></section></article>'
    )


def _fused(specimen: "Specimen") -> "Answer":
    """The fused answer as if it were that of the photo that decided it."""
    one = specimen.answers[specimen.decisive]
    return dataclasses.replace(one, candidates=specimen.candidates, verdict=specimen.verdict)


def _switch(specimen: "Specimen") -> str:
    """Which herb the heatmaps are of. The style sheet alone does the rest."""
    choices = "".join(
        f'<label><input type="radio" name="specimen-herb" value="{k}"{" checked" * (k == 0)}>'
        f"<span>{herb_text(item.herb).html}</span></label>"
        for k, item in enumerate(specimen.candidates)
    )
    return (
        f'<div class="switch" role="radiogroup" {t.MAPS_OF.attribute("aria-label")}>{choices}</div>'
    )


def _card(specimen: "Specimen", at: int, number: int) -> str:
    answer = specimen.answers[at]
    photo = shrunk(answer.photo.image, CARD_SIDE)
    width, height = photo.size
    decisive = at == specimen.decisive and len(specimen.answers) > 1
    mark = (
        f'<b class="mark" {t.DECISIVE_MORE.attribute("title")}>{t.DECISIVE.html}</b>'
        if decisive
        else ""
    )
    points = f"{specimen.influence[at] * 100:+.1f}".replace("-", "−")
    tells = len(specimen.answers) > 1 and points[1:] != "0.0"
    influence = f'<span class="influence">{t.RAISES.format(points).html}</span>' if tells else ""
    return (
        f'<figure class="take{" decisive" * decisive}">'
        f'<button type="button" data-act="show" data-index="{number}" '
        f'data-photo="{answer.photo.sha256}" aria-pressed="{str(at == specimen.decisive).lower()}" '
        f"{t.SEE_PHOTO.format(number + 1).attribute('aria-label')}>"
        f'<span class="frame" style="--ratio:{width / height:.4f}">'
        f'<img src="{data_url(photo, "jpeg", quality=82)}" '
        f"{t.PHOTO_NUMBER.format(number + 1).attribute('alt')}>{_maps(specimen, answer)}</span>"
        f"{mark}</button>"
        f"<figcaption><span>{t.PHOTO_NUMBER.format(number + 1).html}</span>"
        f"<strong>{_alone(answer).html}</strong>{influence}{_places(specimen, answer)}"
        "</figcaption></figure>"
    )


def _maps(specimen: "Specimen", answer: "Answer") -> str:
    found = []
    for k, item in enumerate(specimen.candidates):
        values = answer.heatmap(item.herb.zh)
        alt = evidence_alt(herb_text(item.herb), values)
        found.append(
            map_html(values, alt, more=f'class="map" data-of="{k}"')
            if values.any()
            else f'<span class="nothing" data-of="{k}">{t.NO_EVIDENCE.html}</span>'
        )
    return "".join(found)


def _places(specimen: "Specimen", answer: "Answer") -> str:
    """Where each map has its evidence: the button over the maps has but one name."""
    return "".join(
        f'<span class="place" data-of="{k}">'
        f"{evidence_words(herb_text(item.herb), answer.heatmap(item.herb.zh)).html}</span>"
        for k, item in enumerate(specimen.candidates)
    )


def _alone(answer: "Answer") -> Text:
    if answer.verdict == "unknown":
        return t.BY_ITSELF_UNKNOWN
    best = answer.candidates[0]
    return t.BY_ITSELF.format(herb_text(best.herb), percent(best.probability))


def _failures(failed: dict[int, HerbError]) -> str:
    lines = "".join(
        f"<p>{t.PHOTO_FAILED.format(index + 1, error).html}</p>" for index, error in failed.items()
    )
    if not lines:
        return ""
    return f'<div class="left-out" role="alert" data-id="{secrets.token_hex(4)}">{lines}</div>'


def _specimen(photos: list[Photo], who: Visitor) -> "Specimen":
    from herbdemo import specimen  # importing torch takes seconds; the page does not wait

    recogniser = sandbox.recogniser(who.session) or model.recogniser()
    with model.turn():
        return specimen.look(recogniser, photos)


def _template(into: str) -> str:
    """The markup; it holds no value, so Gradio never draws it again under the visitor's hands."""
    refusals = {
        "too-many": t.TOO_MANY,
        "too-large": texts.TOO_LARGE,
        "no-upload": texts.NO_UPLOAD,
        "no-answer": texts.NO_ANSWER,
        "no-camera": texts.NO_CAMERA,
        "no-clipboard": texts.NO_CLIPBOARD,
    }
    views = "".join(
        f'<template data-view="{name}"><p>{text.html}</p></template>'
        for name, text in refusals.items()
    )
    return f"""
<section class="giver several" data-into="{into}" data-most="{MOST}">
  <input class="file" type="file" multiple accept="{PICTURES}" tabindex="-1"
    {t.CHOOSE_SEVERAL.attribute("aria-label")}>
  {drop_zone((t.SPECIMEN_TITLE, t.SPECIMEN_WAYS), t.CHOOSE_SEVERAL, t.ADD)}
  <div class="photos"><ol class="strip"></ol><p class="waits" role="status">{t.WAIT.html}</p>
    <div class="said" role="alert"></div></div>
  <template data-view="thumb"><li><img {t.PHOTO_NUMBER.format("#").attribute("alt")}><b>#</b>
    <button type="button" data-remove {t.REMOVE.format("#").attribute("aria-label")}>×</button>
    </li></template>{views}
</section>"""
