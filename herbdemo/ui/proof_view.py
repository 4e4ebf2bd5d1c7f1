"""The proof of a new model -> HTML: before and after, herb by herb, mistakes. Pure functions."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from herbdemo.herbs import herb_named
from herbdemo.ui import texts_learn as t
from herbdemo.ui.curves import Share, confusion, whiskers
from herbdemo.ui.pieces import button
from herbdemo.ui.result import herb_text
from herbdemo.ui.text import Text

Proof = Mapping[str, Any]
POINT = 0.0005  # a smaller loss of accuracy is none


def proof_html(
    model: str,
    proof: Proof,
    *,
    active: bool,
    pictures: Sequence[tuple[str, str]] = (),
    look: bool = False,
) -> str:
    """The whole report of the model `model`.

    Args:
        proof: `card["proof"]` of the model.
        active: it is the one in use.
        pictures: for each mistake of the proof, the photo and its heatmap as data: URLs; "" where
            there is none.
        look: scroll to it.
    """
    return (
        f'<section class="card proof" data-model="{html.escape(model)}"{" data-look" * look}>'
        f"{_tell(model)}<header><h3>{t.PROOF_TITLE.format(model).html}</h3>{_summary(proof)}</header>"
        f"{_before_after(proof)}{_decide(model, active=active)}"
        f'<div class="evidence">{_confusion(proof)}{_mistakes(proof, pictures)}</div>'
        f"{_per_herb(proof)}</section>"
    )


def plain_html(model: str, metrics: Mapping[str, Any], *, active: bool, look: bool = False) -> str:
    """What takes the proof's place for a model that was not compared with another one.

    Args:
        metrics: `card["metrics"]` of the model.
    """
    rows = [
        (t.ON_ALL, when, "after",
         Share(found.get("top1"), found.get("top1_interval"), found.get("photos") or 0))
        for split, when in (("val", t.ON_VAL), ("test", t.ON_TEST))
        if (found := metrics.get(split))
    ]  # fmt: skip
    return (
        f'<section class="card proof" data-model="{html.escape(model)}"{" data-look" * look}>'
        f"{_tell(model)}<header><h3>{t.PROOF_TITLE.format(model).html}</h3><p>{t.NO_PROOF.html}</p></header>"
        f"{whiskers(rows) if rows else ''}{_decide(model, active=active)}</section>"
    )


def _tell(model: str) -> str:
    """What is read out when the report is there."""
    return f'<p hidden data-tell="{html.escape(model)}">{t.PROOF_TITLE.format(model).html}</p>'


def _summary(proof: Proof) -> str:
    before, after = proof["before"].get("top1"), proof["after"].get("old_top1")
    if before is None or after is None:
        return ""
    points = f"{abs(after - before) * 100:.1f}"
    if abs(after - before) < POINT:
        said = t.KEPT_ALL
    else:
        said = (t.LOST_SOME if after < before else t.GAINED).format(points)
    return f"<p>{said.html}</p>"


def _before_after(proof: Proof) -> str:
    before, after = proof["before"], proof["after"]
    rows = [
        (what, when, kind, Share(found.get(f"{part}top1"), found.get(f"{part}interval"), n))
        for what, when, kind, found, part, n in (
            (t.PROOF_OLD, t.BEFORE, "before", before, "", before.get("n")),
            (t.PROOF_OLD, t.AFTER, "after", after, "old_", after.get("n_old")),
            (t.PROOF_NEW, t.AFTER, "new", after, "new_", after.get("n_new")),
        )
        if n
    ]
    facts = [_fact(t.ECE, _change(before.get("ece"), after.get("ece"), percent=True))]
    facts.append(_fact(t.TEMPERATURE, _change(None, after.get("temperature"))))
    how = [
        f"<small>{side.html}</small> {measured.html}"
        for side, key in ((t.PROOF_OLD, "old"), (t.PROOF_NEW, "new"))
        if (measured := _measured(proof, key))
    ]
    facts += [f"<div><dt>{t.MEASURED.html}</dt><dd>{'<br>'.join(how)}</dd></div>"] if how else []
    shares = whiskers(rows) if rows else f"<p>{t.NO_FIGURE.html}</p>"
    return f'<div class="figures">{shares}<dl class="facts">{"".join(facts)}</dl></div>'


def _measured(proof: Proof, side: str) -> Text | None:
    how = proof.get("held_out")
    how = how.get(side) if isinstance(how, Mapping) else how
    if not how:
        return None
    ways = [t.MEASURED_BY.get(way, Text(way, way)) for way in str(how).split(" + ")]
    return Text("；".join(way.zh for way in ways), "; ".join(way.en for way in ways))


def _change(before: float | None, after: float | None, *, percent: bool = False) -> str:
    def said(value: float) -> str:
        return f"{value:.1%}" if percent else f"{value:.2f}"

    return " → ".join(said(value) for value in (before, after) if value is not None) or "–"


def _fact(name: Text, value: str) -> str:
    return f"<div><dt>{name.html}</dt><dd>{html.escape(value)}</dd></div>"


def _decide(model: str, *, active: bool) -> str:
    if active:
        return f'<p class="ways in-use"><b>{t.IN_USE.html}</b></p>'
    return (
        f'<div class="ways decide">{button(t.USE, "use", kind="primary", model=model)}'
        f"{button(t.KEEP, 'keep', model=model)}"
        f"{button(t.THROW, 'throw', sure=t.SURE_THROW, model=model)}</div>"
    )


def _confusion(proof: Proof) -> str:
    cells = [(str(a), str(b), int(n)) for a, b, n in proof.get("confusion") or ()]
    if not cells:
        return ""
    herbs = sorted({herb for a, b, _ in cells for herb in (a, b)}, key=_by_pinyin)
    picture = confusion(cells, {herb: herb_text(herb_named(herb)) for herb in herbs})
    return (
        f'<figure class="matrix"><figcaption><h4>{t.CONFUSION.html}</h4>'
        f"<p>{t.CONFUSION_MORE.html}</p></figcaption>{picture}</figure>"
    )


def _by_pinyin(herb: str) -> str:
    return herb_named(herb).pinyin or herb


def _mistakes(proof: Proof, pictures: Sequence[tuple[str, str]]) -> str:
    mistakes = list(proof.get("mistakes") or ())
    pictures = [*pictures, *[("", "")] * len(mistakes)][: len(mistakes)]
    items = "".join(
        _mistake(mistake, *picture) for mistake, picture in zip(mistakes, pictures, strict=True)
    )
    more = t.MISTAKES_MORE if any(photo for photo, _ in pictures) else None
    body = f'<ul class="mistakes">{items}</ul>' if mistakes else f"<p>{t.NO_MISTAKES.html}</p>"
    return (
        f'<div class="wrongs"><h4>{t.MISTAKES.html}</h4>'
        f"{f'<p>{more.html}</p>' if more and mistakes else ''}{body}</div>"
    )


def _mistake(mistake: Mapping[str, Any], photo: str, heat: str) -> str:
    herb, answer = (herb_text(herb_named(str(mistake[key]))) for key in ("herb", "answer"))
    picture = (
        f'<span class="pair"><img src="{photo}" alt=""><img src="{heat}" alt=""></span>'
        if photo
        else '<span class="no-thumb"></span>'
    )
    return (
        f"<li>{picture}<p>{t.MISTAKE.format(herb, answer).html} "
        f"<b>{float(mistake['probability']):.0%}</b></p></li>"
    )


def _per_herb(proof: Proof) -> str:
    rows = proof.get("per_herb") or {}
    if not rows:
        return ""
    items = "".join(
        _row(herb, row)
        for herb, row in sorted(rows.items(), key=lambda item: item[1].get("after") or 0.0)
    )
    return (
        f'<details class="per-herb"><summary><h4>{t.PER_HERB.html}</h4></summary>'
        f'<table><thead><tr><th>{t.HERB.html}</th><th class="n">{t.COUNT.html}</th>'
        f'<th class="n">{t.BEFORE.html}</th><th class="n">{t.AFTER.html}</th><td></td></tr></thead>'
        f"<tbody>{items}</tbody></table></details>"
    )


def _row(herb: str, row: Mapping[str, Any]) -> str:
    before, after = row.get("before"), row.get("after")
    new = f" <em>{t.REPORT_NEW.html}</em>" if before is None else ""
    worse = before is not None and after is not None and after < before - POINT
    bar = f'<span class="bar"><i style="width:{100 * (after or 0):.1f}%"></i></span>'
    return (
        f'<tr class="{"worse" if worse else ""}"><th scope="row">'
        f"{herb_text(herb_named(herb)).html}{new}</th>"
        f'<td class="n">{int(row.get("n") or 0)}</td>'
        f'<td class="n">{_share(before)}</td><td class="n">{_share(after)}</td><td>{bar}</td></tr>'
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
