"""What the schedule changes: steps to target with another schedule as a multiple of those with the plain one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import matplotlib.figure
import numpy as np
import pandas as pd

from ...statistics.contest import Contest
from ...statistics.quantiles import median
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, SIZES, Theme, marker
from .canvas import HALF, MARGIN, Panel, Sheet, short, styled
from .figure import Figure

LEFT = 112
FEWEST, LARGEST = 2.0, 16.0
"""The axis reaches at least and at most this far to either side."""


@dataclass(frozen=True)
class Change:
    """Median steps to target of one contestant on one problem, both schedules at their own tuned setting."""

    problem: int
    index: int
    plain: float
    other: float
    name: str

    @property
    def ratio(self) -> float:
        """other / plain: ∞ where only the plain schedule arrives, 0 where only the other does, NaN where none does."""
        if np.isinf(self.plain):
            return np.nan if np.isinf(self.other) else 0.0
        return self.other / max(self.plain, 1.0)


def schedules(match: Contest, focus: frozenset[int]) -> Figure | None:
    """The figure; None where no optimizer was tuned with more than one schedule.

    Args:
        focus: contestants that are drawn.
    """
    names = dict(zip(match.parts.results.runs["run_id"], match.parts.results.runs["schedule"], strict=True))
    several = [cell for cell in match.cells.values() if len(cell.rivals) > 1 and cell.role == "tuned"]
    used = list(dict.fromkeys(names[run_id] for cell in several for run_id in cell.rivals))
    if len(used) < 2:
        return None
    plain = "constant" if "constant" in used else used[0]
    changes = []
    for cell in several:
        steps = {
            names[i]: float(median(match.trials(i, "tuned")["steps_to_target"].to_numpy(float))) for i in cell.rivals
        }
        others = {name: value for name, value in steps.items() if name != plain}
        if plain in steps and others:
            best = min(others, key=lambda name: others[name])
            where = match.problems.index(cell.problem)
            changes.append(Change(where, cell.contestant, steps[plain], others[best], best))
    if not changes:
        return None
    other = next(name for name in used if name != plain) if len(used) == 2 else "the best other schedule"
    labels = {c.index: c.label for c in match.contestants}
    shown = [change for change in changes if change.index in focus]
    draw = partial(_draw, shown, match.problems, {i: short(label) for i, label in labels.items()}, plain, other)
    title = f"{other[0].upper()}{other[1:]} against {plain}"
    return Figure(
        name="schedules",
        kind="schedules",
        title=title,
        caption=f"Median steps to target with {other} as a multiple of those with {plain}, each at its own tuned "
        f"setting; left of 1×: {other} is faster. At the edges only one of the two arrives; where neither does there "
        "is no mark.",
        width="half",
        svg=page_svg(draw(PAGE), "schedules", title),
        data=pd.DataFrame(
            {
                "problem": match.problems[c.problem],
                "contestant": labels[c.index],
                "plain": plain,
                "plain_median_steps": c.plain,
                "other": c.name,
                "other_median_steps": c.other,
                "ratio": c.ratio,
            }
            for c in changes
        ),
        draw=draw,
    )


@styled
def _draw(
    changes: Sequence[Change], problems: Sequence[str], names: dict[int, str], plain: str, other: str, theme: Theme
) -> matplotlib.figure.Figure:
    rows = sorted({change.problem for change in changes})
    own = sorted({change.index for change in changes})
    row = max(20.0, 5.5 * len(own) + 9)
    height = max(row * len(rows), 15.0 * len(own))
    row = height / len(rows)
    sheet = Sheet(HALF, 44 + height + 50, theme)
    ratios = np.array([change.ratio for change in changes])
    inner = np.abs(np.log2(ratios[np.isfinite(ratios) & (ratios > 0)]))
    reach = float(np.clip(2 ** np.ceil(inner.max(initial=1.0) + 1e-9), FEWEST, LARGEST))
    edge = 16.0
    width = HALF - LEFT - MARGIN
    panel = Panel(sheet, (LEFT + edge, 44, width - 2 * edge, height), (1 / reach, reach), (0, len(rows)), log="x")
    powers = int(np.log2(reach))
    panel.ticks(
        "x", [2.0**e for e in range(-powers, powers + 1) if powers <= 2 or e % 2 == powers % 2 or e == 0], _factor
    )
    sheet.text(LEFT, 18, f"← {short(other, 24)} faster", theme.muted, gid="class|axis-name")
    sheet.text(LEFT + width, 18, f"{short(plain, 24)} faster →", theme.muted, ha="right", gid="class|axis-name")
    sheet.text(
        panel.right,
        panel.bottom + 38,
        "ratio of median steps to target",
        theme.muted,
        ha="right",
        gid="class|axis-name",
    )
    one = float(panel.x(1))
    sheet.line((one, one), (panel.top, panel.bottom), theme.muted, 0.8, gid="class|one")
    for place, problem in enumerate(rows):
        top = panel.top + place * row
        sheet.text(
            LEFT - 8, top + row / 2 + 4, short(problems[problem], 18), theme.muted, ha="right", gid="class|tick-y"
        )
        if place:
            sheet.segments([[(LEFT, top), (LEFT + width, top)]], theme.grid, zorder=0, gid="class|grid-y")
    for change in changes:
        if np.isnan(change.ratio):
            continue
        y = panel.top + row * (rows.index(change.problem) + (own.index(change.index) + 1) / (len(own) + 1))
        outside = {0.0: panel.left - edge, np.inf: panel.right + edge}.get(change.ratio)
        x = float(panel.x(np.clip(change.ratio, 1 / reach, reach))) if outside is None else outside
        color = theme.line(change.index)
        sheet.line((one, x), (y, y), color, 1.2, alpha=0.55, gid=f"range|o{change.index}")
        sheet.marks([x], [y], marker(change.index), 6, color, zorder=3, gid=f"mark|o{change.index}")
    for place, index in enumerate(own):
        y = panel.top + 7 + 15 * place
        sheet.marks([LEFT + width + 22], [y], marker(index), 6, theme.line(index), gid=f"key|o{index}")
        sheet.text(
            LEFT + width + 31,
            y + 4.2,
            names[index],
            theme.text(index),
            SIZES["label"],
            weight="bold",
            gid=f"key|o{index}",
        )
    return sheet.drawing


def _factor(ratio: float) -> str:
    """½×, 1×, 2× and so on, with three digits."""
    return f"{numbers.number(ratio)}×"
