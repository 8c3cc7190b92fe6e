"""Heat map: cost to the target as a multiple of the fastest contestant's. The page shows the same as an HTML table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import matplotlib.figure
import numpy as np
import pandas as pd

from ...statistics.contest import Contest
from ...statistics.profiles import ratios
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, SIZES, Theme, dash
from .canvas import FULL, Sheet, short, styled
from .figure import Figure, leading, note, over, suffix
from .ranking import rank, same_cost

LEFT, PRICE = 150, 74
"""Room for the names of problems, and for the cost of the fastest."""
ROW, HEAD = 30, 40


@dataclass(frozen=True)
class HeatCell:
    """One pair. ratio: ∞ where the median seed does not arrive, NaN where it was not run."""

    ratio: float
    successes: int
    seeds: int
    diverged: int

    @property
    def words(self) -> tuple[str, str]:
        """What stands in the cell, and the remark behind it: as `optbench.report.tables` has it."""
        count = f"{self.successes}/{self.seeds}"
        if np.isnan(self.ratio):
            return numbers.MISSING, ""
        if np.isinf(self.ratio):
            return count, f"✕{self.diverged}" if self.diverged else ""
        return numbers.ratio(self.ratio), count if self.successes < self.seeds else ""


def shade(ratio: float) -> float:
    """How strongly a cell of this ratio is coloured, 0.06 to 0.8."""
    return 0.06 + 0.74 * max(0.0, 1 - math.log2(ratio) / 4.5) ** 1.5


def heats(match: Contest, summary: pd.DataFrame) -> list[Figure]:
    """The figure for each cost; none where there is one contestant only."""
    if len(match.contestants) < 2:
        return []
    labels = [c.label for c in match.contestants]
    pairs = {(row["problem"], row["index"]): row for row in summary.to_dict("records")}
    order = rank(match, summary, "steps").order
    figures = []
    for cost in over(same_cost(match, summary)):
        column = f"median_{leading(cost)}"
        prices = [min(pairs[p, i][column] for i in order if (p, i) in pairs) for p in match.problems]
        cells = [
            [_cell(pairs.get((p, i)), column, price) for i in order]
            for p, price in zip(match.problems, prices, strict=True)
        ]
        fastest = [numbers.amount(v, leading(cost)) if np.isfinite(v) else "none" for v in prices]
        draw = partial(_draw, match.problems, fastest, order, [short(labels[i]) for i in order], cells)
        name, title = "ratios" + suffix(cost), "Where each one wins and where it fails"
        data = pd.DataFrame([[cell.ratio for cell in row] for row in cells], columns=[labels[i] for i in order])
        data.insert(0, f"fastest_{column}", prices)
        data.insert(0, "problem", match.problems)
        figures.append(
            Figure(
                name=name,
                kind="ratios",
                cost=cost,
                title=title,
                caption=f"Median {leading(cost)} to the target as a multiple of the fastest optimizer's; 1× is the fastest. "
                "Hatched: the median seed does not arrive; the count says how many do, ✕ how many diverged."
                + note(cost),
                width="full",
                svg=page_svg(draw(PAGE), name, title),
                data=data,
                draw=draw,
            )
        )
    return figures


def _cell(row: dict | None, column: str, price: float) -> HeatCell:
    if row is None:
        return HeatCell(np.nan, 0, 0, 0)
    ratio = float(ratios([[price, row[column]]])[0, 1])
    return HeatCell(ratio, row["successes"], row["seeds"], row["diverged"])


@styled
def _draw(
    problems: Sequence[str],
    fastest: Sequence[str],
    order: Sequence[int],
    names: Sequence[str],
    cells: Sequence[Sequence[HeatCell]],
    theme: Theme,
) -> matplotlib.figure.Figure:
    upright = len(order) > 8
    top = HEAD + (70 if upright else 0)
    sheet = Sheet(FULL, top + ROW * len(problems) + 4, theme)
    start = LEFT + PRICE + 8
    width = min((FULL - start) / len(order), 120)
    for column, (index, name) in enumerate(zip(order, names, strict=True)):
        x = start + width * (column + 0.5)
        sheet.line((x - 12, x + 12), (8, 8), theme.line(index), 2.4, ls=dash(index), gid=f"key|o{index}")
        turned = {"rotation": 90, "va": "bottom"} if upright else {}
        sheet.text(
            x,
            top - 12,
            name,
            theme.text(index),
            SIZES["label"],
            ha="center",
            weight="bold",
            gid=f"name|o{index}",
            **turned,
        )
    sheet.text(LEFT + PRICE, top - 12, "fastest", theme.muted, ha="right", gid="class|axis-name")
    for row, (problem, price) in enumerate(zip(problems, fastest, strict=True)):
        y = top + ROW * row
        sheet.text(0, y + 19, short(problem, 22), theme.ink, SIZES["label"], weight="bold", gid="class|tick-y")
        sheet.text(LEFT + PRICE, y + 19, price, theme.muted, ha="right", gid="class|tick-y")
        for column, (index, cell) in enumerate(zip(order, cells[row], strict=True)):
            _box(sheet, start + width * column + 1, y + 1, width - 2, cell, index)
    return sheet.drawing


def _box(sheet: Sheet, x: float, y: float, width: float, cell: HeatCell, index: int) -> None:
    theme, gid = sheet.theme, f"cell|o{index}"
    words, remark = cell.words
    ink, small = theme.ink, theme.muted
    size = SIZES["tick"] if width >= 40 else 9.0
    if np.isfinite(cell.ratio):
        alpha = shade(cell.ratio)
        sheet.box(x, y, width, ROW - 2, theme.heat, alpha=alpha, gid=gid)
        ink, small = (theme.bg, theme.bg) if alpha > 0.6 else (ink, small)
    elif not np.isnan(cell.ratio):
        sheet.box(x, y, width, ROW - 2, "none", edgecolor=theme.grid, linewidth=0.8, gid=gid)
        ends = _stripes(x, y, width, ROW - 2)
        sheet.segments(ends, theme.grid, 0.8, zorder=1, gid=gid)
        ink, small = theme.muted, theme.failure
    middle = x + width / 2
    if remark and width >= 64:
        sheet.text(middle - 2, y + 18.5, words, ink, size, ha="right", zorder=4, gid=gid)
        sheet.text(middle + 4, y + 18.5, remark, small, 10.0, zorder=4, gid=gid)
    elif remark:
        sheet.text(middle, y + 13, words, ink, size, ha="center", zorder=4, gid=gid)
        sheet.text(middle, y + 24, remark, small, 9.0, ha="center", zorder=4, gid=gid)
    else:
        sheet.text(middle, y + 18.5, words, ink, size, ha="center", zorder=4, gid=gid)


def _stripes(x: float, y: float, width: float, height: float, apart: float = 6.0) -> list[list[tuple[float, float]]]:
    """Rising diagonals through a rectangle, cut at its edges."""
    offsets = np.arange(apart, width + height, apart)
    return [
        [
            (x + max(0.0, d - height), y + min(d, height)),
            (x + min(d, width), y + max(0.0, d - width)),
        ]
        for d in offsets.tolist()
    ]
