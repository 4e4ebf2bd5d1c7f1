"""What to be careful about -> HTML, beside an answer. Pure functions, no Gradio."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from herbdemo.caution import POISON, STRANGER, TWIN_POISON, TWINS, Caution, cautions
from herbdemo.herbs import Herb
from herbdemo.ui import texts
from herbdemo.ui import texts_herbs as t
from herbdemo.ui.candidates import about_button, herb_text, herbs_text, percent
from herbdemo.ui.pictures import map_size, map_url
from herbdemo.ui.text import Text

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.recognise import Answer


def cautions_html(answer: "Answer", photo: tuple[int, int]) -> str:
    """The cautions on an answer, the gravest first; "" where there are none.

    Args:
        photo: width and height of the photo as it is shown.
    """
    found = cautions(answer.candidates, answer.verdict, known=answer.herbs)
    strangers = [caution for caution in found if caution.kind == STRANGER]
    items = [_caution(answer, caution, photo) for caution in found if caution.kind != STRANGER]
    items += [_strangers(strangers)] if strangers else []
    if not items:
        return ""
    label = t.CAUTIONS.attribute("aria-label")
    return f'<ul class="cautions" role="note" {label}>{"".join(items)}</ul>'


def _caution(answer: "Answer", caution: Caution, photo: tuple[int, int]) -> str:
    herb, other = caution.herb, caution.other
    if caution.kind == POISON:
        return _item("grave", _poison(answer, herb), [herb])
    if caution.kind == TWIN_POISON:
        said = t.TWIN_POISON_KNOWN if caution.known else t.TWIN_POISON_UNSEEN
        return _item(
            "grave", said.format(herb_text(herb), herb_text(other), _class(other)), [other]
        )
    assert caution.kind == TWINS
    duel = _duel(answer, herb, other, photo)
    return _item("twins", t.TWINS.format(herb_text(herb), herb_text(other)), [herb, other], duel)


def _strangers(found: Sequence[Caution]) -> str:
    """All herbs that the model never saw in one sentence: some herbs have half a dozen."""
    others = [caution.other for caution in found]
    said = t.STRANGER.format(herb_text(found[0].herb), herbs_text(others))
    return _item("twins", said, others)


def _poison(answer: "Answer", herb: Herb) -> Text:
    first, *rest = answer.candidates
    if herb == first.herb and answer.verdict != "unknown":
        return t.POISON_FIRST.format(herb_text(herb), _class(herb))
    odds = {item.herb: item.probability for item in (first, *rest)}
    return t.POISON_POSSIBLE.format(herb_text(herb), percent(odds[herb]), _class(herb))


def _class(herb: Herb) -> Text:
    return texts.POISON[herb.toxic]


def _duel(answer: "Answer", herb: Herb, other: Herb, photo: tuple[int, int]) -> str:
    """The contrast map in small; where one of the two is the first, pressing it shows it large."""
    values = answer.contrast(herb.zh, other.zh)
    alt = texts.CONTRAST_ALT.format(herb_text(herb), herb_text(other))
    picture = (
        f'<span class="thumb"><img src="{map_url(values, map_size(photo), "contrast")}" '
        f"{alt.attribute('alt')}></span>"
    )
    ids = [item.herb.zh for item in answer.candidates]
    if herb.zh != ids[0]:
        return picture
    return (
        f'<button type="button" class="duel" data-index="{ids.index(other.zh)}" '
        f'data-mode="contrast" {t.TWINS_MAP.attribute("title")}>{picture}'
        f"<span>{t.TWINS_MAP.html}</span></button>"
    )


def _item(kind: str, said: Text, herbs: Sequence[Herb], duel: str = "") -> str:
    said = Text(said.zh, said.en[:1].upper() + said.en[1:])  # it may begin with a herb's name
    leads = "".join(about_button(herb, herb_text(herb), kind="lead") for herb in herbs)
    return (
        f'<li class="caution {kind}">{_SIGN}<div><p>{said.html}</p> '
        f'<span class="leads">{leads}</span>{duel}</div></li>'
    )


_SIGN = (
    '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" fill="none" '
    'stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">'
    '<path d="M12 3.5 22 20.5H2zM12 10v4.6M12 17.6v.1"/></svg>'
)
