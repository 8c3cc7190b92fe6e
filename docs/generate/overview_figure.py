"""All optimizers on one ravine, side by side, family after family."""

from __future__ import annotations

import matplotlib.figure
import numpy as np

from optbench.report import numbers
from optbench.report.figures.canvas import Panel, Sheet, short, styled
from optbench.report.figures.trajectories import contour_path, draw_contours, simplified
from optbench.report.svg import file_svg, page_svg
from optbench.report.theme import LIGHT, PAGE, SIZES, Theme
from optbench.verbs.listing import families

from .walks import LANDSCAPES, Walk, walk

COLUMNS, SIDE, GAP, HEAD, FAMILY = 6, 168, 12, 22, 34


def overview_svg() -> str:
    """The figure as a file."""
    ravine = LANDSCAPES[0]
    found = {
        family: {name: path for name in names if isinstance(path := walk(name, ravine), Walk)}
        for family, names in families().items()
    }
    drawing = _draw({family: walks for family, walks in found.items() if walks}, PAGE)
    return file_svg(page_svg(drawing, "overview", "Paths of all optimizers on a ravine"), LIGHT)


@styled
def _draw(found: dict[str, dict[str, Walk]], theme: Theme) -> matplotlib.figure.Figure:
    rows = {family: -(-len(walks) // COLUMNS) for family, walks in found.items()}
    height = sum(FAMILY + count * (SIDE + HEAD + GAP) for count in rows.values())
    sheet = Sheet(COLUMNS * (SIDE + GAP) - GAP + 2, height, theme)
    contours, top = None, 0.0
    for index, (family, walks) in enumerate(found.items()):
        sheet.text(1, top + 22, family, theme.text(index), 15, weight="bold")
        for place, (name, path) in enumerate(walks.items()):
            row, column = divmod(place, COLUMNS)
            left, above = 1 + column * (SIDE + GAP), top + FAMILY + HEAD + row * (SIDE + HEAD + GAP)
            panel = Panel(sheet, (left, above, SIDE, SIDE), *LANDSCAPES[0].window, log="", spine=False)
            if contours is None:
                contours = contour_path(LANDSCAPES[0].contours(), panel, LANDSCAPES[0].levels[::2])
            sheet.box(left, above, SIDE, SIDE, "none", edgecolor=theme.grid, linewidth=0.8)
            draw_contours(panel, contours, markeredgewidth=0.6)
            _path(panel, path, index)
            steps = numbers.number(path.steps) if path.arrived else f"> {numbers.number(path.steps)}"
            room = int((SIDE - 6.5 * len(steps) - 6) / 6.6)
            sheet.text(left, above - 6, short(name, room), theme.text(index), SIZES["tick"], weight="bold")
            sheet.text(left + SIDE, above - 6, steps, theme.muted, SIZES["tick"], ha="right")
        top += FAMILY + rows[family] * (SIDE + HEAD + GAP)
    return sheet.drawing


def _path(panel: Panel, path: Walk, index: int) -> None:
    sheet, theme = panel.sheet, panel.sheet.theme
    pixels = np.stack([panel.x(path.points[:, 0]), panel.y(path.points[:, 1])], 1)
    line = simplified(pixels)
    sheet.line(line[:, 0], line[:, 1], theme.line(index), 1.3, panel, zorder=2)
    minimum = LANDSCAPES[0].problem.minimiser()
    assert minimum is not None, "the ravine has a known minimum"
    sheet.marks(
        [panel.x(float(minimum[0]))], [panel.y(float(minimum[1]))], "+", 8, theme.ink, markeredgewidth=1.2, zorder=3
    )
    sheet.marks(
        pixels[:1, 0], pixels[:1, 1], "o", 4.5, theme.bg, markeredgecolor=theme.ink, markeredgewidth=1, zorder=3
    )
