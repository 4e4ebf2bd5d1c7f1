"""A job and its events -> HTML: how far it is, how fast, and its curves. Pure functions."""

import html
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from herbdemo.ui import texts_learn as t
from herbdemo.ui.curves import Curve, chart
from herbdemo.ui.pieces import button
from herbdemo.ui.text import Text

if TYPE_CHECKING:
    from herbdemo.jobs import Job

Event = dict[str, Any]
MINUTE, HOUR = 60, 3600


@dataclass(frozen=True)
class Progress:
    """How far a job is: `share` of what can be counted, 0..1, or None before that."""

    phase: str
    share: float | None
    rate: float | None
    epoch: float
    left: float | None  # seconds


def progress(events: Sequence[Event]) -> Progress:
    """What the events say of how far the job is; the share is that of the present phase."""
    phase, share, rate, epoch, left = "start", None, None, 0.0, None
    for event in events:
        kind = event["kind"]
        rate = _number(event.get("photos_per_second")) or rate
        epoch = _number(event.get("epoch")) or epoch
        left = _number(event.get("seconds_left"))
        if kind == "features":
            share = _ratio(event.get("done"), event.get("total"))
            phase = "head" if share == 1 else "features"  # all are seen: on to the last layer
        elif kind in ("head", "step", "epoch"):  # "head" is said when that is done
            share = _ratio(event.get("step"), event.get("steps")) or (
                share if kind != "head" else 0
            )
            phase = "step"
        elif kind in t.PHASES:
            phase, share = kind, None
        if phase == "head":
            share = None
    return Progress(phase, share, rate, epoch, left)


def job_html(
    job: "Job",
    events: Sequence[Event],
    *,
    memory: int,
    resumable: bool = False,
    now: float | None = None,
) -> str:
    """The job's card: what is happening, and whatever can be done about it.

    Args:
        memory: that it holds, in bytes; 0 is not shown.
        resumable: it has ended and can go on.
    """
    running = job.state == "running"
    state = f'data-state="{html.escape(job.id)}:{html.escape(job.state)}"'
    if job.state == "done" and not _curves(events):
        return f"<span hidden {state}></span>"  # its proof says it all
    title = (
        t.JOB_RUNNING if running else t.JOB_ENDED.get(job.state, t.JOB_ENDED["failed"])
    ).format(job.id)
    clock = time.strftime("%H:%M", time.localtime(job.started))
    by = t.JOB_BY.format(job.who or "–", clock)
    body = _running(job, events, memory, now or time.time()) if running else _ended(job)
    told = "" if running else f'<p hidden data-tell="{html.escape(job.id)}">{title.html}</p>'
    body += f'<div class="ways">{button(t.GO_ON, "go-on", kind="primary")}</div>' * resumable
    return (
        f'<section class="card job {html.escape(job.state)}" {state}>'
        f"<header><h3>{title.html}</h3><p>{by.html}</p></header>{told}"
        f"{body}{_curves(events)}</section>"
    )


def _running(job: "Job", events: Sequence[Event], memory: int, now: float) -> str:
    at = progress(events)
    percent = 100 * (at.share or 0)
    facts = [t.ELAPSED.format(_span(now - job.started))]
    left = at.left
    if job.kind == "extend" and at.share and 0.02 < at.share < 1:  # it has but one long phase
        left = (now - job.started) * (1 - at.share) / at.share
    if left:
        facts.insert(0, t.LEFT.format(_span(left)))
    if at.epoch:
        facts.append(t.EPOCH_OF.format(f"{at.epoch:g}"))
    if at.rate:
        facts.append(t.RATE.format(f"{at.rate:.3g}"))
    if memory:
        facts.append(t.MEMORY.format(f"{memory / 1e9:.1f} GB"))
    items = "".join(f"<li>{fact.html}</li>" for fact in facts)
    unknown = "" if at.share else " unknown"
    phase = t.STOPPING if job.stopping else t.PHASES[at.phase]
    stop = "" if job.stopping else button(t.STOP, "stop", sure=t.SURE_STOP)
    return (
        f"{_tell(job, at, phase)}"
        f'<p class="phase">{phase.html}</p>'
        f'<span class="meter{unknown}" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent:.0f}" {phase.attribute("aria-label")}>'
        f'<i style="width:{percent:.1f}%"></i></span>'
        f'<ul class="facts">{items}</ul>'
        f'<div class="ways">{stop}</div>'
    )


def _tell(job: "Job", at: Progress, phase: Text) -> str:
    """What is read out, and no oftener than at a new phase and at each quarter of it."""
    quarter = int(4 * (at.share or 0))
    said = t.TOLD.format(phase, 25 * quarter) if quarter else phase
    key = f"{job.id}:{at.phase}:{quarter}:{job.stopping}"
    return f'<p hidden data-tell="{html.escape(key)}">{said.html}</p>'


def _ended(job: "Job") -> str:
    if job.state == "stopped":
        return f'<p class="said">{t.JOB_STOPPED.html}</p>'
    if job.state != "done" and job.error:
        return f'<p class="said">{Text(job.error["zh"], job.error["en"]).html}</p>'
    return "" if job.state == "done" else f'<p class="said">{t.JOB_LOST.html}</p>'


def _curves(events: Sequence[Event]) -> str:
    """Loss and accuracy over the steps; nothing for a job that has none, such as `extend`."""
    training: list[tuple[float, float]] = []
    val_loss: list[tuple[float, float]] = []
    val_right: list[tuple[float, float]] = []
    steps, at = 0.0, 0.0
    for event in events:
        kind = event["kind"]
        if kind == "step":
            at, steps = _number(event.get("step")) or at, _number(event.get("steps")) or steps
            _add(training, at, event.get("loss"))
        elif kind in ("head", "epoch"):  # follows its steps
            _add(val_loss, at, event.get("val_loss"))
            _add(val_right, at, event.get("val_top1"))
    if not training:
        return ""
    loss = [Curve(t.ON_TRAIN, "train", training), Curve(t.ON_VAL, "val", val_loss)]
    right = [Curve(t.ON_VAL, "val", val_right)]
    return (
        f'<div class="charts">{chart(t.LOSS, loss, until=steps)}'
        f"{chart(t.ACCURACY, right, until=steps, share=True)}</div>"
    )


def _add(points: list[tuple[float, float]], x: float, y: object) -> None:
    if isinstance(y, int | float) and math.isfinite(y):
        points.append((x, float(y)))


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and math.isfinite(value) and value > 0:
        return float(value)
    return None


def _ratio(part: object, whole: object) -> float | None:
    a, b = _number(part), _number(whole)
    return min(1.0, a / b) if a and b else None


def _span(seconds: float) -> Text:
    if seconds < MINUTE:
        return t.UNDER_A_MINUTE
    if seconds < 1.5 * HOUR:
        return t.MINUTES.format(round(seconds / MINUTE))
    return t.HOURS.format(f"{seconds / HOUR:.1f}")
