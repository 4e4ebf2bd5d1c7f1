"""The models on disk: list, load, activate, roll back, delete.

The shipped model lies in the repository's `weights/` and cannot be deleted. What users train lies
in `HERBDEMO_HOME/models/`. Which one is in use is one line in `HERBDEMO_HOME/active.json`, replaced
atomically, together with the ones used before it.
"""

import builtins
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from herbdemo.atomic import remove_folder, replace_file, taken
from herbdemo.checkpoint import Checkpoint, load_checkpoint, read_card
from herbdemo.errors import HerbError
from herbdemo.files import disk_errors, home, is_portable

SHIPPED = Path(__file__).resolve().parent.parent / "weights"
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
    """`model_id` if it can name a folder on every system, else a HerbError."""
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
        """All models, the shipped ones first; a damaged one is listed with its problem."""
        active = self.active_id()
        models = []
        for folder in self._folders().values():
            shipped = folder.parent == self.shipped
            try:
                card = read_card(folder)
            except HerbError as error:
                models.append(ModelInfo(folder.name, 0, shipped, folder.name == active, "", {},
                                        (error.zh, error.en)))  # fmt: skip
                continue
            models.append(
                ModelInfo(
                    id=folder.name,
                    herbs=len(card["herbs"]),
                    shipped=shipped,
                    active=folder.name == active,
                    sha256=card["sha256"],
                    metrics=card.get("metrics", {}),
                )
            )
        return models

    def load(self, model_id: str | None = None) -> Checkpoint:
        """The model `model_id`, or the active one.

        Raises:
            HerbError: there is no such model, or it is damaged.
        """
        folder = self.folder(model_id or self.active_id())
        return replace(load_checkpoint(folder), id=folder.name)  # folders may be renamed by hand

    def folder(self, model_id: str) -> Path:
        """Where the model lies; a HerbError when there is none of that name."""
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
        """The model in use: the one last activated that is still there, else the first of `list`.

        The shipped model is the first, where there is one.
        """
        folders = self._folders()
        for model_id in [*reversed(self._trail()), *folders]:
            if model_id in folders:
                return model_id
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
        """Go back to the model used before the active one; returns its id."""
        folders, active = self._folders(), self.active_id()
        trail = [model_id for model_id in self._trail() if model_id in folders]
        while trail and trail[-1] == active:  # twice in a row where one between was deleted
            trail.pop()
        if not trail and active == next(iter(folders)):
            raise HerbError(
                "没有更早的模型可以退回。",
                "There is no earlier model to go back to.",
                hint="no-earlier-model",
            )
        self._write_trail(trail)
        return self.active_id()

    def delete(self, model_id: str) -> None:
        """Delete one of the user's models that is not in use."""
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

    def _trail(self) -> builtins.list[str]:
        try:
            trail = json.loads((self.own / "active.json").read_text())["trail"]
            return [entry for entry in trail if isinstance(entry, str)]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # no pointer, or not ours: the shipped model serves

    def _write_trail(self, trail: builtins.list[str]) -> None:
        with disk_errors():
            replace_file(self.own / "active.json", json.dumps({"trail": trail}).encode())
