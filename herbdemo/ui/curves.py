"""Figures as small inline SVG: curves of a training, intervals, a confusion matrix."""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from herbdemo.ui import texts_learn as t
from herbdemo.ui.text import Text

WIDTH, HEIGHT = 420, 210
LEFT, RIGHT, TOP, BOTTOM = 42, 12, 12, 26
MOST_POINTS = 300  # of one curve; more cannot be told apart
LABELLED = 60  # herbs; the names of more would not be legible

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """One line of a chart: `name`, its class in the style sheet, and its points."""

    name: Text
    kind: str
    points: Points


def chart(
    title: Text,
    curves: Sequence[Curve],
    *,
    until: float,
    share: bool = False,
    along: Text = t.STEPS,
) -> str:
    """Curves over the steps of a training, or what `along` says; `share`: a scale in percent."""
    drawn = [curve for curve in curves if curve.points]
    values = [y for curve in drawn for _, y in curve.points] or [0.0, 1.0]
    low, high, step = _scale(min(values), max(values), share=share)
    until = max(until, *(x for curve in drawn for x, _ in curve.points), 1e-9)

    def x_at(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / until

    def y_at(y: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)

    ticks = [low + step * k for k in range(round((high - low) / step) + 1)]
    grid = "".join(
        f'<path class="grid" d="M{LEFT} {y_at(y):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 7}" y="{y_at(y) + 4:.1f}" text-anchor="end">{_number(y, share)}</text>'
        for y in ticks
    )
    ticks_along = "".join(
        f'<text x="{x_at(x):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{x:g}</text>'
        for x in _whole(until)
        if x < 0.9 * until
    )
    ticks_along += (
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">'
        f'<tspan class="zh" lang="zh-CN">{along.zh}</tspan>'
        f'<tspan class="en" lang="en">{along.en}</tspan></text>'
    )
    lines = "".join(_line(curve, x_at, y_at) for curve in drawn)
    keys = "".join(
        f'<li class="{curve.kind}"><i></i>{curve.name.html}{_ends(curve, share)}</li>'
        for curve in curves
    )
    return (
        f'<figure class="chart"><figcaption><b>{title.html}</b><ul>{keys}</ul></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" {title.attribute("aria-label")}>'
        f"{grid}{ticks_along}{lines}</svg></figure>"
    )


def _ends(curve: Curve, share: bool) -> str:
    """Where a curve begins and ends, in figures, for those who cannot see it and those who ask."""
    ends = [_number(y, share) for _, y in (*curve.points[:1], *curve.points[1:][-1:])]
    return f' <span class="ends">{" → ".join(ends)}</span>' if ends else ""


def _line(curve: Curve, x_at: Callable[[float], float], y_at: Callable[[float], float]) -> str:
    every = -(-len(curve.points) // MOST_POINTS)
    points = [*curve.points[:-1:every], curve.points[-1]]
    path = "L".join(f"{x_at(x):.1f} {y_at(y):.1f}" for x, y in points)
    x, y = points[-1]
    return (
        f'<g class="{curve.kind}"><path class="line" d="M{path}"/>'
        f'<circle cx="{x_at(x):.1f}" cy="{y_at(y):.1f}" r="3.5"/></g>'
    )


def _scale(low: float, high: float, *, share: bool) -> tuple[float, float, float]:
    """The ends of an axis that holds both values, and its step, all round numbers."""
    if high - low < 1e-6:
        low, high = low - 0.05, high + 0.05
    steps = [base * 10**power for power in range(-4, 7) for base in (1, 2, 2.5, 5)]
    step = next(step for step in steps if (high - low) / step <= 4)
    low, high = step * (low // step), step * -(-high // step)
    return (max(low, 0.0), min(high, 1.0) if share else high, step)


def _whole(until: float) -> list[int]:
    """A handful of round numbers to write under the axis."""
    step = next(step for base in (10**k for k in range(12)) for step in (base, 2 * base, 5 * base)
                if until / step <= 6)  # fmt: skip
    return list(range(0, int(until) + 1, step))


def _number(value: float, share: bool) -> str:
    return f"{value * 100:.4g}%" if share else f"{value:.3g}"


# Before and after


@dataclass(frozen=True)
class Share:
    """A share of photos with its interval; `None` where nothing could be measured."""

    value: float | None
    interval: tuple[float, float] | None
    n: int


def whiskers(rows: Sequence[tuple[Text, Text, str, Share]]) -> str:
    """Shares with their intervals on one scale: (what, when, class, share) from top to bottom."""
    ends = [
        end
        for *_, share in rows
        if share.value is not None
        for end in (share.interval or (share.value, share.value))
    ]
    low = min(0.9, int(min(ends, default=0.0) * 10) / 10)
    items = "".join(_whisker(*row, low=low) for row in rows)
    ticks = "".join(
        f'<span style="left:{100 * k / 4:.0f}%">{(low + (1 - low) * k / 4) * 100:.3g}%</span>'
        for k in range(5)
    )
    return (
        f'<div class="whiskers">{items}<p class="axis" aria-hidden="true"><i>{ticks}</i></p></div>'
    )


def _whisker(what: Text, when: Text, kind: str, share: Share, *, low: float) -> str:
    label = f'<span class="what">{what.html} <small>{when.html}</small></span>'
    if share.value is None:
        return f'<p class="whisker {kind}">{label}<span class="none">{t.NO_FIGURE.html}</span></p>'
    a, b = share.interval or (share.value, share.value)
    x, x1, x2 = (100 * (value - low) / (1 - low) for value in (share.value, a, b))
    of = t.OF_PHOTOS.format(share.n)
    ends = t.INTERVAL_OF.format(f"{a:.1%}", f"{b:.1%}").attribute("title")
    return (
        f'<p class="whisker {kind}" {ends}>{label}'
        f'<span class="track" aria-hidden="true"><i class="range" '
        f'style="left:{max(x1, 0):.2f}%;width:{max(x2 - max(x1, 0), 0.4):.2f}%"></i>'
        f'<i class="dot" style="left:{max(x, 0):.2f}%"></i></span>'
        f"<b>{share.value:.1%}</b><small>{of.html}</small></p>"
    )


# Confusion


def confusion(cells: Sequence[tuple[str, str, int]], names: Mapping[str, Text]) -> str:
    """A confusion matrix: a row for each true herb, a column for each answer.

    Args:
        cells: (true herb, answered herb, photos), only where there are any.
        names: of the herbs, in order.
    """
    order = {herb: position for position, herb in enumerate(names)}
    rows: dict[str, int] = {}
    for herb, _, n in cells:
        rows[herb] = rows.get(herb, 0) + n
    n, margin = len(order), 7.5 if len(order) <= LABELLED else 0
    squares = "".join(
        f'<rect class="{"right" if herb == answer else "wrong"}" x="{margin + order[answer]}" '
        f'y="{order[herb]}" width="1" height="1" '
        f'fill-opacity="{max(0.4, count / rows[herb]):.2f}">'
        f"{_title(names[herb], names[answer], count)}</rect>"
        for herb, answer, count in cells
        if herb in order and answer in order
    )
    labels = ""
    if margin:
        labels = "".join(
            f'<text x="{margin - 0.35}" y="{position + 0.74}" text-anchor="end" '
            f'lang="zh-CN">{html.escape(herb[:8])}</text>'
            f'<text transform="translate({margin + position + 0.74} {n + 0.35}) rotate(-90)" '
            f'text-anchor="end" lang="zh-CN">{html.escape(herb[:8])}</text>'
            for herb, position in order.items()
        )
    lines = "".join(f"M{margin} {k}h{n}M{margin + k} 0v{n}" for k in range(n + 1)) if margin else ""
    return (
        f'<svg class="confusion" data-han viewBox="0 0 {n + margin} {n + margin}" role="img" '
        f'{t.CONFUSION.attribute("aria-label")}><path class="grid" d="{lines}"/>'
        f'<rect class="frame" x="{margin}" y="0" width="{n}" height="{n}"/>{squares}{labels}</svg>'
    )


def _title(herb: Text, answer: Text, count: int) -> str:
    said = t.CONFUSION_CELL.format(herb, answer, count)
    return f"<title>{html.escape(said.zh)}\n{html.escape(said.en)}</title>"
