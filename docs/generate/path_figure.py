"""Paths drawn over contours, in the style of the reports: one figure an optimizer, all in the same frames."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.figure
import numpy as np

from optbench.report import numbers
from optbench.report.figures.canvas import Panel, Sheet, styled
from optbench.report.figures.trajectories import contour_path, draw_contours, simplified
from optbench.report.svg import file_svg, page_svg
from optbench.report.theme import LIGHT, PAGE, SIZES, Theme

from .walks import GAP, LANDSCAPES, Landscape, Walk, walk

SIDE, SPACE, TOP, BOTTOM = 400, 32, 76, 34
DOTS = 120
"""At most so many steps are drawn as dots; of longer paths every second, fifth, tenth …"""


def path_svg(name: str) -> str | None:
    """The figure of one optimizer as a file; None where it runs on no landscape."""
    walks = [found for at in LANDSCAPES if isinstance(found := walk(name, at), Walk)]
    if len(walks) < len(LANDSCAPES):
        return None
    return file_svg(page_svg(_draw(name, walks, PAGE), f"path-{name}", f"Paths of {name}"), LIGHT)


def result(walk: Walk) -> str:
    """What came of a path: "rate 0.316: 31 steps to f ≤ 10⁻⁴"."""
    rate = "" if walk.rate is None else f"rate {numbers.number(walk.rate)}: "
    steps = numbers.plural(walk.steps, "step")
    return f"{rate}{steps} to f ≤ {numbers.number(GAP)}" if walk.arrived else (
        f"{rate}f = {numbers.number(walk.loss)} after {steps}"
    )  # fmt: skip


def every(steps: int) -> int:
    """How many steps lie between two dots: 1, 2, 5, 10, …"""
    return next(k for k in (1, 2, 5, 10, 20, 50, 100) if steps / k <= DOTS)


@styled
def _draw(name: str, walks: Sequence[Walk], theme: Theme) -> matplotlib.figure.Figure:
    width = len(walks) * SIDE + (len(walks) - 1) * SPACE
    sheet = Sheet(width + 2, TOP + SIDE + BOTTOM, theme)
    sheet.text(1, 24, name, theme.text(0), 19, weight="bold")
    for k, (found, landscape) in enumerate(zip(walks, LANDSCAPES, strict=True)):
        left = 1 + k * (SIDE + SPACE)
        sheet.text(left, TOP - 27, landscape.title, theme.ink, SIZES["name"], weight="bold")
        sheet.text(left, TOP - 9, result(found), theme.muted, SIZES["label"])
        panel = Panel(sheet, (left, TOP, SIDE, SIDE), *landscape.window, log="", spine=False)
        _panel(panel, found, landscape)
        step = every(found.steps)
        each = "a dot is a step" if step == 1 else f"a dot is {step} steps"
        sheet.text(left, TOP + SIDE + 20, f"○ start · + minimum · {each}", theme.muted)
    return sheet.drawing


def _panel(panel: Panel, found: Walk, landscape: Landscape) -> None:
    sheet, theme = panel.sheet, panel.sheet.theme
    color = theme.line(0)
    sheet.box(panel.left, panel.top, panel.width, panel.height, "none", edgecolor=theme.grid, linewidth=1.0)
    draw_contours(panel, contour_path(landscape.contours(), panel, landscape.levels), alpha=0.45)
    pixels = np.stack([panel.x(found.points[:, 0]), panel.y(found.points[:, 1])], 1)
    line = simplified(pixels)
    sheet.line(line[:, 0], line[:, 1], color, 1.1, panel, alpha=0.55, zorder=2)
    dots = pixels[:: every(found.steps)]
    dots = dots[_within(panel, dots)]
    sheet.marks(dots[:, 0], dots[:, 1], "o", 3.6, color, zorder=3)
    minimum = landscape.problem.minimiser()
    assert minimum is not None, "the landscapes have a known minimum"
    x, y = panel.x(float(minimum[0])), panel.y(float(minimum[1]))
    sheet.marks([x], [y], "+", 13, theme.ink, markeredgewidth=1.7, zorder=4)
    sheet.marks(
        pixels[:1, 0], pixels[:1, 1], "o", 8, theme.bg, markeredgecolor=theme.ink, markeredgewidth=1.3, zorder=4
    )


def _within(panel: Panel, points: np.ndarray) -> np.ndarray:
    x, y = points.T
    return (panel.left <= x) & (x <= panel.right) & (panel.top <= y) & (y <= panel.bottom)
