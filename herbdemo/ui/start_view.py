"""The form that starts a learning -> HTML."""

import html
from collections.abc import Mapping

from herbdemo.ui import texts_learn as t
from herbdemo.ui.text import Text


def start_html(
    *, photos: int, herbs: int, name: str, running: bool, only_head: bool = False
) -> str:
    """What will be learnt and how; nothing while a job is running, which has its own card.

    Args:
        photos, herbs: of the library.
        name: suggested for the new model.
        only_head: nothing but the last layer can be learnt here.
    """
    if running:
        return ""
    header = f"<header><h3>{t.START_TITLE.html}</h3>"
    if not herbs:
        return (
            f'<section class="card start">{header}</header>'
            f'<p class="quiet-words">{t.START_NOTHING.html}</p></section>'
        )
    presets = {"quick": t.PRESETS["quick"]} if only_head else t.PRESETS
    chosen, properly = ("quick", t.ONLY_HEAD) if only_head else ("standard", t.PROPERLY_MORE)
    return (
        f'<section class="card start">{header}<p>{t.START_WHAT.format(photos, herbs).html}</p>'
        f'</header><form data-act="start">'
        f'<div class="modes">{_mode("seconds", t.SECONDS, t.SECONDS_MORE, checked=True)}'
        f"{_mode('properly', t.PROPERLY, properly)}</div>"
        f'<div class="details">{_choice("preset", t.PRESET, presets, chosen)}'
        f"{_choice('init', t.INIT, t.INITS, 'active')}"
        f'<label><span>{t.EPOCHS.html}</span><input type="number" name="epochs" min="1" max="500" '
        f"{t.EPOCHS_AUTO.attribute('placeholder')}></label></div>"
        f'<div class="go"><label><span>{t.MODEL_NAME.html}</span>'
        f'<input type="text" name="name" value="{html.escape(name)}" maxlength="64" required '
        f'pattern="[a-z0-9][a-z0-9._\\-]*" spellcheck="false" autocomplete="off"></label>'
        f'<button type="submit" class="primary"><span>{t.START.html}</span></button></div>'
        "</form></section>"
    )


def _mode(value: str, name: Text, more: Text, *, checked: bool = False) -> str:
    return (
        f'<label class="mode"><input type="radio" name="mode" value="{value}"'
        f"{' checked' if checked else ''}><span><b>{name.html}</b>{more.html}</span></label>"
    )


def _choice(name: str, label: Text, choices: Mapping[str, Text], chosen: str) -> str:
    """One of a few, as a row of radio buttons: an <option> could not speak two languages."""
    items = "".join(
        f'<label><input type="radio" name="{name}" value="{value}"'
        f"{' checked' if value == chosen else ''}><span>{text.html}</span></label>"
        for value, text in choices.items()
    )
    return f"<fieldset><legend>{label.html}</legend>{items}</fieldset>"
