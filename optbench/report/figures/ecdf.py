"""ECDF of runtimes: which share of all (problem, target, seed) triples is reached within a cost?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import matplotlib.figure
import numpy as np
import pandas as pd

from ...statistics.contest import Cell, Contest
from ...statistics.runtime import ecdf as distribution
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, Theme, dash
from .canvas import HALF, MARGIN, Panel, Sheet, sentence, short, styled, thinned
from .figure import COSTS, Figure, leading, note, over, suffix
from .labels import EndLabel, end_labels

HEIGHT = 336


@dataclass(frozen=True)
class Steps:
    """The distribution of one contestant: where it jumps, its value from there on, and the median cost of failures."""

    index: int
    at: np.ndarray
    share: np.ndarray
    failed: float


def runtimes(match: Contest, cell: Cell) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Runtimes of one cell over (seed, target) by cost, and what the whole run of each triple cost.

    Returns:
        Steps to each target [trials, targets], ∞ where it was never reached; and for each cost a pair of such arrays
        stacked: [2, trials, targets], runtime and budget.
    """
    run = cell.run
    trials = match.trials(run["run_id"], cell.role)
    targets = np.asarray(match.about[cell.problem].get("targets") or [run["target"]], float)
    hits = match.hits(run["run_id"], cell.role)
    row = pd.Index(trials["trial"]).get_indexer(pd.Index(hits["trial"]))
    column = np.array([int(np.abs(targets - t).argmin()) for t in hits["target"]], int)
    shape = (len(trials), len(targets))
    found = {"steps": np.full(shape, np.inf), "evaluations": np.full(shape, np.inf)}
    found["steps"][row, column] = hits["step"].to_numpy(float)
    found["evaluations"][row, column] = hits["evaluations"].to_numpy(float)
    found["seconds"] = found["steps"] * float(run["step_seconds"])
    whole = {
        "steps": np.full(len(trials), float(run["steps"])),
        "evaluations": trials["evaluations"].to_numpy(float),
        "seconds": np.full(len(trials), float(run["steps"]) * float(run["step_seconds"])),
    }
    both = {cost: np.stack([found[cost], np.broadcast_to(whole[cost][:, None], shape)]) for cost in COSTS}
    return found["steps"], both


def ecdfs(match: Contest, focus: frozenset[int]) -> list[Figure]:
    """The figure for each cost; a problem that a contestant did not run is left out of its triples only."""
    parts: dict[int, dict[str, list[np.ndarray]]] = {}
    for cell in match.cells.values():
        _, both = runtimes(match, cell)
        for cost in COSTS:
            parts.setdefault(cell.contestant, {}).setdefault(cost, []).append(both[cost].reshape(2, -1))
    labels = tuple(c.label for c in match.contestants)
    figures = []
    same = all(
        np.array_equal(a, b) for own in parts.values() for a, b in zip(own["steps"], own["evaluations"], strict=True)
    )
    for cost in over(same):
        lines, longest = [], 0.0
        for index, own in parts.items():
            runtime, budget = np.concatenate(own[leading(cost)], axis=1)
            at, share = distribution(runtime)
            failed = budget[~np.isfinite(runtime)]
            lines.append(Steps(index, at, share, float(np.median(failed)) if failed.size else np.nan))
            longest = max(longest, float(np.nanmax(budget, initial=0.0)))
        draw = partial(_draw, lines, longest, cost, labels, focus)
        name = "ecdf" + suffix(cost)
        figures.append(
            Figure(
                name=name,
                kind="ecdf",
                cost=cost,
                title="ECDF of runtimes",
                caption=_caption(lines, cost),
                width="half",
                svg=page_svg(draw(PAGE), name, f"Distribution of runtimes over {cost}"),
                data=pd.concat(
                    [
                        pd.DataFrame({"contestant": labels[s.index], leading(cost): s.at, "share": s.share})
                        for s in lines
                    ],
                    ignore_index=True,
                ),
                draw=draw,
            )
        )
    return figures


def _caption(lines: Sequence[Steps], cost: str) -> str:
    if not any(s.at.size for s in lines):
        return "A distribution needs a seed that reaches a target."
    return (
        f"Share of all (problem, target, seed) triples that are reached within this many {leading(cost)}; what was never "
        "reached stays in the count. ✕: median cost of the runs that failed; to its right the line rests on fewer runs."
    ) + note(cost)


@styled
def _draw(
    lines: Sequence[Steps], longest: float, cost: str, labels: Sequence[str], focus: frozenset[int], theme: Theme
) -> matplotlib.figure.Figure:
    first = [float(s.at[s.at > 0][0]) for s in lines if (s.at > 0).any()]
    if not first:
        return sentence("Nobody reached a target: there is no distribution.", HALF, theme)
    sheet = Sheet(HALF, HEIGHT, theme)
    low = min(first) / 1.5 if cost == "seconds" else 1.0
    panel = Panel(sheet, (48, 32, HALF - 48 - MARGIN, HEIGHT - 32 - 50), (low, max(longest, 2 * low)), (0, 1), log="x")
    if cost == "seconds":
        panel.log_ticks("x", most=4, label=numbers.seconds)
    else:
        panel.log_ticks("x", also=[panel.xlim[1]], most=5)
    panel.ticks("y", (0, 0.25, 0.5, 0.75, 1), numbers.percent)
    panel.names(
        "time of training" if cost == "seconds" else cost.replace(" ", " = "), "(problem, target, seed) triples reached"
    )
    wanted = []
    for s in lines:
        strong = s.index in focus
        at = np.concatenate([[low], np.maximum(s.at, low), [panel.xlim[1]]])
        share = np.concatenate([[0.0], s.share, s.share[-1:] if s.share.size else [0.0]])
        kept = thinned(len(at), 160)
        x, y = panel.x(np.repeat(at[kept], 2)[1:]), panel.y(np.repeat(share[kept], 2)[:-1])
        style = {"ls": dash(s.index), "alpha": 1 if strong else 0.22, "zorder": 3, "gid": f"line|o{s.index}"}
        sheet.line(x, y, theme.line(s.index), 1.9, **style)
        if strong:
            if low <= s.failed <= panel.xlim[1]:
                height = share[int(np.searchsorted(at, s.failed, side="right")) - 1]
                sheet.marks(
                    panel.x([s.failed]),
                    panel.y([height]),
                    "X",
                    7,
                    theme.line(s.index),
                    zorder=4,
                    gid=f"dead|o{s.index}",
                )
            wanted.append(EndLabel(s.index, short(labels[s.index]), float(y[-1])))
    end_labels(panel, wanted)
    return sheet.drawing
