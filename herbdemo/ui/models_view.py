"""The models -> HTML. Pure functions, no Gradio."""

import html
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from herbdemo.card_figures import is_light, network_name
from herbdemo.from_hub import is_on_hub
from herbdemo.herbs import herb_named
from herbdemo.ui import texts
from herbdemo.ui import texts_learn as t
from herbdemo.ui.pieces import button
from herbdemo.ui.text import Text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """What is shown of one model; `size` in bytes, `problem` says why it cannot be used."""

    id: str
    active: bool
    shipped: bool
    size: int
    card: Mapping[str, Any]
    problem: Text | None = None


def models_html(rows: Sequence[Row] | None, *, publish: str = "") -> str:
    """All models, the one in use first; None for who may not see them.

    Args:
        publish: the model whose form for publishing is open.
    """
    if rows is None:
        return (
            f'<section class="card closed"><p class="quiet-words">{t.OWNER_ONLY.html}</p></section>'
        )
    rows = sorted(rows, key=lambda row: not row.active)
    items = "".join(_guarded(row, publish=row.id == publish) for row in rows)
    return (
        f'<section class="models"><header><h3>{t.MODELS_TITLE.html}</h3>'
        f"{button(t.GO_BACK, 'back')}</header><ul>{items}</ul></section>"
    )


def accuracy(card: Mapping[str, Any]) -> float | None:
    """The share of held-out photos that a model gets right, by its proof or its own test."""
    after = (card.get("proof") or {}).get("after") or {}
    parts = [
        (after[f"{side}_top1"], after[f"n_{side}"])
        for side in ("old", "new")
        if after.get(f"n_{side}") and after.get(f"{side}_top1") is not None
    ]
    if parts:
        return sum(share * n for share, n in parts) / sum(n for _, n in parts)
    measured = [(card.get("metrics") or {}).get(split) or {} for split in ("test", "val")]
    return next((metrics["top1"] for metrics in measured if "top1" in metrics), None)


def _guarded(row: Row, *, publish: bool) -> str:
    """One model; what an imported card may hold costs only its own row, never the whole list."""
    try:
        return _model(row, publish=publish)
    except Exception:
        log.exception("the card of “%s” could not be drawn", row.id)
        return _model(replace(row, problem=t.CARD_BROKEN), publish=False)


def _model(row: Row, *, publish: bool) -> str:
    badge = f'<em class="badge">{t.IN_USE.html}</em>' if row.active else ""
    if row.problem:
        fixed = row.shipped or row.active or is_on_hub(row.id)
        acts = "" if fixed else button(t.DELETE, "delete", sure=t.SURE_DELETE, model=row.id)
        return (
            f'<li class="card model broken"><header><h4>{html.escape(row.id)}</h4>{badge}</header>'
            f'<p class="problem">{row.problem.html}</p><div class="ways">{acts}</div></li>'
        )
    return (
        f'<li class="card model {"active" if row.active else ""}"><header>'
        f"<h4>{html.escape(row.id)}</h4>{badge}</header>{_facts(row)}{_herbs(row.card)}"
        f'<div class="ways">{_acts(row)}</div>{_publish(row.id) if publish else ""}</li>'
    )


def _facts(row: Row) -> str:
    facts = [t.HERBS_OF.format(len(row.card["herbs"]))]
    if (share := accuracy(row.card)) is not None:
        facts.append(t.RIGHT.format(f"{share:.1%}"))
    if row.shipped:
        facts.append(t.SHIPPED)
    elif is_on_hub(row.id):
        facts.append(t.ON_HUB)
    elif parent := row.card.get("parent"):
        facts.append(t.PARENT.format(str(parent)[:64]))
    size = f"{row.size / 1e6:.0f} MB"
    items = "".join(f"<li>{fact.html}</li>" for fact in facts)
    name = html.escape(network_name(row.card)[:64])
    hints = "".join(f'<p class="hint">{hint.html}</p>' for hint in _hints(row.card))
    return f'<ul class="facts"><li>{name}</li>{items}<li>{size}</li></ul>{hints}'


def _hints(card: Mapping[str, Any]) -> Iterator[Text]:
    if is_light(card.get("architecture")):
        yield texts.LIGHT
    lacking = card.get("imported", {}).get("not_fitted", [])
    if "certain" in lacking:
        yield t.IMPORTED_BARE
    elif "statistics" in lacking:
        yield t.IMPORTED_GAPS


def _herbs(card: Mapping[str, Any]) -> str:
    judged = (card.get("proof") or {}).get("per_herb") or {}
    learned = {herb for herb, row in judged.items() if row.get("before") is None}
    chips = "".join(
        f'<li lang="zh-CN" title="{html.escape(herb_named(herb).en)}">{html.escape(herb)}'
        f"{f'<em>{t.REPORT_NEW.html}</em>' if herb in learned else ''}</li>"
        for herb in sorted(card["herbs"], key=lambda herb: herb not in learned)
    )
    return (
        f'<details><summary>{t.WHICH_HERBS.html}</summary><ul class="chips">{chips}</ul></details>'
    )


def _acts(row: Row) -> str:
    acts = [] if row.active else [button(t.USE_MODEL, "use", kind="primary", model=row.id)]
    if row.card.get("proof"):
        acts.append(button(t.PROOF, "proof", model=row.id))
    if is_on_hub(row.id):
        return "".join(acts)
    acts.append(button(t.DOWNLOAD, "download", model=row.id))
    acts.append(button(t.PUBLISH, "ask-publish", model=row.id))
    if not row.shipped and not row.active:
        acts.append(button(t.DELETE, "delete", kind="danger", sure=t.SURE_DELETE, model=row.id))
    return "".join(acts)


def _publish(model: str) -> str:
    return (
        f'<form data-act="publish" class="publish"><h5>{t.PUBLISH_TITLE.format(model).html}</h5>'
        f'<input type="hidden" name="model" value="{html.escape(model)}">'
        f'<div class="ways"><input type="text" name="repo" required maxlength="100" '
        f'placeholder="name/{html.escape(model)}" {t.PUBLISH_REPO.attribute("aria-label")} '
        f'spellcheck="false" autocomplete="off">'
        f'<button type="submit" class="primary"><span>{t.PUBLISH.html}</span></button>'
        f"{button(t.CANCEL, 'show')}</div><p>{t.PUBLISH_MORE.html}</p></form>"
    )
