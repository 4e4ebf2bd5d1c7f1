"""Where a photo comes from: file, drag and drop, clipboard, camera, or an example.

Gradio's own image input opens every file with Pillow before a handler sees it, so that a HEIC photo
or a broken file ends in an error without words. This one hands over the uploaded file as it is;
`herbdemo.photo` alone opens it. What happens in the browser is in `photo_input.js`.
"""

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradio.data_classes import FileData

from herbdemo.files import shipped
from herbdemo.ui import texts
from herbdemo.ui.art import HERBARIUM, ICONS
from herbdemo.ui.text import Text
from herbdemo.ui.thumbs import thumb_url, version
from herbdemo.ui.uploads import Uploads

HERE = Path(__file__).parent
MOST_EXAMPLES = 9
PICTURES = "image/*,.heic,.heif,.avif,.tif,.tiff"  # what a file dialog offers


def script(*names: str) -> str:
    """Files of JavaScript beside this one, one after another, for `js_on_load`."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class PhotoInput(Uploads):
    """A photo that a visitor gives. The handler gets the path of the uploaded file, unopened.

    Triggers `photo` when a file was uploaded and `example` (with its `name`) when an example was
    chosen. Gradio itself checks that the path lies in its folder of uploads.

    Args:
        into: elem_id of what shows the answer; it is told what happens here.
        takes: id of the tab that this one is on, when photos answered on others may be looked at
            there, too: they come as if they were given here, with what `data-goto` carried.
        invitation: title and sentence that ask for a photo.
        tips: what else stands there before the first photo: titles and sentences.
    """

    data_model = FileData

    def __init__(
        self,
        examples: dict[str, Path],
        *,
        into: str,
        takes: str = "",
        invitation: tuple[Text, Text] = (texts.DROP_TITLE, texts.DROP_WAYS),
        tips: Sequence[tuple[Text, Text]] = texts.TIPS,
        **options: Any,
    ) -> None:
        super().__init__(
            html_template=_template(examples, into, takes, invitation, tips),
            js_on_load=script("camera.js", "sources.js", "photo_input.js"),
            apply_default_css=False,
            **options,
        )

    def preprocess(self, payload: FileData | None) -> str | None:
        return payload.path if payload else None


def example_photos() -> dict[str, Path]:
    """Photos to try, by name: those of `HERBDEMO_EXAMPLES`, or the ones that come with the code.

    Files that cannot be opened are left out.
    """
    folder = os.environ.get("HERBDEMO_EXAMPLES") or shipped("examples")
    found = {}
    for path in sorted(Path(folder).glob("*")):
        if path.suffix.lower() in {".md", ".txt", ""} or not path.is_file():
            continue
        if thumb_url(str(path), version(path)):  # which is remembered for the page
            found[path.name] = path
        if len(found) == MOST_EXAMPLES:
            break
    return found


def drop_zone(invitation: tuple[Text, Text], choose: Text, again: Text) -> str:
    """Where photos are dropped, with the buttons of the other ways.

    Args:
        invitation: title and sentence. choose: on the first button; again: once there is a photo.
    """
    title, more = invitation
    return f"""
  <div class="drop">
    {HERBARIUM}
    <div class="invitation">
      <h2>{title.html}</h2>
      <p>{more.html}</p>
    </div>
    <div class="ways">
      <button type="button" class="primary" data-way="file">{ICONS["photo"]}
        <span class="first">{choose.html}</span>
        <span class="again">{again.html}</span></button>
      <button type="button" data-way="camera">{ICONS["camera"]}{texts.CAMERA.html}</button>
      <button type="button" data-way="paste">{ICONS["paste"]}{texts.PASTE.html}</button>
    </div>
  </div>
  <dialog class="camera" {texts.CAMERA.attribute("aria-label")}>
    <video autoplay playsinline muted></video>
    <div class="ways"><button type="button" data-camera="close">{texts.CLOSE.html}</button>
      <button type="button" class="primary" data-camera="take">{texts.SHUTTER.html}</button></div>
  </dialog>
  <div class="hover" aria-hidden="true"><p>{texts.DROP_NOW.html}</p></div>"""


def _template(
    examples: dict[str, Path],
    into: str,
    takes: str,
    invitation: tuple[Text, Text],
    tips: Sequence[tuple[Text, Text]],
) -> str:
    """The markup; it holds no value, so Gradio never draws it again under the visitor's hands."""
    return f"""
<section class="giver" data-into="{into}" data-takes="{takes}">
  <input class="file" type="file" accept="{PICTURES}" tabindex="-1"
    {texts.CHOOSE.attribute("aria-label")}>
  {drop_zone(invitation, texts.CHOOSE, texts.ANOTHER)}
  {_examples(examples)}
  {_tips(tips)}
</section>"""


def _examples(examples: dict[str, Path]) -> str:
    if not examples:
        return ""
    thumbs = "".join(
        f'<button type="button" data-example="{html.escape(name)}">'
        f'<img src="{thumb_url(str(path), version(path))}" width="88" height="88" '
        f"{texts.EXAMPLE.format(number).attribute('alt')}></button>"
        for number, (name, path) in enumerate(examples.items(), start=1)
    )
    return f'<div class="examples"><p>{texts.EXAMPLES.html}</p><div>{thumbs}</div></div>'


def _tips(tips: Sequence[tuple[Text, Text]]) -> str:
    items = "".join(f"<li><h3>{title.html}</h3><p>{more.html}</p></li>" for title, more in tips)
    return f'<ol class="tips">{items}</ol>'
