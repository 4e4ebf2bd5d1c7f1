"""The models on disk: list, load, activate, roll back, delete.

The shipped model lies in the repository's `weights/` and cannot be deleted. What users train lies
in `HERBDEMO_HOME/models/`. Which one is in use is one line in `HERBDEMO_HOME/active.json`, replaced
atomically, together with the ones used before it. Wherever an id is asked for, a model's name on
the Hub does as well, see `from_hub`. HERBDEMO_MODEL names the one in use before any is activated.
"""

import builtins
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from herbdemo.atomic import remove_folder, replace_file, taken
from herbdemo.checkpoint import Checkpoint, load_checkpoint, read_card
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors, home, is_portable, shipped
from herbdemo.from_hub import card_folder, fetched, is_on_hub

SHIPPED = shipped("weights")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ModelInfo:
    """What a list of models shows of one; `problem` says in two languages why it cannot be used."""

    id: str
    herbs: int
    shipped: bool
    active: bool
    sha256: str
    metrics: dict[str, Any]
    problem: tuple[str, str] | None = None


def check_id(model_id: str) -> str:
    """`model_id`, where it can name a folder on every system.

    Raises:
        HerbError: it cannot.
    """
    if not _can_name(model_id):
        raise HerbError(
            "模型名只能用小写字母、数字、点、横线和下划线，以字母或数字开头，不以点结尾，"
            "最多 64 个字符，也不能是 con、nul 之类的系统保留名。",
            "A model's name has lower-case letters, digits, dots, dashes and underscores only, "
            "starts with a letter or digit, does not end with a dot, has at most 64 characters, "
            "and is none of the names such as con or nul that Windows keeps for itself.",
            hint="model-name",
        )
    return model_id


def _can_name(model_id: str) -> bool:
    return _ID.fullmatch(model_id) is not None and is_portable(model_id)


class Registry:
    """The models of this computer.

    Args:
        shipped: folder of models that come with the program.
        own: folder of the user's models and of the active pointer; `home()` by default.
    """

    def __init__(self, *, shipped: Path = SHIPPED, own: Path | None = None) -> None:
        self.shipped = shipped
        self.own = own or home()

    def list(self) -> list[ModelInfo]:
        """All models, the shipped ones first; a damaged one is listed with its problem.

        Of those on the Hub, the one in use and the one that HERBDEMO_MODEL names.
        """
        active, folders = self.active_id(), self._folders()
        on_hub = dict.fromkeys(id_ for id_ in (self._first(folders), active) if is_on_hub(id_))
        models = []
        # What HERBDEMO_MODEL names may not be there; then its row says so.
        for model_id in dict.fromkeys([*on_hub, *folders, active]):
            shipped = model_id in folders and folders[model_id].parent == self.shipped
            try:
                there = card_folder if is_on_hub(model_id) else self.folder
                card = read_card(there(model_id))
            except HerbError as error:
                models.append(ModelInfo(model_id, 0, shipped, model_id == active, "", {},
                                        (error.zh, error.en)))  # fmt: skip
                continue
            models.append(
                ModelInfo(
                    id=model_id,
                    herbs=len(card["herbs"]),
                    shipped=shipped,
                    active=model_id == active,
                    sha256=card["sha256"],
                    metrics=card.get("metrics", {}),
                )
            )
        return models

    def load(self, model_id: str | None = None) -> Checkpoint:
        """The model `model_id`, or the active one.

        Raises:
            HerbError: there is no such model, it is damaged, or the Hub does not give it.
        """
        model_id = model_id or self.active_id()
        # Folders may be renamed by hand.
        return replace(load_checkpoint(self.folder(model_id)), id=model_id)

    def folder(self, model_id: str) -> Path:
        """Where the model lies.

        Raises:
            HerbError: there is none of that name, or the Hub does not give it.
        """
        if is_on_hub(model_id):
            return fetched(model_id)
        folder = self._folders().get(model_id)
        if folder is None:
            raise HerbError(
                f"没有名为“{model_id[:64]}”的模型。用 python -m herbdemo models 查看有哪些。",
                f"There is no model named “{model_id[:64]}”. "
                "See which there are with python -m herbdemo models.",
                hint="model-missing",
            )
        return folder

    def new_folder(self, model_id: str) -> Path:
        """Where a new model of that name is to be saved; a HerbError when the name is taken."""
        if check_id(model_id) in self._folders():
            raise taken(model_id)
        return self.own / "models" / model_id

    def active_id(self) -> str:
        """The model in use: the one last activated that is still there, else the first one.

        That is the one that HERBDEMO_MODEL names, or the shipped one.

        Raises:
            HerbError: there is no model at all.
        """
        folders = self._folders()
        for model_id in reversed(self._trail()):
            if model_id in folders or is_on_hub(model_id):
                return model_id
        if first := self._first(folders):
            return first
        raise HerbError(
            "没有模型。请重新下载程序，或用 python -m herbdemo train 训练一个。",
            "There is no model. Download the program again, or train one with "
            "python -m herbdemo train.",
            hint="no-model",
        )

    def activate(self, model_id: str) -> None:
        """Use `model_id` from now on, if it loads."""
        load_checkpoint(self.folder(model_id))
        trail = [*self._trail(), model_id] if self.active_id() != model_id else self._trail()
        self._write_trail(trail[-20:])

    def rollback(self) -> str:
        """Go back to the model used before the active one; returns its id.

        Raises:
            HerbError: there was none before it.
        """
        folders, active = self._folders(), self.active_id()
        trail = [id_ for id_ in self._trail() if id_ in folders or is_on_hub(id_)]
        while trail and trail[-1] == active:  # twice in a row where one between was deleted
            trail.pop()
        if not trail and active == self._first(folders):
            raise HerbError(
                "没有更早的模型可以退回。",
                "There is no earlier model to go back to.",
                hint="no-earlier-model",
            )
        self._write_trail(trail)
        return self.active_id()

    def delete(self, model_id: str) -> None:
        """Delete one of the user's models that is not in use.

        Raises:
            HerbError: there is none of that name, it comes with the program or lies on the Hub, or
                it is in use.
        """
        if is_on_hub(model_id):
            raise HerbError(
                "这个模型在 Hugging Face 上，不能从这里删除。",
                "This model is on Hugging Face and cannot be deleted from here.",
                hint="model-on-hub",
            )
        folder = self.folder(model_id)
        if folder.parent == self.shipped:
            raise HerbError(
                "这是随程序提供的模型，不能删除。",
                "This model comes with the program and cannot be deleted.",
                hint="model-shipped",
            )
        if model_id == self.active_id():
            raise HerbError(
                "这个模型正在使用。请先启用另一个，再删除它。",
                "This model is in use. Activate another one first, then delete it.",
                hint="model-active",
            )
        with disk_errors():
            remove_folder(folder)

    def _folders(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for parent in (self.shipped, self.own / "models"):
            if parent.is_dir():
                for folder in sorted(parent.iterdir()):
                    if folder.is_dir() and _can_name(folder.name):
                        found.setdefault(folder.name, folder)
        return found

    def _first(self, folders: dict[str, Path]) -> str:
        """The model in use before any was activated; "" where there is none."""
        return os.environ.get("HERBDEMO_MODEL", "").strip() or next(iter(folders), "")

    def _trail(self) -> builtins.list[str]:
        try:
            trail = json.loads((self.own / "active.json").read_text())["trail"]
            return [entry for entry in trail if isinstance(entry, str)]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return []  # no pointer, or not ours: the shipped model serves

    def _write_trail(self, trail: builtins.list[str]) -> None:
        with disk_errors():
            replace_file(self.own / "active.json", json.dumps({"trail": trail}).encode())
