"""Where photos to learn from come in: many of one herb, from files or the camera, or a zip.

As on the Identify tab the uploaded files are handed over unopened. A zip may be larger than one
upload may be: the browser sends it in parts.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradio.data_classes import ListFiles

from herbdemo.archive import MAX_TOTAL
from herbdemo.errors import HerbError
from herbdemo.ui import texts, texts_learn
from herbdemo.ui.art import ICONS
from herbdemo.ui.names import name_field
from herbdemo.ui.photo_input import script
from herbdemo.ui.text import Text
from herbdemo.ui.uploads import Uploads

MOST = 2000  # photos in one go: each is an upload of its own


class Giver(Uploads):
    """Photos or a zip. The handler gets the paths of the uploaded files, in order.

    Triggers `act`: "photos" with the herb's name, and with `cut` where more than `MOST` were
    chosen; or "zip".
    """

    data_model = ListFiles

    def __init__(self, template: str, **options: Any) -> None:
        super().__init__(
            html_template=template,
            js_on_load=script("camera.js", "giver.js"),
            apply_default_css=False,
            **options,
        )

    def preprocess(self, payload: ListFiles | None) -> list[str]:
        return [file.path for file in payload] if payload else []


def left_out(data: Mapping[str, str]) -> Text | None:
    """What to say where the browser has left photos out; None where it has not."""
    return texts_learn.ONLY_SO_MANY.format(f"{MOST:,}") if data.get("cut") else None


@contextlib.contextmanager
def joined(parts: Sequence[str]) -> Iterator[Path]:
    """One file again of the parts that the browser sent, for as long as it is needed.

    Raises:
        HerbError: together they are larger than any zip may be; nothing is copied.
    """
    if sum(os.path.getsize(part) for part in parts) > MAX_TOTAL:
        raise HerbError(*texts_learn.ZIP_TOO_LARGE.format(MAX_TOTAL >> 30), hint="zip-too-large")
    if len(parts) == 1:
        yield Path(parts[0])
        return
    with tempfile.NamedTemporaryFile(suffix=".zip") as whole:
        for part in parts:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, whole)
        whole.flush()
        yield Path(whole.name)


def photos_and_zip() -> str:
    """The markup of the Learn tab's giver: photos of one herb, and beside it a zip."""
    camera = (
        '<button type="button" data-way="camera">'
        f"{ICONS['camera']}{texts_learn.SHOOT.html}</button>"
    )
    hint = f'<p class="hint" hidden role="alert">{texts_learn.HERB_NAME_FIRST.html}</p>'
    ask = name_field() + hint
    return f"""
<section class="piece givers" data-most="{MOST}">
  {photos_card(texts_learn.GIVE_HERB, texts_learn.GIVE_HERB_MORE, ask=ask, ways=camera)}
  {zip_card(texts_learn.GIVE_ZIP, texts_learn.GIVE_ZIP_MORE)}
  <dialog class="camera" {texts_learn.SHOOT.attribute("aria-label")}>
    <video autoplay playsinline muted></video>
    <div class="shots"></div>
    <div class="ways"><button type="button" data-camera="close">{texts.CLOSE.html}</button>
      <button type="button" data-camera="take">{texts.SHUTTER.html}</button>
      <button type="button" class="primary" data-camera="done">{texts_learn.SHOT_DONE.html}
        <b></b></button></div>
  </dialog>
  {status()}
</section>"""


def only_zip() -> str:
    """The markup of the Models tab's giver: a model's zip."""
    card = zip_card(texts_learn.IMPORT, texts_learn.IMPORT_MORE)
    return f'<section class="piece givers slim">{card}{status()}</section>'


def photos_card(title: texts.Text, more: texts.Text, *, ask: str = "", ways: str = "") -> str:
    """The markup of what takes photos; `ask` is asked first, `ways` are more ways to give them."""
    return f"""
  <div class="card give" data-give="photos">
    {ICONS["photo"]}
    <h3>{title.html}</h3>
    <p>{more.html}</p>
    {ask}
    <div class="ways"><button type="button" class="primary" data-way="photos">
      <span>{texts_learn.CHOOSE_PHOTOS.html}</span></button>{ways}</div>
    <input type="file" multiple accept="image/*,.heic,.heif,.avif,.tif,.tiff" tabindex="-1"
      {texts_learn.CHOOSE_PHOTOS.attribute("aria-label")}>
  </div>"""


def zip_card(title: texts.Text, more: texts.Text) -> str:
    """The markup of a card that takes a zip."""
    return f"""
  <div class="card give" data-give="zip">
    {ICONS["zip"]}
    <h3>{title.html}</h3>
    <p>{more.html}</p>
    <div class="ways"><button type="button" data-way="zip">{texts_learn.CHOOSE_ZIP.html}</button>
    </div>
    <input type="file" accept=".zip,application/zip" tabindex="-1"
      {texts_learn.CHOOSE_ZIP.attribute("aria-label")}>
  </div>"""


def status() -> str:
    """The markup of what a giver says of its upload."""
    return f"""
  <div class="status" role="status" hidden>
    <p data-say="upload" hidden>{texts_learn.UPLOADING.html} <b></b></p>
    <p data-say="work" hidden>{texts_learn.CHECKING.html} …</p>
    <p data-say="failed" hidden>{texts_learn.UPLOAD_FAILED.html}</p>
    <p data-say="kind" hidden>{texts_learn.WRONG_KIND.html}</p>
    <p data-say="no-camera" hidden>{texts.NO_CAMERA.html}</p>
    <span class="meter" hidden><i></i></span>
  </div>"""
