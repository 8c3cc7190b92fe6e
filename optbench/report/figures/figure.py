"""What the page needs to know about one figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.figure
import pandas as pd

from ..theme import Theme

COSTS = ("steps", "evaluations", "seconds")
"""What a runtime is counted in; evaluations are gradient evaluations, line searches included."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure: drawn once for the page, with what is needed to write its SVG, PDF and CSV files.

    Several figures may stand in one place of the page: those of equal `kind` and `problem` differ by `cost` or `role`
    and are shown one at a time.

    Args:
        name: file stem, unique in a report: "rosenbrock-convergence".
        kind: "ranking", "ratios", "profile", "ecdf", "convergence", "sensitivity", "trajectories", "schedules",
            "measure-COLUMN", "layers-COLUMN", "loss-line", "loss-between" or "loss-plane".
        problem: label of its problem; "" where it speaks of all of them.
        cost: what it is drawn over: one of COSTS, or several with blanks between where they are equal throughout (one
            evaluation a step); "" where the figure does not depend on it.
        role: "tuned" or "default"; "" where the figure does not depend on it.
        title: a few words, a claim where a number supports it. Plain text.
        caption: finished sentences that define what is drawn. Plain text.
        width: "full" (1060 units) or "half" (530).
        svg: the drawing for the page. Colours are CSS variables (`--c3` line and `--t3` text of contestants 3, 11, …,
            `--ink`, `--muted`, `--grid`, `--bg`, `--failure`); what belongs to contestant 3 is a
            `<g class="line" data-o="3">`, or `band`, `dead`, `leader`, `label`, `mark` and so on; several may be there,
            or none. Each panel is described by `<g class="ax" data-ax="…">`: left top width height xmin xmax ymin
            ymax xscale yscale, in units of the viewBox and of the data. Lines are written `M x y l dx dy dx dy …`.
        data: what is drawn, one row a point; written as CSV.
        shared: file stem of the CSV file where several figures draw the same numbers; "" for the name.
        draw: the same drawing in the colours of a theme, for the SVG and PDF files.
    """

    name: str
    kind: str
    title: str
    caption: str
    width: str
    svg: str
    data: pd.DataFrame
    draw: Callable[[Theme], matplotlib.figure.Figure]
    problem: str = ""
    cost: str = ""
    role: str = ""
    shared: str = ""

    @property
    def table(self) -> str:
        """File stem of its CSV file, which figures that draw the same numbers share."""
        return self.shared or self.name


def over(equal: bool) -> tuple[str, ...]:
    """The costs for each of which a drawing is made; `equal`: steps and evaluations are the same and share one."""
    return ("steps evaluations", "seconds") if equal else COSTS


def leading(cost: str) -> str:
    """The cost by which a drawing takes its numbers."""
    return cost.split()[0]


def note(cost: str) -> str:
    """The sentence that says why a drawing stands for two costs."""
    return " A step is one gradient evaluation here." if " " in cost else ""


def suffix(cost: str) -> str:
    """What tells a file name from that of the same figure over steps."""
    return "" if leading(cost) == "steps" else f"-{cost}"
