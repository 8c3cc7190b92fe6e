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
from .canvas import HALF, MARGIN, Panel, Sheet, short, styled, thinned
from .figure import Figure, leading, over, suffix
from .labels import EndLabel, end_labels
from .series import Series, series

HEIGHT = 376
FLOOR = 1e-14
"""Smaller gaps cannot be told from rounding and are drawn here."""
_AXIS = {
    "steps evaluations": "steps = gradient evaluations",
    "steps": "steps",
    "evaluations": "gradient evaluations",
    "seconds": "time of training",
}
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


def convergence(
    match: Contest, problem: str, stem: str, reference: float, focus: frozenset[int]
) -> tuple[list[Figure], Frame]:
    """The figures of one problem, for each role that was run and each cost, and the frame they stand in.

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
    names = {c.index: short(c.label) for c in match.contestants}
    full = {c.index: c.label for c in match.contestants}
    figures = []
    for role, found in lines.items():
        table, data = f"{stem}-convergence" + ("-default" if role == "default" else ""), _table(found, full)
        for cost in over(all(_one_evaluation_a_step(s) for s in found)):
            draw = partial(_draw, found, frame, names, focus, cost)
            name = table + suffix(cost)
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
                    data=data,
                    shared=table,
                    draw=draw,
                )
            )
    return figures, frame


def _one_evaluation_a_step(s: Series) -> bool:
    """Whether steps and evaluations of these curves are the same numbers."""
    same = np.array_equal(s.costs["steps"], s.costs["evaluations"])
    return same and s.budget["steps"] == s.budget["evaluations"]


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
    return Frame(
        max(float(bottom), FLOOR),
        max(top, 100 * float(bottom), 100 * FLOOR),
        target,
        np.isfinite(run["minimum"]),
        reference,
    )


def _caption(lines: Sequence[Series], frame: Frame, cost: str) -> str:
    seeds = max((s.seeds for s in lines), default=0)
    over = (
        "Median of one evaluation seed"
        if seeds == 1
        else f"Median of {numbers.word(seeds)} evaluation seeds, band = middle half, none where a quartile is ∞"
    )
    parts = [over]
    if any(len(s.died) for s in lines):
        parts.append("✕ a failed seed, where it was last seen; a line ends when half of its seeds have failed")
    if any(s.median.size and s.median[-1] < frame.low for s in lines):
        parts.append("↓ with a number: leaves the axis below at that cost")
    sentences = "; ".join(parts) + "."
    if not frame.known:
        least = numbers.number(frame.reference)
        sentences += f" The minimum is unknown: the gap is taken to {least}, the least objective seen here."
    if cost == "seconds":
        sentences += " Seconds are steps × the time of one step measured alone, unless trials ran one at a time."
    return sentences


def _table(lines: Sequence[Series], labels: dict[int, str]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"contestant": labels[s.index], **s.costs, "gap_median": s.median, "gap_q1": s.q1, "gap_q3": s.q3})
        for s in lines
    ]
    return pd.concat(parts, ignore_index=True)


@styled
def _draw(
    lines: Sequence[Series], frame: Frame, names: dict[int, str], focus: frozenset[int], cost: str, theme: Theme
) -> matplotlib.figure.Figure:
    sheet = Sheet(HALF, HEIGHT, theme)
    axis, cost = _AXIS[cost], leading(cost)
    ends = [x[x > 0] for s in lines if (x := s.costs[cost]).size and x[-1] > 0]
    low = min((float(x[0]) for x in ends), default=1e-3 if cost == "seconds" else 1.0)
    whole = [s.budget[cost] for s in lines if np.isfinite(s.budget[cost])]
    high = max([*(float(x[-1]) for x in ends), *whole, 2 * low])
    words = {s.index: _words(s, frame, names[s.index], cost) for s in lines if s.index in focus}
    margin = min(max(MARGIN, 22 + 6.8 * max(map(len, words.values()), default=0)), 1.6 * MARGIN)
    panel = Panel(sheet, (48, 32, HALF - 48 - margin, HEIGHT - 32 - 50), (low, high), (frame.low, frame.high))
    if cost == "seconds":
        panel.log_ticks("x", most=4, label=numbers.seconds)
    else:
        panel.log_ticks("x", also=[high], most=5)
    panel.log_ticks("y")
    panel.names(axis, "objective gap f − f*" if frame.known else "objective − best seen")
    if np.isfinite(frame.target):
        height = float(panel.y(frame.target))
        sheet.line((panel.left, panel.right), (height, height), theme.ink, 1.1, ls=(0, (1, 1.6)), gid="class|target")
        sheet.text(
            panel.left + 2, height - 4, f"target {numbers.number(frame.target)}", theme.muted, gid="class|target"
        )
    labels = [label for s in lines if (label := _curve(panel, s, frame, words.get(s.index, ""), cost))]
    end_labels(panel, labels)
    return sheet.drawing


def _words(s: Series, frame: Frame, name: str, cost: str) -> str:
    """What is written beside a line: its name, failed seeds, and where it leaves the axis below."""
    words = name + (f" ✕{len(s.died)}/{s.seeds}" if len(s.died) else "")
    left = _leaves(s, frame, cost)
    if np.isfinite(left):
        words += f" ↓{numbers.seconds(left) if cost == 'seconds' else numbers.number(left)}"
    return words


def _leaves(s: Series, frame: Frame, cost: str) -> float:
    """The cost from which on the median lies below the axis; NaN where it does not, or where the line ends early."""
    shown = s.costs[cost] > 0
    x, median = s.costs[cost][shown], s.median[shown]
    if s.ended or not median.size or not median[-1] < frame.low:
        return np.nan
    inside = np.flatnonzero(median >= frame.low)
    return float(x[inside[-1] + 1 if inside.size else 0])


def _curve(panel: Panel, s: Series, frame: Frame, words: str, cost: str) -> EndLabel | None:
    """One contestant: line, and where it is named band, crosses and the label that is still to be placed."""
    strong = bool(words)
    shown = s.costs[cost] > 0
    x, median, q1, q3 = s.costs[cost][shown], s.median[shown], s.q1[shown], s.q3[shown]
    finite = np.flatnonzero(np.isfinite(median))
    color = panel.sheet.theme.line(s.index)
    if strong and s.seeds > 1:
        _band(panel, x, q1, q3, color, s.index)
    if finite.size:
        at = finite[thinned(finite.size, 120)]
        style = {"ls": dash(s.index), "alpha": 1 if strong else 0.22, "zorder": 3, "gid": f"line|o{s.index}"}
        panel.sheet.line(panel.x(x[at]), panel.y(median[at]), color, 1.9, panel, **style)
    if not strong:
        return None
    if len(s.died) and s.costs[cost].size:
        position = np.interp(s.died[:, 0], np.arange(s.costs[cost].size), s.costs[cost])
        gap = np.clip(np.nan_to_num(s.died[:, 1], nan=np.inf), frame.low, frame.high)
        place = panel.x(np.maximum(position, panel.xlim[0])), panel.y(gap)
        panel.sheet.marks(*place, "X", 6, color, gid=f"dead|o{s.index}", zorder=4)
    if s.ended or not finite.size:
        return EndLabel(s.index, words, None, -1 + s.index / 1000)
    left = _leaves(s, frame, cost)
    if np.isfinite(left):
        return EndLabel(s.index, words, None, left)
    return EndLabel(s.index, words, float(panel.y(min(median[-1], frame.high))), x=float(panel.x(x[-1])))


def _band(panel: Panel, x: np.ndarray, q1: np.ndarray, q3: np.ndarray, color: str, index: int) -> None:
    """The middle half of the seeds, where both quartiles are finite; an infinite one would paint to the edge."""
    both = np.isfinite(q1) & np.isfinite(q3)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], both, [False]]).astype(int)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if end - first > 1:
            at = first + thinned(end - first, 40)
            panel.sheet.area(
                panel.x(x[at]),
                panel.y(q1[at]),
                panel.y(q3[at]),
                color,
                panel,
                alpha=0.1,
                zorder=2,
                gid=f"band|o{index}",
            )
