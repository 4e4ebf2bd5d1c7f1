"""What programs may call: the named endpoints of the app, for `gradio_client`, HTTP and agents."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image

from herbdemo.errors import HerbError
from herbdemo.heatmap import overlay
from herbdemo.herbs import find
from herbdemo.ui import model

if TYPE_CHECKING:
    from herbdemo.recognise import Answer


def build() -> None:
    """Add the endpoints to the current Blocks; they show nothing on the page."""
    with gr.Column(visible=False):
        photo = gr.File(label="photo", type="filepath")
        herb = gr.Textbox("", label="herb")  # a value makes the parameter optional
        answer = gr.JSON(label="answer")
        heatmap = gr.Image(label="heatmap", format="png")
        call = gr.Button()
    call.click(recognise, photo, answer, api_name="recognise", **model.QUEUE)
    call.click(explain, [photo, herb], heatmap, api_name="explain", **model.QUEUE)


def recognise(photo: str) -> dict[str, Any]:
    """Recognise the Chinese herbal medicine in a photo.

    Args:
        photo: A photo of one herb (JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF or HEIC), up to 50 MB.

    Returns:
        The five most probable herbs with calibrated probabilities, and a verdict: "certain",
        "unsure", or "unknown" when the photo shows no herb that the model knows.
    """
    return _answer(photo).to_dict(Path(photo).name)


def explain(photo: str, herb: str = "") -> Image.Image:
    """Show where in a photo the evidence for a herb lies.

    Args:
        photo: A photo of one herb (JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF or HEIC), up to 50 MB.
        herb: Any name of a herb that the model knows; empty for the most probable one.

    Returns:
        The photo with the herb's Grad-CAM heatmap laid over it, as a PNG.
    """
    answer = _answer(photo)
    known = find(herb)
    wanted = known.zh if known else herb or answer.candidates[0].herb.zh
    try:
        return overlay(answer.photo.image, answer.heatmap(wanted))
    except HerbError as error:
        raise _spoken(error) from None


def _answer(photo: str | None) -> "Answer":
    try:
        return model.recognise(photo or b"")
    except HerbError as error:
        raise _spoken(error) from None


def _spoken(error: HerbError) -> gr.Error:
    """The error that Gradio passes on to a client word by word, while all others stay unsaid."""
    return gr.Error(str(error), title=error.hint or "HerbError", print_exception=False)
