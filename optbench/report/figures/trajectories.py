"""Trajectories: the paths of the first evaluation seed over the contours of a two-dimensional landscape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import contourpy
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.path import Path

from ...statistics.contest import Cell, Contest
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, SIZES, Theme
from .canvas import FULL, Panel, Sheet, short, styled
from .convergence import FLOOR
from .figure import Figure

GAP = 10
HEAD = 22
TOLERANCE = 0.6
"""How far a drawn path may lie from the recorded one, in pixels."""


@dataclass(frozen=True)
class Walk:
    """The path of one contestant: points [steps, 2], and what is written above it."""

    index: int
    points: np.ndarray
    result: str


def trajectories(match: Contest, problem: str, stem: str, reference: float) -> Figure | None:
    """The figure of one problem; None unless it is two-dimensional and has contours."""
    about = match.about[problem]
    contours = about.get("contours")
    if not contours:
        return None
    walks = [walk for cell in match.cells_of(problem) if (walk := _walk(match, cell, reference)) is not None]
    if not walks:
        return None
    labels = {c.index: c.label for c in match.contestants}
    minimiser = about.get("minimiser")
    minima = np.atleast_2d(np.asarray(minimiser if minimiser is not None else np.empty((0, 2)), float))
    draw = partial(_draw, walks, labels, contours, minima)
    steps = int(match.cells_of(problem)[0].run["steps"])
    name = f"{stem}-trajectories"
    words = "+ minimum; " if len(minima) else ""
    return Figure(
        name=name,
        kind="trajectories",
        problem=problem,
        title="Trajectories from the same start",
        caption=f"First evaluation seed, {numbers.number(steps)} steps; ○ start, ● end, {words}the number is the final "
        "gap. Contours at quantiles of f; a path that is cut leaves the window there.",
        width="full",
        svg=page_svg(draw(PAGE), name, f"Trajectories on {problem}"),
        data=pd.concat(
            [pd.DataFrame({"contestant": labels[w.index], "x": w.points[:, 0], "y": w.points[:, 1]}) for w in walks],
            ignore_index=True,
        ),
        draw=draw,
    )


def _walk(match: Contest, cell: Cell, reference: float) -> Walk | None:
    trials = match.trials(cell.run["run_id"], cell.role)
    if trials.empty:
        return None
    first = trials.iloc[int(trials["seed"].to_numpy().argmin())]
    curves = match.curves(cell.run["run_id"], cell.role)
    if "x" not in curves or "y" not in curves:
        return None
    own = curves[curves["trial"] == first["trial"]].sort_values("step")
    points = own[["x", "y"]].to_numpy(float)
    points = points[np.isfinite(points).all(axis=1)]
    ok = first["status"] == "ok"
    gap = float(first["final_loss"]) - reference
    result = str(first["status"]).replace("_", " ")
    if ok:
        result = numbers.number(gap) if gap > FLOOR else f"< {numbers.number(FLOOR)}"
    return Walk(cell.contestant, points, result)


@styled
def _draw(
    walks: Sequence[Walk], labels: dict[int, str], contours: dict[str, Any], minima: np.ndarray, theme: Theme
) -> matplotlib.figure.Figure:
    rows = -(-len(walks) // 8)
    columns = max(7, -(-len(walks) // rows))
    side = (FULL - (columns - 1) * GAP) / columns
    sheet = Sheet(FULL, rows * (side + HEAD) + (rows - 1) * GAP + 4, theme)
    x, y = (float(contours["x"][0]), float(contours["x"][-1])), (float(contours["y"][0]), float(contours["y"][-1]))
    map_path: Path | None = None
    for place, walk in enumerate(walks):
        row, column = divmod(place, columns)
        left, top = column * (side + GAP), HEAD + row * (side + HEAD + GAP)
        panel = Panel(sheet, (left, top, side, side), x, y, log="", spine=False)
        if map_path is None:
            map_path = contour_path(contours, panel)
        room = (side - 6 * len(walk.result) - 8) / 7  # in letters of the name: 6 and 7 pixels are their mean widths
        _small(panel, walk, short(labels[walk.index], max(6, min(14, int(room)))), minima, map_path)
    return sheet.drawing


def _small(panel: Panel, walk: Walk, name: str, minima: np.ndarray, map_path: Path) -> None:
    """One small multiple."""
    sheet, theme, index = panel.sheet, panel.sheet.theme, walk.index
    color = theme.line(index)
    sheet.box(
        panel.left,
        panel.top,
        panel.width,
        panel.height,
        "none",
        edgecolor=theme.grid,
        linewidth=0.8,
        gid=f"frame|o{index}",
    )
    draw_contours(panel, map_path, gid=f"contours|o{index}")
    xs, ys = panel.x(walk.points[:, 0]), panel.y(walk.points[:, 1])
    if len(xs):
        kept = simplified(np.stack([xs, ys], 1))
        sheet.line(kept[:, 0], kept[:, 1], color, 1.6, panel, zorder=3, gid=f"path|o{index}")
        ends = {"zorder": 4, "gid": f"path|o{index}"}
        if _inside(panel, xs[0], ys[0]):
            sheet.marks(
                xs[:1],
                ys[:1],
                "o",
                5,
                theme.bg,
                markeredgecolor=theme.ink,
                markeredgewidth=1.1,
                **{**ends, "zorder": 3.5},
            )
        if _inside(panel, xs[-1], ys[-1]):
            sheet.marks(xs[-1:], ys[-1:], "o", 6, color, **ends)
    for at in minima:
        mx, my = float(panel.x(at[0])), float(panel.y(at[1]))
        if _inside(panel, mx, my):
            sheet.marks([mx], [my], "+", 9, theme.ink, markeredgewidth=1.4, zorder=3.2, gid=f"minimum|o{index}")
    sheet.text(panel.left, panel.top - 6, name, theme.text(index), SIZES["label"], weight="bold", gid=f"name|o{index}")
    sheet.text(panel.right, panel.top - 6, walk.result, theme.muted, ha="right", gid=f"value|o{index}")


def _inside(panel: Panel, x: float, y: float) -> bool:
    return bool(panel.left <= x <= panel.right and panel.top <= y <= panel.bottom)


def simplified(points: np.ndarray) -> np.ndarray:
    """The polyline without points that lie within TOLERANCE of the segment between their neighbours (Douglas–Peucker)."""
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    stack = [(0, len(points) - 1)]
    while stack:
        first, last = stack.pop()
        if last - first < 2:
            continue
        along, between = points[last] - points[first], points[first + 1 : last] - points[first]
        share = np.clip(between @ along / max(along @ along, 1e-18), 0, 1)  # where on the segment the nearest point is
        far = np.hypot(*(between - share[:, None] * along).T)
        middle = int(far.argmax())
        if far[middle] > TOLERANCE:
            keep[first + 1 + middle] = True
            stack += [(first, first + 1 + middle), (first + 1 + middle, last)]
    return points[keep]


def contour_path(contours: dict[str, Any], panel: Panel, levels: Sequence[float] | None = None) -> Path:
    """All contour lines as one path in pixels around the panel's centre, y upwards as markers have it.

    Args:
        contours: an even grid x, y and the values z on it.
        panel: where they are drawn.
        levels: of the lines; not given: quantiles of the values.
    """
    z = np.asarray(contours["z"], float)
    finite = z[np.isfinite(z)]
    lines: list[np.ndarray] = []
    if finite.size and finite.min() < finite.max():
        count = 4 if _minima(z) > 3 else 8
        quantiles = np.unique(np.quantile(finite, (np.arange(1, count + 1) / (count + 1)) ** 1.5))
        generator = contourpy.contour_generator(contours["x"], contours["y"], np.ma.masked_invalid(z))
        for level in quantiles if levels is None else levels:
            lines += [np.asarray(line) for line in generator.lines(float(level)) if len(line) > 1]  # type: ignore[arg-type] # lines come as arrays
    codes, points = [], []
    for line in lines:
        pixels = np.stack([panel.x(line[:, 0]), panel.y(line[:, 1])], 1)
        pixels = simplified(pixels) - (panel.left + panel.width / 2, panel.top + panel.height / 2)
        if len(pixels) > 1 and np.ptp(pixels, axis=0).max() > 2:
            points.append(pixels * (1, -1))
            codes.append(np.r_[Path.MOVETO, np.full(len(pixels) - 1, Path.LINETO)])
    if not points:
        return Path(np.zeros((2, 2)) + 1e-3, [Path.MOVETO, Path.LINETO])
    return Path(np.concatenate(points), np.concatenate(codes))


def draw_contours(panel: Panel, path: Path, **more: Any) -> None:
    """What `contour_path` made, behind all else; drawn as a marker, so that panels of one frame can share the path."""
    theme, x, y = panel.sheet.theme, panel.left + panel.width / 2, panel.top + panel.height / 2
    size = 2 * float(np.abs(path.vertices).max(initial=0.5))  # a marker is scaled to its size: this undoes it
    style = {"markerfacecolor": "none", "markeredgewidth": 0.7, "alpha": 0.4, "zorder": 1} | more
    panel.sheet.marks([x], [y], path, size, theme.muted, **style)


def _minima(z: np.ndarray) -> int:
    """Grid points that lie below all their eight neighbours."""
    inner = z[1:-1, 1:-1]
    shifts = [(i, j) for i in (0, 1, 2) for j in (0, 1, 2) if (i, j) != (1, 1)]
    rows, columns = inner.shape
    lower = [inner < z[i : i + rows, j : j + columns] for i, j in shifts]
    return int(np.logical_and.reduce(lower).sum())
