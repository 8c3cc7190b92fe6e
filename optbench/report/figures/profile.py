"""Performance profile: on how many problems is an optimizer within a factor of the fastest?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import matplotlib.figure
import numpy as np
import pandas as pd

from ...statistics.contest import Contest
from ...statistics.profiles import profile as profile_at
from ...statistics.profiles import ratios
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, Theme, dash
from .canvas import HALF, MARGIN, Panel, Sheet, sentence, short, styled
from .figure import Figure, leading, note, over, suffix
from .labels import EndLabel, end_labels
from .ranking import common, cost_table, same_cost

HEIGHT = 336
LARGEST = 2.0**10
"""Greater factors are not drawn."""


def profiles(match: Contest, summary: pd.DataFrame, focus: frozenset[int]) -> list[Figure]:
    """The figure for each cost."""
    figures = []
    labels = tuple(c.label for c in match.contestants)
    for cost in over(same_cost(match, summary)):
        problems, costs = cost_table(match, summary, leading(cost))
        r = ratios(np.maximum(costs, 1e-12)) if len(problems) else np.empty((0, len(labels)))
        draw = partial(_draw, r, labels, focus)
        name = "profile" + suffix(cost)
        data = pd.DataFrame(r, columns=list(labels))
        data.insert(0, "problem", problems)
        words = (
            f"Share of problems on which the median {leading(cost)} to target are at most τ times those of the fastest "
            "optimizer; unsolved problems never count."
        )
        if not np.isfinite(r).any():
            words = "A profile needs a problem that every optimizer was run on and that one of them solves."
        words += common(len(problems), len(match.problems))
        figures.append(
            Figure(
                name=name,
                kind="profile",
                cost=cost,
                title="Performance profile",
                caption=words
                + (" Coinciding lines are drawn side by side." + note(cost) if np.isfinite(r).any() else ""),
                width="half",
                svg=page_svg(draw(PAGE), name, f"Performance profile over {cost}"),
                data=data,
                draw=draw,
            )
        )
    return figures


@styled
def _draw(r: np.ndarray, labels: Sequence[str], focus: frozenset[int], theme: Theme) -> matplotlib.figure.Figure:
    finite = r[np.isfinite(r)]
    if not finite.size:
        why = "Nobody reached a target" if len(r) else "No problem was run by every optimizer"
        return sentence(f"{why}: there is no profile.", HALF, theme)
    sheet = Sheet(HALF, HEIGHT, theme)
    n = len(r)
    high = min(2.0 ** max(1, math.ceil(math.log2(float(finite.max())) + 1e-9)), LARGEST)
    panel = Panel(sheet, (48, 32, HALF - 48 - MARGIN, HEIGHT - 32 - 50), (1, high), (0, n), log="x")
    powers = range(int(math.log2(high)) + 1)
    panel.ticks("x", [2.0**e for e in powers][:: -(-len(powers) // 6)], lambda tau: f"{tau:g}×")
    if n <= 6:
        panel.ticks("y", range(n + 1), lambda count: str(int(count)))
    else:
        panel.ticks("y", [n * share for share in (0, 0.25, 0.5, 0.75, 1)], lambda count: numbers.percent(count / n))
    panel.names("factor τ to the fastest", f"problems solved (of {n})")
    at = np.unique(np.concatenate([[1.0], finite[finite <= high], [high]]))
    counts = profile_at(r, at) * n
    wanted = []
    for index, label in enumerate(labels):
        twins = sum(bool((counts[:, other] == counts[:, index]).any()) for other in range(index))
        shift = 0.9 * twins if n <= 20 and len(labels) <= 12 else 0.0
        x = panel.x(np.repeat(at, 2)[1:])
        y = panel.y(np.repeat(counts[:, index], 2)[:-1]) - shift
        strong = index in focus
        style = {"ls": dash(index), "alpha": 1 if strong else 0.22, "zorder": 3, "gid": f"line|o{index}"}
        sheet.line(x, y, theme.line(index), 1.9, **style)
        if strong:
            wanted.append(EndLabel(index, short(label), float(y[-1])))
    end_labels(panel, wanted)
    return sheet.drawing
