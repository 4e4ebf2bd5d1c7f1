"""Where a photo comes from: file, drag and drop, clipboard, camera, or an example.

Gradio's own image input opens every file with Pillow before a handler sees it, so that a HEIC photo
or a broken file ends in an error without words. This one hands over the uploaded file as it is;
`herbdemo.photo` alone opens it. What happens in the browser is in `photo_input.js`.
"""

import html
import os
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData

from herbdemo.errors import HerbError
from herbdemo.photo import open_photo
from herbdemo.ui import texts
from herbdemo.ui.art import HERBARIUM, ICONS
from herbdemo.ui.thumbs import thumb_url, version

HERE = Path(__file__).parent
MOST_EXAMPLES = 9


def script(*names: str) -> str:
    """Files of JavaScript beside this one, one after another, for `js_on_load`."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class PhotoInput(gr.HTML):
    """A photo that a visitor gives. The handler gets the path of the uploaded file, unopened.

    Triggers `photo` when a file was uploaded and `example` (with its `name`) when an example was
    chosen. Gradio itself checks that the path lies in its folder of uploads.

    Args:
        into: elem_id of what shows the answer; it is told what happens here.
        takes: id of the tab that this one is on, when photos answered on others may be looked at
            there, too: they come as if they were given here, with what `data-goto` carried.
    """

    data_model = FileData

    def __init__(
        self, examples: dict[str, Path], *, into: str, takes: str = "", **options: object
    ) -> None:
        super().__init__(
            html_template=_template(examples, into, takes),
            js_on_load=script("camera.js", "photo_input.js"),
            apply_default_css=False,
            **options,
        )

    def preprocess(self, payload: FileData | None) -> str | None:
        return payload.path if payload else None

    def postprocess(self, value: None) -> None:
        return None

    def get_block_name(self) -> str:
        return "html"


def example_photos() -> dict[str, Path]:
    """Photos to try, by name: those of `HERBDEMO_EXAMPLES`, or the ones that come with the code.

    Files that cannot be opened are left out.
    """
    folder = os.environ.get("HERBDEMO_EXAMPLES") or HERE.parent.parent / "examples"
    found = {}
    for path in sorted(Path(folder).glob("*")):
        if path.suffix.lower() not in {".md", ".txt", ""} and path.is_file():
            try:
                open_photo(path, longest=64)
            except HerbError:
                continue
            found[path.name] = path
    return dict(list(found.items())[:MOST_EXAMPLES])


def _template(examples: dict[str, Path], into: str, takes: str) -> str:
    """The markup; it holds no value, so Gradio never draws it again under the visitor's hands."""
    return f"""
<section class="giver" data-into="{into}" data-takes="{takes}">
  <input class="file" type="file" accept="image/*,.heic,.heif,.avif,.tif,.tiff" tabindex="-1"
    {texts.CHOOSE.attribute("aria-label")}>
  <div class="drop">
    {HERBARIUM}
    <div class="invitation">
      <h2>{texts.DROP_TITLE.html}</h2>
      <p>{texts.DROP_WAYS.html}</p>
    </div>
    <div class="ways">
      <button type="button" class="primary" data-way="file">{ICONS["photo"]}
        <span class="first">{texts.CHOOSE.html}</span>
        <span class="again">{texts.ANOTHER.html}</span></button>
      <button type="button" data-way="camera">{ICONS["camera"]}{texts.CAMERA.html}</button>
      <button type="button" data-way="paste">{ICONS["paste"]}{texts.PASTE.html}</button>
    </div>
  </div>
  {_examples(examples)}
  {_tips()}
  <dialog class="camera" {texts.CAMERA.attribute("aria-label")}>
    <video autoplay playsinline muted></video>
    <div class="ways"><button type="button" data-camera="close">{texts.CLOSE.html}</button>
      <button type="button" class="primary" data-camera="take">{texts.SHUTTER.html}</button></div>
  </dialog>
  <div class="hover" aria-hidden="true"><p>{texts.DROP_NOW.html}</p></div>
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


def _tips() -> str:
    items = "".join(
        f"<li><h3>{title.html}</h3><p>{more.html}</p></li>" for title, more in texts.TIPS
    )
    return f'<ol class="tips">{items}</ol>'
