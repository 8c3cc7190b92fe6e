"""Sensitivity: what the learning rate does to the final gap, and which rates are good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import matplotlib.figure
import numpy as np
import pandas as pd

from ...statistics.contest import Cell, Contest, by_setting
from ...statistics.quantiles import quantile
from ...statistics.summary import on_border
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, SIZES, Theme, dash, marker
from .canvas import HALF, MARGIN, Panel, Sheet, log_ticks, short, styled
from .convergence import FLOOR, Frame
from .figure import Figure

HEIGHT = 376
BARS = 12
FACTOR = 10.0
"""A rate is good enough when its gap is within this factor of the optimizer's own best."""


@dataclass(frozen=True)
class Rates:
    """The tuning trials of one contestant on one problem.

    Args:
        index: of the contestant.
        rates: the learning rates tried, ascending.
        gaps: median final gap at each, over the tuning seeds; ∞ where too many failed.
        failed: share of the seeds that failed at each.
        chosen: the tuned rate; NaN where there is none.
        border: "low" or "high" where it lies on the border of the search space, else "".
    """

    index: int
    rates: np.ndarray
    gaps: np.ndarray
    failed: np.ndarray
    chosen: float
    border: str


def rates_of(match: Contest, cell: Cell, reference: float) -> Rates | None:
    """The tuning trials of a cell by rate; None where the rate was not searched.

    Where other settings were searched too, the best of the settings that share a rate stands for it.
    """
    trials = match.trials(cell.run["run_id"], "tuning")
    if trials.empty or "lr" not in trials or trials["lr"].isna().all():
        return None
    final, status = (by_setting(trials, name) for name in ("final_loss", "status"))
    failed = status != "ok"
    rows = trials.drop_duplicates("setting").sort_values("setting")["lr"].to_numpy(float)
    found: dict[float, tuple[float, float]] = {}
    for rate, gap, lost in zip(rows, quantile(final, 0.5) - reference, failed.mean(axis=1), strict=True):
        found[float(rate)] = min(found.get(float(rate), (np.inf, 1.0)), (float(gap), float(lost)))
    rates = np.array(sorted(found))
    gaps, failed = np.array([found[rate] for rate in rates]).T
    border = on_border(cell.settings, cell.search).get("lr", "")
    return Rates(cell.contestant, rates, gaps, failed, float(cell.settings.get("lr", np.nan)), border)


def sensitivity(
    match: Contest, problem: str, stem: str, reference: float, focus: frozenset[int], frame: Frame
) -> Figure | None:
    """The figure of one problem, on the gap axis of its convergence; None where no learning rate was searched."""
    found = [r for cell in match.cells_of(problem) if (r := rates_of(match, cell, reference)) is not None]
    found = [r for r in found if (r.rates > 0).all()]
    if not found:
        return None
    steps = int(match.cells_of(problem)[0].run["steps"])
    names = {c.index: short(c.label) for c in match.contestants}
    draw = partial(_draw, found, frame, names, focus, steps)
    labels = {c.index: c.label for c in match.contestants}
    data = pd.concat(
        [
            pd.DataFrame(
                {
                    "contestant": labels[r.index],
                    "lr": r.rates,
                    "final_gap_median": r.gaps,
                    "failed": r.failed,
                    "chosen": r.rates == r.chosen,
                }
            )
            for r in found
        ],
        ignore_index=True,
    )
    seeds = match.trials(match.cells_of(problem)[0].run["run_id"], "tuning")["seed"].nunique()
    name = f"{stem}-sensitivity"
    return Figure(
        name=name,
        kind="sensitivity",
        problem=problem,
        title="Sensitivity to the learning rate",
        caption=f"{numbers.word(seeds).capitalize()} tuning {'seed' if seeds == 1 else 'seeds'} a rate, median; ✕ at "
        f"least half of them failed. Bars: rates within {FACTOR:g}× of the optimizer's own best; marker: the chosen "
        "rate, which has the fewest steps to the target and not always the least final gap; ▸ ◂ it lies on the "
        "border of the search space. Points beyond the axis lie on its edge.",
        width="half",
        svg=page_svg(draw(PAGE), name, f"Sensitivity to the learning rate on {problem}"),
        data=data,
        draw=draw,
    )


@styled
def _draw(
    found: Sequence[Rates], frame: Frame, names: dict[int, str], focus: frozenset[int], steps: int, theme: Theme
) -> matplotlib.figure.Figure:
    sheet = Sheet(HALF, HEIGHT, theme)
    barred = [r for r in found if r.index in focus][:BARS]
    room = 14 * len(barred) + 8
    low, high = min(r.rates[0] for r in found), max(r.rates[-1] for r in found)
    low, high = (low / 1.6, high * 1.6) if high / low < 1e12 else (high / 1e12, high * 1.6)
    width = HALF - 48 - MARGIN
    rows = Panel(sheet, (48, HEIGHT - 50 - room, width, room), (low, high), (0, len(barred)), log="x")
    panel = Panel(
        sheet, (48, 44, width, HEIGHT - 50 - room - 14 - 44), (low, high), (frame.low, frame.high), spine=False
    )
    rows.log_ticks("x", most=6)
    panel.log_ticks("y", most=max(3, int(panel.height / 26)))
    hairlines = [[(x, panel.top), (x, panel.bottom)] for x in panel.x(log_ticks(low, high, 6))]
    sheet.segments(hairlines, theme.grid, zorder=0, gid="class|grid-x")
    gap = "median gap" if frame.known else "median objective − best seen"
    sheet.text(4, 17, f"{gap} after {numbers.number(steps)} steps; ✕ failed", theme.muted, gid="class|axis-name")
    rows.names(f"learning rate; bars: within {FACTOR:g}× of own best", "")
    if np.isfinite(frame.target):
        y = float(panel.y(frame.target))
        sheet.line((panel.left, panel.right), (y, y), theme.ink, 1.1, ls=(0, (1, 1.6)), gid="class|target")
    for place, r in enumerate(found):
        _curve(panel, r, frame, place - (len(found) - 1) / 2, r.index in focus)
    for row, r in enumerate(barred):
        _bar(rows, r, rows.top + 8 + 14 * row + 5, names[r.index])
    return sheet.drawing


def _curve(panel: Panel, r: Rates, frame: Frame, place: float, strong: bool) -> None:
    sheet, color = panel.sheet, panel.sheet.theme.line(r.index)
    alpha = 1 if strong else 0.22
    gaps = np.where(np.isfinite(r.gaps), np.clip(r.gaps, frame.low, frame.high), np.nan)
    x, y = panel.x(r.rates), panel.y(gaps)
    y[np.isnan(gaps)] = np.nan
    sheet.line(x, y, color, 1.6, ls=dash(r.index), alpha=alpha, zorder=3, gid=f"line|o{r.index}")
    sheet.marks(x, y, marker(r.index), 4.5, color, alpha=alpha, zorder=3, gid=f"mark|o{r.index}")
    lost = ~np.isfinite(r.gaps)
    if strong and lost.any():
        dodge = np.clip(7 * place, -24, 24)
        sheet.marks(x[lost] + dodge, np.full(int(lost.sum()), panel.top - 9), "X", 5, color, gid=f"dead|o{r.index}")


def _bar(rows: Panel, r: Rates, y: float, name: str) -> None:
    sheet, theme = rows.sheet, rows.sheet.theme
    color = theme.line(r.index)
    good = good_rates(r.gaps)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        left, right = rows.x(r.rates[first]) - 7, rows.x(r.rates[end - 1]) + 7
        sheet.box(float(left), y - 2.5, float(right - left), 5, color, alpha=0.3, gid=f"bar|o{r.index}")
    if np.isfinite(r.chosen):
        sheet.marks(rows.x([r.chosen]), [y], marker(r.index), 6.5, color, zorder=4, gid=f"mark|o{r.index}")
    words = name + {"high": " ▸", "low": " ◂"}.get(r.border, "")
    sheet.text(
        rows.right + 17, y + 4.2, words, theme.text(r.index), SIZES["label"], weight="bold", gid=f"bar-name|o{r.index}"
    )


def good_rates(gaps: np.ndarray) -> np.ndarray:
    """Which gaps are within FACTOR of the least; none where nothing is finite."""
    floored = np.maximum(gaps, FLOOR)
    return np.isfinite(gaps) & (floored <= FACTOR * floored.min(initial=np.inf))
