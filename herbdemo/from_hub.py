"""Models by their names on the Hugging Face Hub: owner/name, or owner/name@revision.

Only the two files of a model are asked for, and judged by their sizes before they are downloaded.
They stay in the Hub's own cache: what was there once is there without a connection, and what a
Space was given by `preload_from_hub` is not downloaded at all. `load_checkpoint` then judges them
as it judges any model.
"""

import re
import threading
from pathlib import Path

from herbdemo.errors import HerbError, shortage

_NAME = re.compile(
    r"(?P<repo>[a-z0-9][\w.-]*/[a-z0-9][\w.-]*)(@(?P<revision>[a-z0-9][\w./-]{0,254}))?",
    re.ASCII | re.IGNORECASE,
)
_lock = threading.Lock()
_downloads: dict[str, threading.Lock] = {}  # by name: others are not waited for
_folders: dict[str, Path] = {}  # by name; a branch that moves on is followed by the next process


def is_on_hub(model_id: str) -> bool:
    """Whether this names a model on the Hub; no id of a model on the disk has a slash."""
    return _NAME.fullmatch(model_id) is not None


def fetched(model_id: str) -> Path:
    """The folder that holds the two files of a model on the Hub, downloaded where need be.

    Args:
        model_id: as `is_on_hub` wants it. The revision is a branch, a tag or a commit; the
            repository's main branch by default.

    Raises:
        HerbError: no such model or revision, no right to read it, files that are missing or too
            large, no connection to a Hub whose answer is not in the cache.
    """
    if there := _there(model_id):  # each photo asks, and waits for no download
        return there
    with _lock:
        downloading = _downloads.setdefault(model_id, threading.Lock())
    with downloading:  # a second caller waits for the first one's
        if there := _there(model_id):
            return there
        _folders[model_id] = folder = _download(model_id, weights=True)
        return folder


def card_folder(model_id: str) -> Path:
    """The folder that holds at least the card of a model on the Hub; as `fetched` otherwise."""
    return _there(model_id) or _download(model_id, weights=False)


def _there(model_id: str) -> Path | None:
    folder = _folders.get(model_id)
    return folder if folder is not None and folder.is_dir() else None


def _download(model_id: str, *, weights: bool) -> Path:
    from huggingface_hub.utils import disable_progress_bars  # imported late: half a second

    from herbdemo.checkpoint import CARD, WEIGHTS  # with torch, for which pages do not wait

    name = _NAME.fullmatch(model_id)
    assert name is not None  # as `is_on_hub` found
    repo, revision = name.group("repo"), name.group("revision")
    disable_progress_bars()
    try:
        folder = _file(repo, CARD, revision)
        return _file(repo, WEIGHTS, folder.name) if weights else folder  # of the same commit
    except HerbError:
        raise
    except Exception as error:
        raise shortage(error) or _refused(error) from error


def _file(repo: str, name: str, revision: str | None) -> Path:
    """Download one file; the folder that it is in is called by its commit."""
    from huggingface_hub import hf_hub_download

    from herbdemo.checkpoint import LIMITS

    size = hf_hub_download(repo, name, revision=revision, dry_run=True).file_size
    if size is None or size > LIMITS[name]:
        raise HerbError(
            f"Hub 上的 {name} 超过 {LIMITS[name] / 1e6:,.0f} MB 的上限，没有下载。请换一个模型。",
            f"{name} on the Hub is larger than the {LIMITS[name] / 1e6:,.0f} MB that it may be, "
            "and was not downloaded. Choose another model.",
            hint="hub-too-large",
        )
    return Path(hf_hub_download(repo, name, revision=revision)).parent


def _refused(error: Exception) -> HerbError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return HerbError(
            "这个模型要先得到许可。请在它的 Hugging Face 页面上接受条件，再把令牌放进 HF_TOKEN。",
            "This model is given to those only whom its owner allows. Accept the terms on its page "
            "on Hugging Face, then put your token into HF_TOKEN.",
            hint="hub-gated",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return HerbError(
            "这个模型没有这个版本。@ 后面应是分支、标签或提交号；不写就用 main。",
            "This model has no such revision. After the @ comes a branch, a tag or a commit; "
            "without it, it is main.",
            hint="hub-revision",
        )
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return HerbError(
            "这个仓库里没有本程序的模型：缺少 card.json 或 model.safetensors。"
            "请用 python -m herbdemo models publish 发布一个。",
            "That repository holds no model of this program: card.json or model.safetensors is "
            "missing. Publish one with python -m herbdemo models publish.",
            hint="hub-no-model",
        )
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403):
        return HerbError(
            "Hugging Face 上没有这个模型，或无权读取。请检查“用户名/模型名”；"
            "私有的模型要把有读权限的令牌放进 HF_TOKEN。",
            "There is no such model on Hugging Face, or it may not be read. Check OWNER/NAME; for "
            "a private one put a token with read access into HF_TOKEN.",
            hint="hub-missing",
        )
    return HerbError(
        "连不上 Hugging Face，或下载中断，而缓存里没有这个模型。请检查网络，再试一次。",
        "Hugging Face cannot be reached, or the download broke off, and the model is not in the "
        "cache. Check the connection and try again.",
        hint="hub-connection",
    )
