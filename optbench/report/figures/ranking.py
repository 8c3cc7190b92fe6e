"""Ranking: mean ranks over the problems, every single rank behind them, and what a test allows one to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import matplotlib.figure
import numpy as np
import pandas as pd

from ...statistics.contest import Contest
from ...statistics.ranks import cliques, friedman, nemenyi, ranks
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, SIZES, Theme
from .canvas import FULL, Panel, Sheet, sentence, short, styled
from .figure import Figure, leading, note, over, suffix

ALPHA = 0.05
FEWEST = 6
"""With fewer problems than this no test is made."""


@dataclass(frozen=True)
class Ranking:
    """Ranks of the contestants and what can be concluded from them.

    Args:
        problems: those that every contestant ran.
        ranks: [problems, contestants], contestants by index.
        mean: over the problems.
        order: contestants by mean rank.
        solved: somebody reached some target.
        p: of Friedman's test; NaN where it cannot be made.
        cd: Nemenyi's critical difference; NaN where no test is made.
    """

    problems: tuple[str, ...]
    ranks: np.ndarray
    mean: np.ndarray
    order: tuple[int, ...]
    solved: bool
    p: float
    cd: float

    @property
    def leaders(self) -> tuple[int, ...]:
        """The contestants with the least mean rank, by index."""
        least = self.mean[self.order[0]]
        return tuple(i for i in self.order if self.mean[i] <= least + 1e-9)

    @property
    def separable(self) -> tuple[int, ...]:
        """The contestants whose distance to the leader is significant."""
        if not self.p < ALPHA:
            return ()
        return tuple(i for i in self.order if self.mean[i] > self.mean[self.order[0]] + self.cd)

    @property
    def joined(self) -> list[tuple[int, int]]:
        """Groups that cannot be told apart, as places in the order; all where Friedman finds no difference."""
        return cliques(self.mean[list(self.order)], self.cd if self.p < ALPHA else np.inf)


def cost_table(match: Contest, summary: pd.DataFrame, cost: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Median cost to the target as [problems, contestants], over the problems that every contestant ran."""
    table = summary.pivot(index="problem", columns="index", values=f"median_{cost}").reindex(
        index=list(match.problems), columns=range(len(match.contestants))
    )
    full = summary.groupby("problem")["index"].nunique() == len(match.contestants)
    kept = tuple(problem for problem in match.problems if full.get(problem, False))
    return kept, table.loc[list(kept)].to_numpy(float)


def common(shared: int, problems: int) -> str:
    """The sentence that says which problems count, where not every contestant was run on each."""
    if shared == problems:
        return ""
    if not shared:
        return " No problem was run by all of them."
    if shared == 1:
        return " Only the one problem that everybody ran counts."
    return f" Only the {numbers.word(shared)} problems that everybody ran count."


def same_cost(match: Contest, summary: pd.DataFrame) -> bool:
    """Whether the medians over steps and over evaluations are the same numbers."""
    steps, evaluations = (cost_table(match, summary, cost)[1] for cost in ("steps", "evaluations"))
    return np.array_equal(steps, evaluations, equal_nan=True)


def rank(match: Contest, summary: pd.DataFrame, cost: str) -> Ranking:
    """Ranks by median cost to the target."""
    problems, costs = cost_table(match, summary, cost)
    n, k = costs.shape
    r = ranks(costs) if n else np.empty((0, k))
    mean = r.mean(axis=0) if n else np.full(k, (k + 1) / 2)
    order = tuple(int(i) for i in np.argsort(mean, kind="stable"))
    tested = n >= FEWEST and k >= 2
    p = friedman(costs)[1] if tested else np.nan
    return Ranking(
        problems, r, mean, order, bool(np.isfinite(costs).any()), p, nemenyi(k, n, ALPHA) if tested else np.nan
    )


def ranking(match: Contest, summary: pd.DataFrame) -> list[Figure]:
    """The figure for each cost."""
    figures = []
    labels = tuple(c.label for c in match.contestants)
    for cost in over(same_cost(match, summary)):
        found = rank(match, summary, leading(cost))
        draw = partial(_draw, found, labels)
        name = "ranking" + suffix(cost)
        title = _title(found, labels)
        data = pd.DataFrame(found.ranks.T, columns=list(found.problems))
        data.insert(0, "mean_rank", found.mean)
        data.insert(0, "contestant", labels)
        figures.append(
            Figure(
                name=name,
                kind="ranking",
                cost=cost,
                title=title,
                caption=_caption(found, labels, cost, len(match.problems)),
                width="full",
                svg=page_svg(draw(PAGE), name, title),
                data=data.iloc[list(found.order)],
                draw=draw,
            )
        )
    return figures


def _title(found: Ranking, labels: Sequence[str]) -> str:
    if len(labels) < 2:
        return f"Only {labels[0]} was run; a rank needs two"
    if not found.problems:
        return "No problem was run by every optimizer: there is no common ranking"
    if not found.solved:
        return "Nobody reached a target: there is nothing to rank"
    leaders = numbers.listed([labels[i] for i in found.leaders[:3]])
    lead = f"{leaders} {'leads' if len(found.leaders) == 1 else 'lead'}"
    if np.isnan(found.cd):
        many = numbers.word(len(found.problems))
        return f"{lead}, but {many} {'problem is' if len(found.problems) == 1 else 'problems are'} too few for a test"
    apart = [labels[i] for i in found.separable]
    if not apart:
        rest = "but no distance to it is significant" if len(found.leaders) == 1 else "but no distance is significant"
        return f"{lead}, {rest}"
    others = numbers.listed(apart) if len(apart) <= 3 else f"{len(apart)} of {len(labels) - 1} others"
    return f"{lead}, significantly ahead of {others}"


def _caption(found: Ranking, labels: Sequence[str], cost: str, problems: int) -> str:
    if not found.solved or len(labels) < 2:
        return "A rank needs two optimizers and a problem that all of them were run on and that one of them solves."
    words = (
        f"Rank by median {leading(cost)} to target on each problem, ties share the mean rank, unsolved ranks last. "
        "Large dot: mean over problems; small dots: the problems (area = how many)."
    )
    words += common(len(found.problems), problems)
    if not np.isnan(found.cd):
        words += (
            " Grey: closer to the leader than the Nemenyi critical difference, "
            f"q₀.₀₅ √(k(k+1)/6N) = {numbers.fixed(found.cd, 2)}. Friedman p {numbers.p_value(found.p)}."
        )
        if not found.p < ALPHA:
            words += " Friedman's test finds no difference, so none is claimed for any pair."
        elif found.joined == [(0, len(labels) - 1)]:
            words += " The test finds a difference, but no single pair is far enough apart."
    return words + note(cost)


@styled
def _draw(found: Ranking, labels: Sequence[str], theme: Theme) -> matplotlib.figure.Figure:
    k = len(labels)
    if not found.solved or k < 2:
        return sentence(_title(found, labels) + ".", FULL, theme)
    step = 30 if k <= 14 else 19
    sheet = Sheet(FULL, 44 + step * k + 24, theme)
    panel = Panel(sheet, (137, 44, 714, step * k), (1, k), (0, k), log="", spine=False)
    every = max(1, -(-k // 12))
    panel.ticks("x", range(1, k + 1, every), lambda rank: str(int(rank)), above=True)
    for x, words, align in ((137 - 14, "← better", "left"), (851, "worse →", "right"), (924, "mean rank", "right")):
        sheet.text(x, 14, words, theme.muted, ha=align, gid="class|axis-name")
    lead = found.mean[found.order[0]]
    if not np.isnan(found.cd):
        right = float(panel.x(min(lead + found.cd, k)))
        left = float(panel.x(lead))
        sheet.box(left, panel.top, right - left, panel.height, theme.muted, alpha=0.09, zorder=0.5, gid="class|zone")
        words = f"not separable from {short(labels[found.order[0]])} (CD {numbers.fixed(found.cd, 2)})"
        sheet.text(right, panel.bottom + 14, words, theme.muted, ha="right", gid="class|zone")
        sheet.text(FULL - 2, 14, "joined: not separable", theme.muted, ha="right", gid="class|clique")
        for column, (first, last) in enumerate(found.joined):
            x = 969 + 9 * column
            ends = panel.top + step * first + 8, panel.top + step * (last + 1) - 8
            sheet.line((x, x), ends, theme.ink, 3.2, gid="class|clique")
    for row, index in enumerate(found.order):
        _row(panel, found, index, labels[index], panel.top + step * (row + 0.5), min(11.0, step * 0.5))
    return sheet.drawing


def _row(panel: Panel, found: Ranking, index: int, label: str, y: float, size: float) -> None:
    sheet, theme = panel.sheet, panel.sheet.theme
    color, own = theme.line(index), found.ranks[:, index]
    places, counts = np.unique(own, return_counts=True)
    sheet.text(
        137 - 26,
        y + 4.5,
        short(label),
        theme.text(index),
        SIZES["name"],
        ha="right",
        weight="bold",
        gid=f"rank-name|o{index}",
    )
    sheet.line(panel.x([own.min(), own.max()]), (y, y), color, 1, alpha=0.45, gid=f"rank-range|o{index}")
    for place, count in zip(places, counts, strict=True):
        sheet.marks(
            panel.x([place]), [y], "o", np.sqrt(10 + 16 * count) * size / 11, color, alpha=0.5, gid=f"rank-dot|o{index}"
        )
    sheet.marks(
        panel.x([found.mean[index]]),
        [y],
        "o",
        size,
        color,
        markeredgewidth=1.2,
        markeredgecolor=theme.bg,
        zorder=4,
        gid=f"rank-mean|o{index}",
    )
    sheet.text(
        924,
        y + 4.5,
        numbers.fixed(float(found.mean[index]), 2),
        theme.ink,
        SIZES["name"],
        ha="right",
        gid=f"rank-value|o{index}",
    )
