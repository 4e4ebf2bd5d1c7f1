"""Several herbs in one photo: where each lies, and a table of them."""

import html
import logging
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from herbdemo.errors import HerbError
from herbdemo.heatmap import resized, shrunk
from herbdemo.photo import open_photo
from herbdemo.ui import model, sandbox, texts
from herbdemo.ui import texts_many as t
from herbdemo.ui.candidates import about_button, herb_text, herbs_text, names_of, percent
from herbdemo.ui.photo_input import PhotoInput, script
from herbdemo.ui.result import PHOTO_SIDE, error_html
from herbdemo.ui.result_view import ResultView
from herbdemo.ui.text import Text
from herbdemo.where import where

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.tray import Found, Tray

log = logging.getLogger(__name__)

# Told apart also by those who see red and green alike (Paul Tol's "muted"); the numbers help the
# rest of the way when there are more herbs than colours.
COLOURS = (
    "#44aa99", "#cc6677", "#ddcc77", "#332288", "#88ccee", "#aa4499", "#117733", "#999933",
    "#882255",
)  # fmt: skip
INSIDE = 0.32  # opacity of a region; its outline has 1
OUTLINE = 3  # pixels
BADGE = 0.024  # radius of the number on a region, of the photo's longest side

MOSTLY = 0.5  # share of the photo from which on it is one of that herb

Picture = tuple[Image.Image, list[tuple[np.ndarray | tuple[int, int, int, int], str]]]


def build() -> None:
    """Lay the way out inside the current Blocks."""
    photo = PhotoInput(
        {},
        into="tray-found",
        invitation=(t.TRAY_TITLE, t.TRAY_WAYS),
        tips=(),
        elem_id="tray-photo",
    )
    with gr.Row(elem_id="tray"):
        picture = gr.AnnotatedImage(
            show_label=False,
            container=False,
            buttons=["fullscreen"],
            elem_id="tray-picture",
        )
        found = ResultView(elem_id="tray-found")
    gr.HTML(
        html_template=f"<span {t.PICTURE.attribute('alt')}></span>",
        js_on_load=script("tray.js"),
        apply_default_css=False,
        elem_id="tray-rows",
    )

    def uploaded(path: str | None, request: gr.Request) -> tuple[object, str]:
        return look_at(path, str(request.session_hash))

    event = photo.photo(
        uploaded,
        photo,
        [picture, found],
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="multiple",  # photo_input.js sends one at a time
        **model.QUEUE,
    )
    event.failure(None, js=found.no_answer)


def look_at(path: str | None, session: str) -> tuple[object, str]:
    """What the picture shows, and the HTML beside it; a sentence instead when there is nothing."""
    if path is None:
        return None, error_html(texts.NO_UPLOAD)
    try:
        tray = _tray(path, session)
    except HerbError as error:
        return None, error_html(error)
    except Exception:  # nothing else may reach a visitor, least of all a path or a traceback
        log.exception("a tray was not looked at")
        return None, error_html(texts.FAILED)
    if not tray.regions:
        return None, error_html(t.NOTHING, t.NOTHING_TITLE)
    colours = {_label(at, one): _colour(at) for at, one in enumerate(tray.herbs)}
    return gr.AnnotatedImage(value=picture_of(tray), color_map=colours), found_html(tray)


def picture_of(tray: "Tray") -> Picture:
    """The photo with numbers on its regions, and a mask with an outline for each herb."""
    from scipy import ndimage  # imported late: 0.2 s, and the page has no use

    image = shrunk(tray.photo.image, PHOTO_SIDE).copy()
    masks: list[tuple[np.ndarray | tuple[int, int, int, int], str]] = []
    for at, one in enumerate(tray.herbs):
        inside = np.zeros(image.size[::-1], bool)
        for region in one.regions:
            mask = resized(region.mask, image.size) > 0.5
            inside |= mask
            _badge(image, mask, at)
        outline = inside & ~ndimage.binary_erosion(inside, iterations=OUTLINE, border_value=0)
        masks.append((np.where(outline, 1.0, INSIDE * inside), _label(at, one)))
    return image, masks


def found_html(tray: "Tray") -> str:
    """The herbs as a table, each row with the number and the colour that it has in the photo."""
    herbs = tray.herbs
    title = t.FOUND.format(len(herbs)) if len(herbs) > 1 else t.FOUND_ONE
    more = t.FOUND_ONE_MORE if len(herbs) == 1 and herbs[0].share > MOSTLY else t.FOUND_MORE
    poisons = [one.herb for one in herbs if one.herb.toxic]
    warning = (
        f'<p class="warning" role="alert">{t.POISONOUS.format(herbs_text(poisons)).html}</p>'
        if poisons
        else ""
    )
    rows = "".join(_row(at, one) for at, one in enumerate(herbs))
    rest = percent(1 - sum(one.share for one in herbs))
    return (
        f'<article class="found" data-id="{secrets.token_hex(4)}">'
        f'<template class="spoken">{_spoken(title, herbs).html}</template><h2>{title.html}</h2>'
        f"<p>{more.html}</p>{warning}<table><thead><tr><th>{t.HERB.html}</th>"
        f"<th>{t.SHARE.html}</th><th>{t.PROBABILITY.html}</th></tr></thead><tbody>{rows}</tbody>"
        f'<tfoot><tr><td>{t.REST.html}</td><td class="number">{html.escape(rest)}</td><td></td>'
        f'</tr></tfoot></table><p class="advice">{texts.NOT_ADVICE.html}</p>'
        f'<p class="by">{texts.MODEL.html} <b>{html.escape(tray.model)}</b> '
        f'<code title="sha256 {tray.sha256}">{tray.sha256[:8]}</code></p></article>'
    )


def _spoken(title: Text, herbs: Iterable["Found"]) -> Text:
    """What is read out: the herbs, and where each of them lies."""
    each = [t.LIES.format(herb_text(one.herb), percent(one.share), _place(one)) for one in herbs]
    return Text(
        f"{title.zh}：{'；'.join(one.zh for one in each)}。",
        f"{title.en}: {'; '.join(one.en for one in each)}.",
    )


def _row(at: int, one: "Found") -> str:
    count = f"{t.PLACES.format(len(one.regions)).html} · " if len(one.regions) > 1 else ""
    places = f'<span class="places">{count}{_place(one).html}</span>'
    return (
        f'<tr data-region="{at}" data-herb="{html.escape(one.herb.zh)}"><td>'
        f'<div><button type="button" class="number-badge" aria-pressed="false" '
        f'style="--colour:{_colour(at)};--ink:{_ink(at)}" '
        f"{t.LIGHT_UP.format(at + 1, herb_text(one.herb)).attribute('aria-label')}>"
        f"{at + 1}</button>"
        f'{names_of(one.herb)}</div><div class="leads">{about_button(one.herb)}{places}</div></td>'
        f'<td class="number">{html.escape(percent(one.share))}'
        f'<span class="bar"><i style="width:{one.share:.1%};background:{_colour(at)}"></i></span>'
        f'</td><td class="number">{html.escape(percent(one.probability))}</td></tr>'
    )


def _place(one: "Found") -> Text:
    """Where in the photo its regions lie."""
    place = where(np.maximum.reduce([region.mask for region in one.regions]))
    assert place is not None  # no mask of a herb is empty
    return Text(place.zh, place.en)


def _label(at: int, one: "Found") -> str:
    """What a herb is called in the legend, which takes one language: a number and both names."""
    name = herb_text(one.herb)
    return f"{at + 1} {name.zh}" + (f" {name.en}" if name.en != name.zh else "")


def _colour(at: int) -> str:
    return COLOURS[at % len(COLOURS)]


def _ink(at: int) -> str:
    """Black or white, whichever is read more easily on the colour."""
    red, green, blue = (int(_colour(at)[k : k + 2], 16) for k in (1, 3, 5))
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "#1b201b"


def _badge(image: Image.Image, mask: np.ndarray, at: int) -> None:
    """Draw the herb's number where the region is widest."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    draw, radius = ImageDraw.Draw(image), max(6.0, BADGE * max(image.size))
    box = (x - radius, y - radius, x + radius, y + radius)
    draw.ellipse(box, fill=_colour(at), outline="white", width=2)
    font = ImageFont.load_default(size=radius * 1.2)
    draw.text((x, y), str(at + 1), fill=_ink(at), font=font, anchor="mm")


def _tray(path: str, session: str) -> "Tray":
    from herbdemo import tray  # importing torch takes seconds; the page does not wait

    photo = open_photo(path)
    recogniser = sandbox.recogniser(session) or model.recogniser()
    with model.turn():
        return tray.look(recogniser, photo)
