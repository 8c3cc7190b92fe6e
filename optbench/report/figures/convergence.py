"""Convergence: the gap to the minimum against the cost, median and middle half of the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import matplotlib.figure
import numpy as np
import pandas as pd

from ...statistics.contest import Contest
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, Theme, dash
from . import canvas
from .figure import COSTS, Figure
from .series import Series, series

HEIGHT = 376
FLOOR = 1e-14
"""Smaller gaps cannot be told from rounding and are drawn here."""
_AXIS = {"steps": "steps", "evaluations": "gradient evaluations", "seconds": "time of training"}
_TITLES = {"tuned": "Convergence at the tuned setting", "default": "Convergence at the default setting"}


@dataclass(frozen=True)
class Frame:
    """What the figures of one problem have in common, so that a change of role or cost leaves the eye in place.

    Args:
        low, high: limits of the gap axis.
        target: gap of the target; NaN where it lies below the reference.
        known: the reference is the minimum.
        reference: the objective from which gaps are measured.
    """

    low: float
    high: float
    target: float
    known: bool
    reference: float


def convergence(match: Contest, problem: str, stem: str, reference: float, focus: frozenset[int]) -> list[Figure]:
    """The figures of one problem, for each role that was run and each cost.

    Args:
        stem: beginning of their file names.
        reference: the objective from which gaps are measured.
        focus: contestants that are named, with band and crosses.
    """
    cells = match.cells_of(problem)
    roles = [role for role in ("tuned", "default") if role == "default" or any(c.role == role for c in cells)]
    lines = {role: [s for cell in cells if (s := series(match, cell, role, reference)) is not None] for role in roles}
    lines = {role: found for role, found in lines.items() if found}
    frame = _frame(match, problem, [s for found in lines.values() for s in found], reference)
    names = {c.index: canvas.short(c.label) for c in match.contestants}
    full = {c.index: c.label for c in match.contestants}
    figures = []
    for role, found in lines.items():
        for cost in COSTS:
            draw = partial(_draw, found, frame, names, focus, cost)
            name = "-".join([stem, "convergence", *([role] if role != "tuned" else []), *([cost] if cost != "steps" else [])])
            figures.append(
                Figure(
                    name=name,
                    kind="convergence",
                    problem=problem,
                    cost=cost,
                    role=role,
                    title=_TITLES[role],
                    caption=_caption(found, frame, cost),
                    width="half",
                    svg=page_svg(draw(PAGE), name, f"{_TITLES[role]} on {problem}, over {_AXIS[cost]}"),
                    data=_table(found, full),
                    draw=draw,
                )
            )
    return figures


def _frame(match: Contest, problem: str, lines: Sequence[Series], reference: float) -> Frame:
    run = match.cells_of(problem)[0].run
    target = float(run["target"]) - reference
    target = target if target > FLOOR else np.nan
    learning = match.about[problem].get("family") == "learning"
    medians = np.concatenate([s.median[1:] for s in lines] or [np.empty(0)])
    medians = medians[np.isfinite(medians)]
    starts = [s.median[0] for s in lines if len(s.median) and np.isfinite(s.median[0]) and s.median[0] > 0]
    largest = min(float(medians.max(initial=FLOOR)), 1e3 * max(starts, default=1.0))
    top = 1.8 * max(largest, max(starts, default=FLOOR), target if np.isfinite(target) else FLOOR)
    positive = medians[medians > 0]
    smallest = max(float(positive.min(initial=top)), FLOOR)
    if np.isfinite(target):
        bottom = max(target / (30 if learning else 3e4), min(target, smallest) / 10)
    else:
        bottom = max(smallest / 2, top * 1e-6)
    bottom = 10.0 ** np.floor(np.log10(bottom) + 1e-9) if top / bottom > 30 else bottom
    return Frame(max(float(bottom), FLOOR), max(top, 10 * float(bottom)), target, np.isfinite(run["minimum"]), reference)


def _caption(lines: Sequence[Series], frame: Frame, cost: str) -> str:
    seeds = max((s.seeds for s in lines), default=0)
    over = "Median of one evaluation seed" if seeds == 1 else f"Median of {numbers.word(seeds)} evaluation seeds, band = middle half, none where a quartile is ∞"
    parts = [over]
    if any(len(s.died) for s in lines):
        parts.append("✕ a failed seed, where it was last seen; a line ends when half of its seeds have failed")
    parts.append("↓ with a number: leaves the axis below at that cost")
    sentences = "; ".join(parts) + "."
    if not frame.known:
        sentences += f" The minimum is unknown: the gap is taken to {numbers.number(frame.reference)}, the least objective seen here."
    if cost == "seconds":
        sentences += " Seconds are steps × the time of one step measured alone, unless trials ran one at a time."
    return sentences


def _table(lines: Sequence[Series], labels: dict[int, str]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"contestant": labels[s.index], **s.costs, "gap_median": s.median, "gap_q1": s.q1, "gap_q3": s.q3})
        for s in lines
    ]
    return pd.concat(parts, ignore_index=True)


@canvas.styled
def _draw(
    lines: Sequence[Series], frame: Frame, names: dict[int, str], focus: frozenset[int], cost: str, theme: Theme
) -> matplotlib.figure.Figure:
    drawing = canvas.sheet(canvas.HALF, HEIGHT, theme)
    ax = canvas.panel(drawing, theme, 48, 30, canvas.HALF - 48 - canvas.MARGIN, HEIGHT - 30 - 50)
    positive = [x[x > 0] for s in lines if (x := s.costs[cost]).size]
    ends = [x for x in positive if x.size]
    low = 1.0 if cost != "seconds" else min((x[0] for x in ends), default=1e-3)
    high = max((x[-1] for x in ends), default=10 * low)
    high = max(float(high), 2 * low)
    label = canvas.seconds_tick if cost == "seconds" else canvas.tick_text
    canvas.log_axis(drawing, ax, theme, "x", low, high, also=[] if cost == "seconds" else [high], most=5, label=label)
    canvas.log_axis(drawing, ax, theme, "y", frame.low, frame.high)
    canvas.axis_names(drawing, ax, theme, _AXIS[cost], "objective gap f − f*" if frame.known else "objective − best seen")
    if np.isfinite(frame.target):
        ax.axhline(frame.target, color=theme.ink, lw=1.1, ls=(0, (1, 1.6)), zorder=1.9, gid="class.target")
        ax.annotate(f"target {numbers.number(frame.target)}", (0, frame.target), (1, 3), xycoords=("axes fraction", "data"), textcoords="offset points", color=theme.muted, size=11.5)
    labels = []
    for s in lines:
        x = s.costs[cost]
        shown = x > 0
        x, median, q1, q3 = x[shown], s.median[shown], s.q1[shown], s.q3[shown]
        strong = s.index in focus
        finite = np.isfinite(median)
        color = theme.line(s.index)
        if strong and s.seeds > 1:
            _band(ax, x, q1, q3, frame, color, s.index)
        if finite.any():
            at = canvas.thinned(int(finite.sum()), 120)
            ax.plot(x[finite][at], np.maximum(median[finite][at], FLOOR / 10), color=color, lw=1.9, ls=dash(s.index), alpha=1 if strong else 0.22, gid=f"line.o{s.index}", zorder=3)
        if strong:
            _crosses(ax, s, cost, frame, color)
            labels.append(_label(ax, drawing, s, x, median, frame, names[s.index], cost))
    canvas.end_labels(drawing, ax, theme, labels)
    return drawing


def _band(ax, x, q1, q3, frame: Frame, color: str, index: int) -> None:
    both = np.isfinite(q1) & np.isfinite(q3)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], both, [False]]).astype(int)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        if last - first < 2:
            continue
        at = first + canvas.thinned(last - first, 40)
        lower = np.maximum(q1[at], frame.low / 10)
        upper = np.maximum(q3[at], frame.low / 10)
        ax.fill_between(x[at], lower, upper, color=color, alpha=0.1, lw=0, gid=f"band.o{index}", zorder=2)


def _crosses(ax, s: Series, cost: str, frame: Frame, color: str) -> None:
    if not len(s.died) or not len(s.costs[cost]):
        return
    x = np.interp(s.died[:, 0], np.arange(len(s.costs[cost])), s.costs[cost])
    y = np.clip(np.nan_to_num(s.died[:, 1], nan=frame.high, posinf=frame.high), frame.low, frame.high)
    inside = np.maximum(x, ax.get_xlim()[0])
    ax.plot(inside, y, ls="", marker="X", ms=6, mew=0, color=color, gid=f"dead.o{s.index}", zorder=4, clip_on=False)


def _label(ax, drawing, s: Series, x, median, frame: Frame, name: str, cost: str) -> canvas.EndLabel:
    words = name + (f" ✕{len(s.died)}/{s.seeds}" if len(s.died) else "")
    finite = np.isfinite(median)
    if not finite.any() or not finite[-1]:
        return canvas.EndLabel(s.index, words, None, -1.0 - s.index / 1000)
    if median[-1] < frame.low:
        below = np.flatnonzero(median >= frame.low)
        left = x[min(below[-1] + 1, len(x) - 1)] if len(below) else x[0]
        words += f" ↓{numbers.seconds(left) if cost == 'seconds' else numbers.number(left)}"
        return canvas.EndLabel(s.index, words, None, float(left))
    value = min(median[-1], frame.high)
    pixel = drawing.bbox.height - ax.transData.transform((x[-1], value))[1]
    return canvas.EndLabel(s.index, words, float(pixel))


