"""The Explain tab as HTML. Pure functions, no Gradio.

A map travels as its numbers; the browser gives it colours, so that colours, opacity and scale
change at once and without the server.
"""

import html
import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from herbdemo.heatmap import contours, shrunk
from herbdemo.herbs import Herb, by_pinyin, herb_named
from herbdemo.ui import texts
from herbdemo.ui import texts_explain as t
from herbdemo.ui.candidates import herb_text, percent
from herbdemo.ui.curves import Curve, chart
from herbdemo.ui.map_words import contrast_words
from herbdemo.ui.pictures import data_url, map_html
from herbdemo.ui.result import PHOTO_SIDE
from herbdemo.ui.result_view import templates_html
from herbdemo.ui.text import Text
from herbdemo.where import where as where_bright

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.faithful import Faithfulness

METHODS = tuple(method for method in t.METHODS if method != "contrast")
SLOW = ("ablation-cam", "score-cam")
MOST = 12  # maps at a time; more cannot be compared at a glance
LEVELS = (0.25, 0.5, 0.75)
COLOURS = ("ember", "dusk", "grey")


class Key(NamedTuple):
    """What makes one map: how it is made, and of which herbs."""

    method: str
    layer: str
    herb: str
    against: str = ""

    def __str__(self) -> str:
        return "|".join(self)


class Map(NamedTuple):
    """One map to be shown: `values` (h, w) in 0..1, or -1..1 for a contrast, and the raw scale."""

    key: Key
    values: np.ndarray
    peak: float = 1.0
    low: float = 0.0


def lens_html() -> str:
    """What the tab holds before there is a photo, and what the browser shows there by itself."""
    views = {
        "pending": f'<article class="waiting" role="status"><h2>{texts.WORKING.html}</h2>'
        '<span class="meter unknown"><i></i></span></article>',
        "slow": _slow_html(),
        "measuring": f'<p class="phase" role="status">{t.MEASURING.html}</p>'
        '<span class="meter unknown"><i></i></span>',
        "most": f"<p>{t.MOST_MAPS.format(MOST).html}</p>",
    }
    return f'<div class="lens result" data-most="{MOST}"></div>{templates_html(views)}'


def desk_html(
    photo: Image.Image,
    sha256: str,
    herbs: Sequence[str],
    probabilities: np.ndarray,
    *,
    chosen: str,
    against: str = "",
    example: str = "",
) -> str:
    """The photo, and all that can be asked about it.

    Args:
        herbs, probabilities: of the model, in the same order; the latter (herbs,), 0..1.
        chosen, against: what is asked first.
        example: name of the photo if it is one of the examples; goes back with every request.
    """
    shown = shrunk(photo, PHOTO_SIDE)
    width, height = shown.size
    thumb = data_url(shrunk(shown, 288), "jpeg", quality=78)
    order = np.argsort(-probabilities)
    odds = {herbs[k]: percent(float(probabilities[k])) for k in order[:5]}
    return (
        f'<article class="desk" data-part="desk" data-id="{secrets.token_hex(4)}" '
        f'data-photo="{sha256}" data-example="{html.escape(example)}" '
        f'style="--ratio:{width / height:.4f};--thumb:url({thumb})"><section class="stage">'
        f'<figure class="plate"><img class="photo" src="{data_url(shown, "jpeg", quality=86)}" '
        f'width="{width}" height="{height}" {texts.PHOTO_ALT.attribute("alt")}>'
        '<herb-map class="map" role="img" aria-label=""></herb-map>'
        '<svg class="lines" viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">'
        "<path/></svg></figure>"
        '<div class="words" role="status"></div>'
        f'<div class="legend"><p class="scale evidence">{t.WEAK.html}<i></i>{t.STRONG.html}</p>'
        '<p class="scale contrast"><b class="minus"></b><i></i><b class="plus"></b></p></div>'
        f"{_tools()}"
        f'<section class="faith"><h3>{t.FAITH.html}</h3><div class="found"></div></section>'
        f'</section><section class="bench"><h2>{t.TITLE.html}</h2>'
        f'<div class="ask"><label><span>{t.HERB.html}</span>'
        f'<select name="herb" data-han>{_options(herbs, odds, chosen)}</select></label>'
        f'<label><span>{t.AGAINST.html}</span><select name="against" data-han>'
        f'<option value="" {t.NOBODY.attribute("label")}>–</option>'
        f"{_options(herbs, odds, against, chosen)}</select></label></div>"
        f"{_chips(t.METHOD, 'method', {m: t.METHODS[m] for m in METHODS}, 'grad-cam')}"
        f"{_chips(t.LAYER, 'layer', t.LAYERS, 'layer4')}"
        f'<p class="hint">{t.LAYERS_MORE.html}</p><p class="too-many" role="alert" hidden></p>'
        f'<ul class="gallery" {t.GALLERY.attribute("aria-label")}></ul></section></article>'
    )


def cards_html(maps: Iterable[Map]) -> str:
    """Maps as items for the gallery."""
    return f'<ul data-part="cards">{"".join(map(_card, maps))}</ul>'


def running_html(key: Key, share: float | None) -> str:
    """How far a slow map is; None while it waits for its turn."""
    said = t.WAITS if share is None else t.RUNS.format(round(share * 100))
    kind, width = ("unknown", 30) if share is None else ("", share * 100)
    return (
        f'<div data-part="running" data-key="{html.escape(str(key))}">'
        f'<p class="phase">{said.html}</p><span class="meter {kind}" role="progressbar" '
        f"{t.METHODS[key.method].attribute('aria-label')} "
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{round((share or 0) * 100)}">'
        f'<i style="width:{width:.1f}%"></i></span></div>'
    )


def stopped_html(key: Key) -> str:
    """That a slow map was given up."""
    return (
        f'<div data-part="stopped" data-key="{html.escape(str(key))}" '
        f'data-id="{secrets.token_hex(4)}"><p class="phase">{t.STOPPED.html}</p></div>'
    )


def faith_html(key: Key, found: "Faithfulness | Text") -> str:
    """How faithful a map is, or why that cannot be asked."""
    inner = f"<p>{found.html}</p>" if isinstance(found, Text) else _faith(key, found)
    return f'<div data-part="faith" data-key="{html.escape(str(key))}">{inner}</div>'


# Asking


def _options(herbs: Sequence[str], odds: dict[str, str], chosen: str, of: str = "") -> str:
    """The herbs in groups; with `of`, those that are confused with it first."""
    alike = [h for h in herb_named(of).confused_with if h in herbs] if of else []
    likely = [herb for herb in odds if herb not in alike]
    rest = [herb for herb in herbs if herb not in (*alike, *likely)]
    rest.sort(key=lambda herb: by_pinyin(herb_named(herb)))
    confused = t.LOOKALIKES.format(herb_text(herb_named(of))) if of else t.LOOKALIKES
    groups = ((confused, alike), (t.LIKELY, likely), (t.OTHERS, rest))
    return "".join(
        f"<optgroup {title.attribute('label')}>"
        + "".join(_option(herb_named(herb), odds.get(herb, ""), herb == chosen) for herb in some)
        + "</optgroup>"
        for title, some in groups
        if some
    )


def _option(herb: Herb, odds: str, chosen: bool) -> str:
    names = " · ".join(html.escape(name) for name in (herb.zh, herb.pinyin, herb.en) if name)
    value = html.escape(herb.zh)
    more = f" · {odds}" if odds else ""
    return f'<option value="{value}"{" selected" if chosen else ""}>{names}{more}</option>'


def _chips(title: Text, name: str, items: dict[str, Text], chosen: str) -> str:
    chips = "".join(
        f'<button type="button" data-{name}="{key}" '
        f'aria-pressed="{"true" if key == chosen else "false"}">{label.html}'
        f"{'<i></i>' if key in SLOW else ''}</button>"
        for key, label in items.items()
    )
    return f'<fieldset class="toggles"><legend>{title.html}</legend><div>{chips}</div></fieldset>'


def _tools() -> str:
    colours = "".join(
        f'<button type="button" data-colours="{name}" aria-pressed="false" '
        f"{t.COLOUR_NAMES[name].attribute('aria-label')} "
        f'{t.COLOUR_NAMES[name].attribute("title")}><i class="{name}"></i></button>'
        for name in COLOURS
    )
    return (
        f'<div class="tools"><label class="opacity"><span>{t.OPACITY.html}</span>'
        '<input type="range" min="0" max="100" value="75"></label>'
        f'<div class="colours" role="group" {t.COLOURS.attribute("aria-label")}>{colours}</div>'
        f'<button type="button" class="toggle" data-switch="lines" aria-pressed="false" '
        f"{t.LINES_MORE.attribute('title')}>{t.LINES.html}</button>"
        f'<button type="button" class="toggle" data-switch="shared" aria-pressed="false" '
        f"{t.SCALE_MORE.attribute('title')}>{t.SCALE.html}</button></div>"
    )


def _slow_html() -> str:
    return (
        '<li class="map-card slow"><div class="mini"></div><p class="name"></p>'
        f'<div class="work"><p>{t.SLOW.html}</p>'
        f'<button type="button" class="primary" data-start>{t.START.html}</button></div>'
        '<div class="run" hidden><div class="share"></div>'
        f'<button type="button" data-stop>{t.STOP.html}</button></div></li>'
    )


# Maps


def _card(one: Map) -> str:
    key, values = one.key, one.values
    herb, other = (herb_text(herb_named(name or key.herb)) for name in (key.herb, key.against))
    signed, empty = key.method == "contrast", not values.any()
    levels = (-0.5, 0.5) if signed else LEVELS
    caption, about = _words(key, herb, other)
    if empty:
        where = t.EMPTY_MORE.format(herb)
    elif signed:
        where = contrast_words(herb, other, values)
    else:
        where = t.BRIGHT.format(where_bright(values))
    layer_name, method = t.LAYERS[key.layer], t.METHODS[key.method]
    alt = t.ALT.format(herb, method, layer_name, where)
    note = f'<em class="none">{t.EMPTY.html}</em>' if empty else ""
    return (
        f'<li class="map-card" data-key="{html.escape(str(key))}" data-group="{key.method}|'
        f'{key.layer}" data-peak="{one.peak:.6g}" data-low="{one.low:.6g}"'
        f"{' data-signed' if signed else ''}{' data-empty' if empty else ''} "
        f'data-lines="{_path(values, levels)}">'
        '<button type="button" aria-pressed="false"><span class="mini">'
        f"{map_html(values, alt, table='contrast' if signed else COLOURS[0])}"
        '<svg class="lines" viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">'
        f'<path/></svg></span><span class="name"><b>{method.html}</b>'
        f"<small>{layer_name.html} · {herb.html}</small>{note}</span></button>"
        f'<div class="words" hidden><p class="caption"><b>{caption.html}</b> '
        f"<span>{method.html} · {layer_name.html}</span></p>"
        f"<p>{where.html}</p>{'' if empty else f'<p>{about.html}</p>'}</div>"
        f'<b data-end="plus" hidden>{herb.html}</b><b data-end="minus" hidden>{other.html}</b></li>'
    )


def _words(key: Key, herb: Text, other: Text) -> tuple[Text, Text]:
    about = t.ABOUT[key.method]
    if key.method == "contrast":
        return t.CAPTION_CONTRAST.format(herb, other), about.format(herb, other)
    if key.method == "finer-cam" and key.against:
        return t.CAPTION_FINER.format(herb, other), about.format(other)
    return t.CAPTION.format(herb), about.format(other)


def _path(values: np.ndarray, levels: Sequence[float]) -> str:
    lines = np.concatenate(contours(values, levels, cells=48))
    return "".join(
        f"M{a} {b}L{c} {d}" for a, b, c, d in (lines * 1000).round().astype(int).reshape(-1, 4)
    )


# Faithfulness


def _faith(key: Key, found: "Faithfulness") -> str:
    from herbdemo.faithful import SHARES, STEPS

    at = found.said
    asked = (found.whole, found.most[at], found.least[at], found.elsewhere[at])
    whole, most, least, elsewhere = map(percent, asked)
    said = t.SAID[found.verdict].format(
        herb=herb_text(herb_named(key.herb)),
        share=f"{SHARES[at]:.0%}",
        whole=whole,
        most=most,
        least=least,
        elsewhere=elsewhere,
    )
    curves = (
        Curve(t.DELETION, "train", list(zip(100 * np.array(STEPS), found.deletion, strict=True))),
        Curve(t.INSERTION, "val", list(zip(100 * np.array(STEPS), found.insertion, strict=True))),
    )
    shares = "".join(f"<th>{share:.0%}</th>" for share in SHARES)
    rows = "".join(
        f"<tr><th>{name.html}</th>"
        + "".join(f"<td>{html.escape(percent(p))}</td>" for p in row)
        + "</tr>"
        for name, row in (
            (t.ROAD_MOST, found.most),
            (t.ROAD_LEAST, found.least),
            (t.ROAD_ELSEWHERE, found.elsewhere),
        )
    )
    road = t.ROAD_MORE.format(" / ".join(f"{share:.0%}" for share in SHARES))
    return (
        f'<p class="said"><b class="seal-word {found.verdict}">{t.VERDICTS[found.verdict].html}</b>'
        f"{said.html}</p><details open><summary>{t.DETAILS.html}</summary>"
        f"{chart(t.CURVES, curves, until=100, share=True, along=t.AREA)}"
        f"<dl><div><dt>{t.ROAD.html}</dt>"
        f"<dd>{found.road:+.2f} <small>{road.html}</small></dd></div>"
        f"<div><dt>{t.DELETION_AUC.html}</dt><dd>{found.deletion_auc:.2f} "
        f"<small>{t.LOWER.html}</small></dd></div>"
        f"<div><dt>{t.INSERTION_AUC.html}</dt><dd>{found.insertion_auc:.2f} "
        f"<small>{t.HIGHER.html}</small></dd></div></dl>"
        f'<div class="wide"><table><tr><th>{t.ROAD_SHARE.html}</th>{shares}</tr>'
        f"{rows}</table></div>"
        f'<p class="hint">{t.FAITH_HOW.html}</p></details>'
    )
