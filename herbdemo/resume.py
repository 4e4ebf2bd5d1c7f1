"""The state of a training on disk: all that going on after a kill needs, in safetensors."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from herbdemo.dataset import Sample
from herbdemo.errors import HerbError, shortage
from herbdemo.recipe import Recipe

STATE = "state.safetensors"


def save_state(
    file: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    kept: dict[str, Tensor],
    history: list[dict[str, Any]],
    best: float,
    *,
    of: str,
) -> None:
    """Write the state; whoever is killed meanwhile finds the one before.

    Args:
        of: which training it is, by `training`.

    Raises:
        HerbError: the disk is full; what was there before still is.
    """
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    tensors |= {f"kept.{k}": v for k, v in kept.items()}
    tensors |= {f"optimizer.{k}": v for k, v in _moments(optimizer)}
    notes = {"history": json.dumps(history), "best": repr(best), "of": of}
    temporary = file.with_suffix(".tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, temporary, metadata=notes)
        os.replace(temporary, file)
    except Exception as error:
        temporary.unlink(missing_ok=True)
        raise shortage(error) or error from error


def load_state(
    file: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    of: str,
) -> tuple[dict[str, Tensor], list[dict[str, Any]], float]:
    """Put the state back into network, average and optimizer; returns kept, history and best.

    Raises:
        HerbError: it is the state of another training, or damaged.
    """
    try:
        with safetensors.safe_open(file, "pt") as state:
            notes = state.metadata()
            tensors = {key: state.get_tensor(key) for key in state.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise HerbError(
            "未完成的训练读不出来。请去掉 --resume 重新开始。",
            "The unfinished training cannot be read. Start anew, without --resume.",
            hint="resume-damaged",
        ) from error
    if notes["of"] != of:
        raise HerbError(
            "未完成的训练用的是另一批照片、别的起点或别的设置，不能继续。"
            "请去掉 --resume 重新开始。",
            "The unfinished training had other photos, another start or other settings and cannot "
            "go on. Start anew, without --resume.",
            hint="resume-other-training",
        )
    device = next(network.parameters()).device

    def part(prefix: str) -> dict[str, Tensor]:
        return {
            k.removeprefix(prefix): v.to(device) for k, v in tensors.items() if k.startswith(prefix)
        }

    network.load_state_dict(part("network."))
    average.load_state_dict(part("average."))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in part("optimizer.").items():
        position, name = key.split(".", 1)
        parameter = parameters[int(position)]
        if value.ndim:  # fused AdamW walks through memory: moments must lie as their weights do
            value = torch.empty_like(parameter, requires_grad=False).copy_(value)
        optimizer.state[parameter][name] = value
    return part("kept."), json.loads(notes["history"]), float(notes["best"])


def training(
    herbs: Sequence[str],
    recipe: Recipe,
    train: Sequence[Sample],
    val: Sequence[Sample],
    parent: str = "",
) -> str:
    """What makes a training this one: herbs, settings, photos by name, and where it starts."""
    photos = [[(sample.herb, sample.path.name) for sample in part] for part in (train, val)]
    digest = hashlib.sha256(json.dumps(photos).encode()).hexdigest()
    return json.dumps(
        {"herbs": list(herbs), "recipe": asdict(recipe), "photos": digest, "parent": parent}
    )


def _moments(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """AdamW's moments and step counts, named "position in the groups.name"."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for position, parameter in enumerate(parameters):
        for name, value in optimizer.state[parameter].items():
            yield f"{position}.{name}", value
