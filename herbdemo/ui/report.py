"""A pre-flight report -> HTML. Pure functions, no Gradio."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from herbdemo.ui import texts_learn as t
from herbdemo.ui.pieces import button
from herbdemo.ui.text import Text
from herbdemo.ui.thumbs import thumb

MOST_THUMBS = 10  # of one finding
ORDER = {"error": 0, "warning": 1, "note": 2}


def report_html(report: Mapping[str, Any], *, batch: str, folder: Path) -> str:
    """What was found in a batch, and whether to take it.

    Args:
        report: `Preflight.to_dict()`.
        batch: its id, which the buttons send.
        folder: where the report's files lie.
    """
    findings = sorted(report["findings"], key=lambda finding: ORDER.get(finding["level"], 3))
    rows = "".join(_finding(finding, folder) for finding in findings)
    fine = f'<p class="fine">{t.REPORT_FINE.html}</p>' if not findings else ""
    count = t.REPORT_COUNT.format(report["photos"], len(report["herbs"]))
    return (
        f'<section class="card report"><header><h3>{t.REPORT_TITLE.html}</h3>'
        f"<p>{count.html}</p></header>{_herbs(report)}{fine}"
        f'<ol class="findings">{rows}</ol>{_decide(report, findings, batch)}</section>'
    )


def checking_html(done: int, total: int) -> str:
    """How far the check is; `total` is 0 before that is known."""
    share = 100 * done / total if total else 0
    said = f" {done} / {total}" if total else " …"
    return (
        f'<section class="card report" data-look><p class="phase">{t.CHECKING.html}{said}</p>'
        f'<span class="meter{"" if total else " unknown"}"><i style="width:{share:.1f}%"></i>'
        "</span></section>"
    )


def folders_html(names: Sequence[str]) -> str:
    """The folders on the server, each a button."""
    items = "".join(
        f'<li><button type="button" data-act="folder" data-folder="{html.escape(name)}">'
        f"<span>{html.escape(name)}</span></button></li>"
        for name in names
    )
    body = f'<ul class="chips">{items}</ul>' if names else f"<p>{t.NO_FOLDERS.html}</p>"
    return (
        f'<section class="card folders"><h3>{t.GIVE_FOLDER.html}</h3>'
        f"<p>{t.GIVE_FOLDER_MORE.html}</p>{body}</section>"
    )


def _herbs(report: Mapping[str, Any]) -> str:
    new = set(report["new_herbs"])
    chips = "".join(
        f'<li><span lang="zh-CN">{html.escape(herb)}</span> <b>{count}</b>'
        f"{f'<em>{t.REPORT_NEW.html}</em>' if herb in new else ''}</li>"
        for herb, count in report["herbs"].items()
    )
    return f'<ul class="chips">{chips}</ul>'


def _finding(finding: Mapping[str, Any], folder: Path) -> str:
    level = finding["level"]
    files = list(finding["files"])
    count = int(finding.get("count") or len(files))
    thumbs = "".join(_photo(_inside(folder, file), file) for file in files[:MOST_THUMBS])
    if count > MOST_THUMBS and files:
        thumbs += f'<li class="more">{t.MORE_FILES.format(count - MOST_THUMBS).html}</li>'
    sentence = Text(finding["zh"], finding["en"])
    return (
        f'<li class="finding {html.escape(level)}"><b class="level">{t.LEVELS[level].html}</b>'
        f"<div><p>{sentence.html}</p>{f'<ul class=thumbs>{thumbs}</ul>' if thumbs else ''}</div>"
        "</li>"
    )


def _photo(path: Path | None, file: str) -> str:
    """A photo of the batch; the name alone of a file that was set aside."""
    name = html.escape(file)
    if path is None:
        return f'<li class="file">{name}</li>'
    return f'<li title="{name}">{thumb(path, alt=file)}</li>'


def _inside(folder: Path, file: str) -> Path | None:
    path = folder / file
    return path if path.resolve().is_relative_to(folder.resolve()) and path.is_file() else None


def _decide(report: Mapping[str, Any], findings: list[Mapping[str, Any]], batch: str) -> str:
    discard = button(t.DISCARD, "discard", sure=t.SURE_DISCARD, batch=batch)
    if not report["ok"]:
        return f'<footer class="ways"><p>{t.REPORT_BLOCKED.html}</p>{discard}</footer>'
    warned = any(finding["level"] == "warning" for finding in findings)
    label = t.ACCEPT_ANYWAY if warned else t.ACCEPT
    accept = button(label, "accept", kind="primary", batch=batch)
    return f'<footer class="ways">{accept}{discard}</footer>'
