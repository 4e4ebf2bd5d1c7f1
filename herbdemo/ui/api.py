"""What programs and agents may call: the named endpoints, for `gradio_client`, HTTP and MCP.

The docstrings are what an agent reads before it calls. Nothing here changes a model, the library or
anything else that stays; docs/api.md shows each call in Python, curl and JavaScript.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image

from herbdemo.errors import HerbError
from herbdemo.heatmap import overlay
from herbdemo.herbs import Herb, find, herb_named, namesakes, search
from herbdemo.traditional import traditional
from herbdemo.ui import model, texts
from herbdemo.ui import texts_api as t
from herbdemo.ui.candidates import herb_text
from herbdemo.ui.caution_view import caution_texts
from herbdemo.ui.remote import PhotoFile, spoken
from herbdemo.ui.text import Text
from herbdemo.ui.uploads import UploadsOnly
from herbdemo.where import Where, where

if TYPE_CHECKING:
    from herbdemo.recognise import Answer, Recogniser

SIDE = 640  # pixels of a picture; some agents refuse a result of more than 1 MB, in base64
MOST_FOUND = 20  # herbs for one query


class Word(UploadsOnly, gr.Textbox):
    """Text that a program gives; null is none."""

    def get_block_name(self) -> str:
        return "textbox"

    def preprocess(self, payload: str | None) -> str:
        return super().preprocess(payload) or ""


def build() -> None:
    """Add the endpoints to the current Blocks; they show nothing on the page."""
    with gr.Column(visible=False):
        photo = PhotoFile(label="photo")
        herb = Word("", label="herb")  # a value makes the parameter optional
        query = Word("", label="query")
        a, b = Word(label="a"), Word(label="b")
        found = gr.JSON(label="result")
        picture = gr.Image(label="picture", format="jpeg")
        call = gr.Button()
    for function, given, gives in (
        (recognise_herb, [photo], [found]),
        (explain_herb, [photo, herb], [picture, found]),
        (compare_herbs, [photo, a, b], [picture, found]),
        (list_herbs, [query], [found]),
    ):
        call.click(function, given, gives, api_name=function.__name__, **model.QUEUE)


def recognise_herb(photo: str) -> dict[str, Any]:
    """Recognise the Chinese herbal medicine in a photo of one herb: dried pieces or a fresh plant.

    Gives the five most probable herbs, "candidates", with Chinese, pinyin, Latin and English names
    and calibrated probabilities from 0 to 1. Read "verdict" before you name one: "certain";
    "unsure", when they must be told apart by other means (compare_herbs shows what speaks for
    which); "unknown", when the photo shows no herb of this model and no candidate is an answer.
    Pass on "cautions" (poisons and look-alikes) and "note". Never let it decide what someone may
    eat or take.

    Args:
        photo: One herb, as an http(s) or data: address or an upload; any usual format, up to 50 MB.

    Returns:
        JSON: verdict, candidates, cautions, note, model, sha256 (of the model), ms, stages, file.
    """
    answer = _answer(photo)
    said = answer.to_dict(Path(photo).name)
    spare = [t.UNKNOWN] if answer.verdict == "unknown" else []
    return said | {
        "cautions": _said(*spare, *caution_texts(answer)),
        "note": _each_language(texts.NOT_ADVICE),
    }


def explain_herb(photo: str, herb: str = "") -> tuple[Image.Image, dict[str, Any]]:
    """Show where in a photo the evidence for a herb lies, as a picture and in words.

    The picture is the photo under the herb's Grad-CAM heatmap, bright where it speaks for the herb;
    "words" says where that is, or that there is no positive evidence; "where" is that place alone,
    as in "in the upper left", and "share" how much of the photo is at least half as bright as its
    brightest spot. It tells what the network looked at,
    not that it was right to. Pass on "cautions" and "note".

    Args:
        photo: One herb, as an http(s) or data: address or an upload; any usual format, up to 50 MB.
        herb: Any name of a herb of the model, see list_herbs; empty for the most probable one.

    Returns:
        The picture as JPEG
        JSON: herb, probability, positive_evidence, share, where, words, verdict, cautions, note,
        model, sha256; sentences in zh, zh_hant and en.
    """
    answer = _answer(photo)
    wanted = _herb(answer.herbs, herb) if herb.strip() else answer.candidates[0].herb
    values = answer.heatmap(wanted.zh)
    place = where(values)
    said = {
        "herb": _names(wanted),
        "probability": round(answer.probability(wanted.zh), 6),
        "positive_evidence": place is not None,
        "share": round(place.share, 3) if place else 0.0,
        "where": _each_language(Text(place.zh, place.en)) if place else None,
        "words": _each_language(_lies(wanted, place)),
    }
    return overlay(answer.photo.image, values, longest=SIDE), said | _about(answer)


def compare_herbs(photo: str, a: str, b: str) -> tuple[Image.Image, dict[str, Any]]:
    """Show which parts of a photo speak for herb a and which for herb b, in a picture and in words.

    For a verdict "unsure", or to tell a herb from its look-alike. The picture is the photo under
    the contrast map: orange where it speaks for a, blue where it speaks for b. "words" says the
    same, with both probabilities and whether the two are known to be mistaken for each other. Pass
    on "cautions" and "note".

    Args:
        photo: One herb, as an http(s) or data: address or an upload; any usual format, up to 50 MB.
        a: Any name of a herb of the model, see list_herbs.
        b: Any name of another herb of the model.

    Returns:
        The picture as JPEG
        JSON: a, b (names, probability), look_alikes, words, verdict, cautions, note, model, sha256.
    """
    answer = _answer(photo)
    first, second = _herb(answer.herbs, a), _herb(answer.herbs, b)
    if first.zh == second.zh:
        raise spoken(HerbError(*t.SAME_HERB.format(herb_text(first)), hint="same-herb"))
    values = answer.contrast(first.zh, second.zh)
    odds = {herb: answer.probability(herb.zh) for herb in (first, second)}
    twins = second.zh in first.confused_with
    words = [
        _speaks(first, second, where(values)),
        _speaks(second, first, where(-values)),
        t.EACH.format(*(x for herb, p in odds.items() for x in (herb_text(herb), f"{p:.1%}"))),
    ]
    if twins:
        words.append(t.LOOK_ALIKE.format(herb_text(first), herb_text(second)))
    said = {
        "a": {**_names(first), "probability": round(odds[first], 6)},
        "b": {**_names(second), "probability": round(odds[second], 6)},
        "look_alikes": twins,
        "words": _each_language(Text("".join(w.zh for w in words), " ".join(w.en for w in words))),
    }
    picture = overlay(answer.photo.image, values, longest=SIDE, colormap="contrast")
    return picture, said | _about(answer)


def list_herbs(query: str = "") -> dict[str, Any]:
    """List the herbs that the model can recognise, or search all herbs that have a name here.

    "in_model" says whether the model can recognise a herb; "toxic" is "slightly toxic", "toxic",
    "highly toxic", or "" where it is not listed as toxic, which is no promise of safety;
    "look_alikes" are herbs that it is known to be mistaken for.

    Args:
        query: Part of any name: Chinese, pinyin, its initials (jyh), Latin, English; empty for all.

    Returns:
        JSON: herbs (zh, pinyin, latin, en, part, toxic, look_alikes, in_model), model, sha256.
    """
    used = _recogniser()
    herbs = search(query, limit=MOST_FOUND, also=used.herbs) if query.strip() else used.herbs
    known = set(used.checkpoint.herbs)
    return {
        "herbs": [_facts(herb) | {"in_model": herb.zh in known} for herb in herbs],
        "model": used.checkpoint.id,
        "sha256": used.checkpoint.sha256,
        "note": _each_language(texts.NOT_ADVICE),
    }


# From a call to an answer


def _answer(photo: str | None) -> "Answer":
    try:
        if not photo:
            raise HerbError(*t.NO_PHOTO, hint="no-photo")
        return model.recognise(photo)
    except HerbError as error:
        raise spoken(error) from None


def _recogniser() -> "Recogniser":
    try:
        return model.recogniser()
    except HerbError as error:
        raise spoken(error) from None


def _herb(known: tuple[str, ...], name: str) -> Herb:
    """The herb of the model that is called `name`; where several are, the only one it knows."""
    found = find(name)
    called = {herb.zh for herb in ([found] if found else namesakes(name))} | {name.strip()}
    if len(of_model := called & set(known)) == 1:
        return herb_named(of_model.pop())
    raise spoken(HerbError(*t.NO_SUCH_HERB.format(name[:40]), hint="herb-not-in-model"))


# From an answer to JSON


def _about(answer: "Answer") -> dict[str, Any]:
    """What every explanation says of the answer beside it."""
    return {
        "verdict": answer.verdict,
        "cautions": _said(*caution_texts(answer)),
        "note": _each_language(texts.NOT_ADVICE),
        "model": answer.model,
        "sha256": answer.sha256,
    }


def _lies(herb: Herb, place: Where | None) -> Text:
    if place is None:
        return t.NO_EVIDENCE.format(herb_text(herb))
    return t.LIES.format(herb_text(herb), place, f"{place.share:.0%}")


def _speaks(herb: Herb, other: Herb, place: Where | None) -> Text:
    if place is None:
        return t.SPEAKS_NOT.format(herb_text(herb), herb_text(other))
    return t.SPEAKS.format(place, herb_text(herb), herb_text(other))


def _names(herb: Herb) -> dict[str, str]:
    return {
        "zh": herb.zh,
        "zh_hant": herb.name("zh-Hant"),
        "pinyin": herb.pinyin,
        "latin": herb.latin,
        "en": herb.en,
    }


def _facts(herb: Herb) -> dict[str, Any]:
    return _names(herb) | {
        "part": herb.part,
        "toxic": herb.toxic,
        "look_alikes": list(herb.confused_with),
    }


def _said(*sentences: Text) -> list[Mapping[str, str]]:
    return [_each_language(sentence) for sentence in sentences]


def _each_language(sentence: Text) -> Mapping[str, str]:
    return {"zh": sentence.zh, "zh_hant": traditional(sentence.zh), "en": sentence.en}
