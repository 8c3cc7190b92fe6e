"""The objective around solutions: along lines to them and between them, and over planes through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import contourpy
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.path import Path

from ...statistics.contest import Contest
from .. import numbers
from ..svg import page_svg
from ..theme import PAGE, SIZES, Theme, dash
from .canvas import FULL, HALF, MARGIN, Panel, Sheet, short, styled
from .figure import Figure
from .labels import EndLabel, end_labels
from .measures import Curve, definition, even_ticks, quartile_curve, told

HEIGHT = 300
LEVELS = 9
SHADE = 0.11
"""Share of colour that each level adds; the lowest places have it nine times."""
RANGE = 1e4
"""Objectives beyond this multiple of the lowest are all drawn alike."""
GAP, HEAD, KEY = 14, 24, 46


@dataclass(frozen=True)
class Plane:
    """The objective over one contestant's plane: `z[j, i]` at (x[i], y[j])."""

    index: int
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray


def surfaces(match: Contest, problem: str, stem: str, focus: frozenset[int]) -> list[Figure]:
    """The figures of one problem, for each role; none where nothing was measured.

    Args:
        stem: beginning of their file names.
        focus: contestants that are named.
    """
    about = told(match, problem)
    figures: list[Figure] = []
    for role in ("tuned", "default"):
        ending = "-default" if role == "default" else ""
        if "loss_line" in about:
            for kind, own in (("line", True), ("between", False)):
                curves = _lines(match, problem, role, own)
                if curves:
                    figures.append(
                        _line(match, problem, f"{stem}-loss-{kind}{ending}", role, kind, about, curves, focus)
                    )
        if "loss_plane" in about:
            planes = _planes(match, problem, role)
            if planes:
                figures.append(_plane(match, problem, f"{stem}-loss-plane{ending}", role, about, planes))
    return figures


def _rows(match: Contest, problem: str, role: str, instrument: str) -> list[tuple[int, pd.DataFrame, int]]:
    """Contestant, rows of `slices` and number of trials, for each cell that has any."""
    slices = getattr(match.parts.results, "slices", None)
    if slices is None or slices.empty:
        return []
    slices = slices[slices["instrument"] == instrument]
    found = []
    for cell in match.cells_of(problem):
        run_id = (cell.default_run if role == "default" else cell.run)["run_id"]
        trials = match.trials(run_id, role)["trial"]
        rows = slices[(slices["run_id"] == run_id) & slices["trial"].isin(trials)]
        if len(rows):
            found.append((cell.contestant, rows, len(trials)))
    return found


def _lines(match: Contest, problem: str, role: str, own: bool) -> list[Curve]:
    """The lines from the starts, or those between neighbouring solutions."""
    found = []
    for index, rows, _ in _rows(match, problem, role, "loss_line"):
        rows = rows[(rows["other"] < 0) == own]
        if rows.empty:
            continue
        alphas, row = np.unique(rows["alpha"].to_numpy(float), return_inverse=True)
        trials, column = np.unique(rows["trial"].to_numpy(), return_inverse=True)
        table = np.full((len(alphas), len(trials)), np.nan)
        table[row, column] = rows["objective"].to_numpy(float)
        curve = quartile_curve(index, "", alphas, table)
        if curve.steps.size:
            found.append(curve)
    return found


def _line(
    match: Contest, problem: str, name: str, role: str, kind: str, about: Mapping[str, Any], curves: Sequence[Curve],
    focus: frozenset[int],
) -> Figure:  # fmt: skip
    labels = {c.index: c.label for c in match.contestants}
    way = "from start to solution" if kind == "line" else "between two seeds' solutions"
    title = f"Objective {way}, {role} setting"
    count = max(c.seeds for c in curves)
    middle = "One line" if count == 1 else f"Median of {numbers.word(count)} lines, band = middle half"
    ends = "α = 0 is the start, 1 the solution" if kind == "line" else "α = 0 and 1 are the two solutions"
    draw = partial(_draw_line, curves, {i: short(label) for i, label in labels.items()}, focus)
    return Figure(
        name=name,
        kind=f"loss-{kind}",
        problem=problem,
        role=role,
        title=title,
        caption=f"{definition(about['loss_line'])} {middle}; {ends}.",
        width="half",
        svg=page_svg(draw(PAGE), name, f"{title}, on {problem}"),
        data=pd.concat(
            [
                pd.DataFrame(
                    {
                        "contestant": labels[c.index],
                        "alpha": c.steps,
                        "objective_median": c.middle,
                        "objective_q1": c.low,
                        "objective_q3": c.high,
                    }
                )
                for c in curves
            ],
            ignore_index=True,
        ),
        draw=draw,
    )


def _limits(values: np.ndarray) -> tuple[float, float, bool]:
    """Limits of an axis of objectives, and whether it is logarithmic."""
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > 10 * low:
        return low / 1.5, min(high * 1.5, low * 1e8), True
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room, False


@styled
def _draw_line(
    curves: Sequence[Curve], names: dict[int, str], focus: frozenset[int], theme: Theme
) -> matplotlib.figure.Figure:
    sheet = Sheet(HALF, HEIGHT, theme)
    low, high, log = _limits(np.concatenate([c.middle for c in curves]))
    x = (min(float(c.steps[0]) for c in curves), max(float(c.steps[-1]) for c in curves))
    panel = Panel(sheet, (56, 32, HALF - 56 - MARGIN, HEIGHT - 32 - 50), x, (low, high), "y" if log else "")
    panel.ticks("x", [0, 0.25, 0.5, 0.75, 1], numbers.number)
    if log:
        panel.log_ticks("y")
    else:
        panel.ticks("y", even_ticks(low, high, 6), numbers.number)
    panel.names("α", "objective")
    for end in (0.0, 1.0):
        place = float(panel.x(end))
        sheet.line((place, place), (panel.top, panel.bottom), theme.muted, 0.8, gid="class|end")
    labels = []
    for c in curves:
        xs, color, named = panel.x(c.steps), theme.line(c.index), c.index in focus
        if named and c.seeds > 1:
            band = {"alpha": 0.1, "zorder": 2, "gid": f"band|o{c.index}"}
            sheet.area(xs, panel.y(c.low), panel.y(c.high), color, panel, **band)
        style = {"ls": dash(c.index), "alpha": 1 if named else 0.22, "zorder": 3, "gid": f"line|o{c.index}"}
        sheet.line(xs, panel.y(c.middle), color, 1.9, panel, **style)
        if named:
            end = float(np.clip(panel.y(c.middle[-1]), panel.top, panel.bottom))
            labels.append(EndLabel(c.index, names[c.index], end, x=float(xs[-1])))
    end_labels(panel, labels)
    return sheet.drawing


def _planes(match: Contest, problem: str, role: str) -> list[Plane]:
    found = []
    for index, rows, _ in _rows(match, problem, role, "loss_plane"):
        first = rows[rows["trial"] == rows["trial"].min()]
        grid = first.pivot_table(index="beta", columns="alpha", values="objective", dropna=False)
        z = grid.to_numpy(float)
        if np.isfinite(z).any():
            found.append(Plane(index, grid.columns.to_numpy(float), grid.index.to_numpy(float), z))
    return found


def _plane(
    match: Contest, problem: str, name: str, role: str, about: Mapping[str, Any], planes: Sequence[Plane]
) -> Figure:
    labels = {c.index: c.label for c in match.contestants}
    title = f"Objective around the solution, {role} setting"
    draw = partial(_draw_plane, planes, labels)
    return Figure(
        name=name,
        kind="loss-plane",
        problem=problem,
        role=role,
        title=title,
        caption=f"{definition(about['loss_plane'])} ● the solution; the number is the objective there. α goes right, β up; "
        "the darker the lower, with the same levels in all panels.",
        width="full",
        svg=page_svg(draw(PAGE), name, f"{title}, on {problem}"),
        data=pd.concat(
            [
                pd.DataFrame(
                    {
                        "contestant": labels[p.index],
                        "alpha": np.tile(p.x, len(p.y)),
                        "beta": np.repeat(p.y, len(p.x)),
                        "objective": p.z.ravel(),
                    }
                )
                for p in planes
            ],
            ignore_index=True,
        ),
        draw=draw,
    )


def levels(planes: Sequence[Plane]) -> np.ndarray:
    """Where one shade ends and the next begins, ascending: evenly in log objective where that is positive throughout."""
    values = np.concatenate([p.z[np.isfinite(p.z)] for p in planes])
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > 3 * low:
        return np.geomspace(low, min(high, low * RANGE), LEVELS + 2)[1:-1]
    high = high if high > low else low + 1.0
    if low <= 0 < high:  # no logarithm: from the lowest place on, so that a steep wall does not take all levels
        return low + (high - low) * np.geomspace(1 / RANGE, 1, LEVELS + 2)[1:-1]
    return np.linspace(low, high, LEVELS + 2)[1:-1]


@styled
def _draw_plane(planes: Sequence[Plane], labels: dict[int, str], theme: Theme) -> matplotlib.figure.Figure:
    rows = -(-len(planes) // 6)
    across = max(5, -(-len(planes) // rows))
    side = (FULL - (across - 1) * GAP) / across
    sheet = Sheet(FULL, KEY + rows * (side + HEAD) + (rows - 1) * GAP + 4, theme)
    edges = levels(planes)
    _key(sheet, edges)
    for place, plane in enumerate(planes):
        row, column = divmod(place, across)
        at = (column * (side + GAP), KEY + HEAD + row * (side + HEAD + GAP), side, side)
        x, y = ((float(v[0]), float(v[-1])) for v in (plane.x, plane.y))
        panel = Panel(sheet, at, x, y, log="", spine=False)
        _small(panel, plane, labels[plane.index], edges)
    return sheet.drawing


def _small(panel: Panel, plane: Plane, label: str, edges: np.ndarray) -> None:
    sheet, theme, own = panel.sheet, panel.sheet.theme, f"o{plane.index}"
    generator: Any = contourpy.contour_generator(
        panel.x(plane.x), panel.y(plane.y), np.ma.masked_invalid(plane.z), fill_type=contourpy.FillType.OuterCode
    )
    below = min(float(np.nanmin(plane.z)), float(edges[0])) - 1
    for k, edge in enumerate(edges):
        points, codes = generator.filled(below, float(edge))
        if points:
            path = Path(np.concatenate(points), np.concatenate(codes))
            sheet.shape(path, theme.heat, alpha=SHADE, zorder=1 + k / 100, gid=f"level|{own}")
    sheet.box(
        panel.left, panel.top, panel.width, panel.height, "none", edgecolor=theme.grid, linewidth=0.8, zorder=2,
        gid=f"frame|{own}",
    )  # fmt: skip
    sheet.marks(
        [float(panel.x(0))], [float(panel.y(0))], "o", 7, theme.line(plane.index), zorder=3,
        markeredgecolor=theme.bg, markeredgewidth=1.2, gid=f"solution|{own}",
    )  # fmt: skip
    middle = plane.z[int(np.abs(plane.y).argmin()), int(np.abs(plane.x).argmin())]
    value = numbers.number(float(middle))
    name = short(label, max(6, min(14, int((panel.width - 6 * len(value) - 8) / 7))))
    color = theme.text(plane.index)
    sheet.text(panel.left, panel.top - 6, name, color, SIZES["label"], weight="bold", gid=f"name|{own}")
    sheet.text(panel.right, panel.top - 6, value, theme.muted, ha="right", gid=f"value|{own}")


def _key(sheet: Sheet, edges: np.ndarray) -> None:
    """The shades side by side with the objectives at which they change, above the panels."""
    width, left, top = 44.0, 64.0, 8.0
    sheet.text(0, top + 11, "objective", sheet.theme.muted, gid="class|axis-name")
    for k in range(len(edges) + 1):
        alpha = 1 - (1 - SHADE) ** (len(edges) - k)
        sheet.box(left + k * width, top, width, 14, sheet.theme.heat, alpha=alpha, gid="class|shade")
        if k % 2:
            place = left + k * width
            sheet.text(
                place, top + 27, numbers.number(float(edges[k - 1])), sheet.theme.muted, ha="center", gid="class|tick-x"
            )
