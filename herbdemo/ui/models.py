"""The Models tab: what there is, which is in use, and sending models to and fro."""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from herbdemo.errors import HerbError
from herbdemo.ui import desk
from herbdemo.ui import texts_learn as t
from herbdemo.ui.gate import Visitor
from herbdemo.ui.giver import Giver, joined, only_zip
from herbdemo.ui.models_view import Row, models_html
from herbdemo.ui.pieces import Change, Piece, notice_html, saving_html, wire
from herbdemo.ui.text import Text

HOUR = 3600  # a zip that was made for a download is kept no longer


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    Models()


class Models:
    """The parts of the tab, and what their acts do."""

    def __init__(self) -> None:
        self.notice = Piece(elem_id="models-notice")
        self.list = Piece(elem_id="models", shows="show")
        self.proof = Piece(elem_id="models-proof")
        self.giver = Giver(only_zip(), elem_id="models-giver")
        self.file = gr.DownloadButton(elem_id="models-file", visible="hidden")
        common: dict[str, Any] = {"notice": self.notice, "open_to_all": frozenset({"show"})}
        wire(
            self.list,
            {
                "show": self.show,
                "use": self.use,
                "back": self.back,
                "delete": self.delete,
                "proof": self.prove,
                "download": self.download,
                "ask-publish": self.ask_publish,
                "publish": self.publish,
            },
            outputs=[self.list, self.proof, self.file],
            **common,
        )
        wire(
            self.proof,
            {"use": self.use, "keep": self.close, "throw": self.delete},
            outputs=[self.list, self.proof],
            **common,
        )
        wire(
            self.giver,
            {"zip": self.take},
            inputs=[self.giver],
            outputs=[self.list, self.proof],
            **common,
        )

    def show(self, data: dict[str, str], who: Visitor) -> Change:
        """The list, for the owner."""
        if not who.owner:
            return {self.list: models_html(None), self.proof: ""}
        return {self.list: models_html(_rows())}

    def use(self, data: dict[str, str], who: Visitor) -> Change:
        """Use a model from now on."""
        model = data.get("model", "")
        desk.activate(model)
        return self._done(t.USED.format(model))

    def back(self, data: dict[str, str], who: Visitor) -> Change:
        """Go back to the model used before."""
        return self._done(t.WENT_BACK.format(desk.registry().rollback()))

    def delete(self, data: dict[str, str], who: Visitor) -> Change:
        """Delete a model that is not in use."""
        model = data.get("model", "")
        desk.registry().delete(model)
        return self._done(t.DELETED.format(model))

    def prove(self, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        """Show the proof of a model."""
        for html in desk.proof_of(data.get("model", "")):
            yield {self.proof: html}

    def close(self, data: dict[str, str], who: Visitor) -> Change:
        """Close the proof; the model stays."""
        return {self.proof: ""}

    def download(self, data: dict[str, str], who: Visitor) -> Change:
        """A model as a zip, made where Gradio serves files from, and saved by the browser."""
        from herbdemo.portable import export_zip
        from herbdemo.registry import check_id

        model = check_id(data.get("model", ""))
        shelf = Path(self.file.GRADIO_CACHE) / "models"
        _clear(shelf)
        file = shelf / secrets.token_hex(16) / f"{model}.zip"  # nobody can guess its address
        file.parent.mkdir(parents=True)
        export_zip(desk.registry(), model, file)
        self.file.temp_files.add(str(file))  # which Gradio deletes like uploads
        return {self.file: str(file), self.notice: saving_html("#models-file")}

    def ask_publish(self, data: dict[str, str], who: Visitor) -> Change:
        """Ask where to publish a model."""
        return {self.list: models_html(_rows(), publish=data.get("model", ""))}

    def publish(self, data: dict[str, str], who: Visitor) -> Change:
        """Publish a model to the Hub, with the visitor's own token or the environment's."""
        repo = data.get("repo", "").strip()
        _publish(data.get("model", ""), repo, token=who.token)
        return self._done(t.PUBLISHED.format(repo))

    def take(self, parts: list[str], data: dict[str, str], who: Visitor) -> Change:
        """Import the zip of a model.

        Raises:
            HerbError: there is none, or it is refused.
        """
        if not parts:
            raise HerbError(*t.NOT_A_ZIP, hint="no-zip")
        from herbdemo.portable import import_zip

        with joined(parts) as file:
            model = import_zip(desk.registry(), file)
        return self._done(t.IMPORTED.format(model))

    def _done(self, said: Text) -> Change:
        return {self.list: models_html(_rows()), self.proof: "", self.notice: notice_html(said)}


def _clear(shelf: Path) -> None:
    """Throw away the zips that were made long ago."""
    for old in shelf.glob("*"):
        with contextlib.suppress(OSError):  # `uploads.sweep`, or another download, was quicker
            if time.time() - old.stat().st_mtime > HOUR:
                shutil.rmtree(old, ignore_errors=True)


def _publish(model: str, repo: str, *, token: str | None) -> None:
    """Publish with the token of the login; where it may not write, with HF_TOKEN."""
    from herbdemo.hub import publish

    try:
        publish(desk.registry(), model, repo, token=token)
    except HerbError as error:
        refused = error.hint in ("hub-token", "hub-permission")
        if not (token and refused and os.environ.get("HF_TOKEN")):
            raise
        publish(desk.registry(), model, repo)


def _rows() -> list[Row]:
    from herbdemo.checkpoint import read_card

    rows = []
    registry = desk.registry()
    for info in registry.list():
        problem, card, size = Text(*info.problem) if info.problem else None, {}, 0
        if not problem:
            folder = registry.folder(info.id)
            card = read_card(folder)
            size = sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
        rows.append(Row(info.id, info.active, info.shipped, size, card, problem))
    return rows
