"""Publish a model to a repository on the Hugging Face Hub, with a model card, in one commit."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import disable_progress_bars, validate_repo_id

from herbdemo.card_figures import network_name
from herbdemo.checkpoint import CARD, WEIGHTS, card_named, load_checkpoint
from herbdemo.errors import HerbError
from herbdemo.from_hub import is_on_hub
from herbdemo.registry import Registry

_LIMITS = {
    "en": ["Not medical advice: an answer is a hint for study, never a reason to take or not take "
           "anything."],
    "zh": ["不能代替医师或药师的判断：答案只供学习参考，不能作为用药或停药的依据。"],
}  # fmt: skip


def publish(
    registry: Registry,
    model_id: str,
    repo: str,
    *,
    token: str | None = None,
    private: bool = False,
) -> str:
    """Put the model's two files and a README.md into the model repository `repo`.

    All of it is one commit: the repository shows the whole new model or the old one.

    Args:
        repo: "owner/name"; made where it is missing.
        token: of the owner, who signed in; HF_TOKEN of the environment by default. It is not kept.
        private: whether a repository that has to be made is private.

    Returns:
        the repository's address.

    Raises:
        HerbError: no token, no permission, no connection, or a name that the Hub does not take.
    """
    folder = registry.folder(model_id)
    card = load_checkpoint(folder).card  # nobody could use a damaged one
    name = card["id"] if is_on_hub(model_id) else model_id
    card = {**card, "id": name}
    _check_name(repo)
    token = token or os.environ.get("HF_TOKEN")
    if not token:
        raise HerbError(
            "没有 Hugging Face 令牌。请在 https://huggingface.co/settings/tokens 建一个有写权限的，"
            "放进环境变量 HF_TOKEN，再试一次。",
            "There is no Hugging Face token. Make one with write access at "
            "https://huggingface.co/settings/tokens, put it into the environment variable HF_TOKEN "
            "and try again.",
            hint="hub-no-token",
        )
    disable_progress_bars()
    files: dict[str, bytes | Path] = {
        "README.md": model_card(card, repo).encode(),
        CARD: card_named(card, name),
        WEIGHTS: folder / WEIGHTS,
    }
    api = HfApi(token=token)
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        api.create_commit(
            repo,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=f"{name}: {len(card['herbs'])} herbs",
        )
    except HfHubHTTPError as error:
        raise _refused(error.response.status_code) from error
    except Exception as error:  # of the HTTP client, of its proxies, or of the storage behind
        raise HerbError(
            "连不上 Hugging Face，或上传中断，仓库保持原样。请检查网络，再试一次。",
            "Hugging Face cannot be reached, or the upload broke off; the repository is as it was. "
            "Check the connection and try again.",
            hint="hub-connection",
        ) from error
    return str(address)


def model_card(card: Mapping[str, Any], repo: str) -> str:
    """The README.md of a published model, of what its `card` says.

    The front matter is what the Hub sorts models by.
    """
    licence = str(card.get("licence", "")).lower()
    network = str(card.get("architecture", "resnet50"))
    front = [
        "language: [zh, en]",
        *([f"license: {licence}"] if _is_word(licence) else []),
        "library_name: herbdemo",
        "pipeline_tag: image-classification",
        f"tags: [chinese-herbal-medicine, 中草药{f', {network}' if _is_word(network) else ''}]",
    ]
    size = card["preprocessing"]["size"]
    body = [
        f"# {card['id']}",
        f"{network_name(card)} that recognises {len(card['herbs'])} Chinese herbal medicines "
        f"(中草药) in photos, at {size} px, for Herb Lens (`herbdemo`).",
        f"Herbs: {' '.join(card['herbs'])}.",
        *_accuracy(card),
        "## How to use it",
        "```\n"
        f"python -m herbdemo recognise PHOTO --model {repo}\n"
        f"HERBDEMO_MODEL={repo} python -m herbdemo serve\n"
        "```",
        f'From Python: `herbdemo.Recogniser.load("{repo}")`. `{repo}@COMMIT` stays with one '
        "commit. To keep it with your own models:",
        "```\n"
        f"hf download {repo} {CARD} {WEIGHTS} --local-dir ~/.herbdemo/models/{card['id']}\n"
        f"python -m herbdemo models activate {card['id']}\n"
        "```",
        f"`{WEIGHTS}` has the sha256 `{card['sha256']}`.",
        "## Limits",
        *("\n".join(f"- {text}" for text in _limits(card, language)) for language in ("en", "zh")),
    ]
    return "---\n" + "\n".join(front) + "\n---\n" + "\n\n".join(body) + "\n"


def _is_word(text: str) -> bool:
    """Whether the front matter may hold it as it is."""
    return re.fullmatch(r"[a-z0-9][a-z0-9.-]*", text) is not None


def _accuracy(card: Mapping[str, Any]) -> list[str]:
    if proof := card.get("proof"):  # its own metrics are of the photos that it learnt from
        after = proof["after"]
        measured = [
            (f"{side} herbs", after.get(f"n_{side}"), after.get(f"{side}_top1"),
             after.get(f"{side}_interval"), after.get("ece"))
            for side in ("old", "new")
        ]  # fmt: skip
    else:
        measured = [
            (part, *(figures.get(name) for name in ("photos", "top1", "top1_interval", "ece")))
            for part, figures in card.get("metrics", {}).items()
            if isinstance(figures, dict)
        ]
    rows = []
    for part, n, top1, interval, ece in measured:
        try:
            low, high = interval
            rows.append(f"| {part} | {n} | {top1:.1%} ({low:.1%} to {high:.1%}) | {ece:.1%} |")
        except (TypeError, ValueError):
            continue  # of photos that no herb of the model is on, or of somebody else's making
    if not rows:
        return []
    head = ["| photos of | n | top-1 (95 % interval) | ECE |", "|---|---|---|---|"]
    return ["## How well it does", "\n".join([*head, *rows])]


def _limits(card: Mapping[str, Any], language: str) -> list[str]:
    limits = card.get("limits")
    own = limits.get(language) if isinstance(limits, dict) else None
    return own if isinstance(own, list) and own else _LIMITS[language]


def _check_name(repo: str) -> None:
    try:
        validate_repo_id(repo)
        if repo.count("/") != 1:
            raise HFValidationError(repo)
    except HFValidationError as error:
        raise HerbError(
            "仓库名应为“用户名/模型名”，只用字母、数字、点、横线和下划线，最多 96 个字符。",
            "A repository is named OWNER/NAME, with letters, digits, dots, dashes and underscores "
            "only, and at most 96 characters.",
            hint="hub-name",
        ) from error


def _refused(status: int) -> HerbError:
    if status == 401:
        return HerbError(
            "Hugging Face 不认这个令牌：可能已过期或被删除。请换一个有写权限的令牌。",
            "Hugging Face does not know this token: it may have expired or been deleted. "
            "Take another one with write access.",
            hint="hub-token",
        )
    if status in (403, 404):
        return HerbError(
            "这个令牌不能写入该仓库。请检查用户名，并用有写权限的令牌。",
            "This token may not write to the repository. Check the owner's name, and take a token "
            "with write access.",
            hint="hub-permission",
        )
    return HerbError(
        f"Hugging Face 没有接受上传（状态 {status}），仓库保持原样。请稍后再试。",
        f"Hugging Face did not take the upload (status {status}); the repository is as it was. "
        "Try again later.",
        hint="hub-refused",
    )
