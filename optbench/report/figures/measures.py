"""What instruments measured along the way: median and middle half of the seeds, and each layer of each optimizer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd

from ...statistics.contest import Contest
from .. import numbers
from ..svg import page_svg
from ..theme import DASHES, PAGE, SIZES, Theme, dash
from .canvas import FULL, HALF, MARGIN, Panel, Sheet, short, styled, thinned
from .figure import Figure
from .labels import EndLabel, end_labels
from .names import file_stem

HEIGHT = 300
MANY = 60
"""More recorded steps than these lie evenly in log step, fewer evenly in step."""
DECADES = 8
"""At most so many are shown of a logarithmic axis: zero but for rounding would stretch it."""
ACROSS, GAP, HEAD, FOOT, SIDE = 3, 18, 30, 40, 46
"""Panels a row, and the room between, above, below and left of them."""


@dataclass(frozen=True)
class Curve:
    """What was measured of one contestant, over the seeds that have a value.

    Args:
        index: of the contestant.
        layer: whose value it is; "" for the whole network.
        steps: at which there is one.
        low, middle, high: quartiles.
        seeds: evaluation trials.
    """

    index: int
    layer: str
    steps: np.ndarray
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    seeds: int


def told(match: Contest, problem: str) -> dict[str, Mapping[str, Any]]:
    """What the runs of a problem say of their instruments, by name; none where nothing was measured."""
    found: dict[str, Mapping[str, Any]] = {}
    for cell in match.cells_of(problem):
        found |= json.loads(cell.run["about"]).get("instruments") or {}
    return found


def measures(match: Contest, problem: str, stem: str, focus: frozenset[int]) -> list[Figure]:
    """The figures of one problem: for each quantity and role one of the whole, and one of its layers where there are some.

    Args:
        stem: beginning of their file names.
        focus: contestants that are named, with band.
    """
    figures = []
    for about in told(match, problem).values():
        for column in about.get("columns", ()):
            for role in ("tuned", "default"):
                curves = _curves(match, problem, role, column)
                whole = [curve for curve in curves if not curve.layer]
                layers = [curve for curve in curves if curve.layer]
                if whole:
                    figures.append(_whole(match, problem, stem, role, column, about, whole, focus))
                if layers and (not whole or len({curve.layer for curve in layers}) > 1):
                    figures.append(_layers(match, problem, stem, role, column, about, layers))
    return figures


def definition(about: Mapping[str, Any]) -> str:
    """What an instrument measures, as its own description has it."""
    formula = " ".join(str(about.get("formula", "")).split()).rstrip(".,")
    return f"{about['summary']} {formula}." if formula else str(about["summary"])


def _curves(match: Contest, problem: str, role: str, column: str) -> list[Curve]:
    found = []
    for cell in match.cells_of(problem):
        run = cell.default_run if role == "default" else cell.run
        curves, trials = match.curves(run["run_id"], role), match.trials(run["run_id"], role)
        if curves.empty:
            continue
        steps, row = np.unique(curves["step"].to_numpy(), return_inverse=True)
        place = pd.Index(trials["trial"]).get_indexer(pd.Index(curves["trial"]))
        for name in [name for name in curves.columns if name == column or name.startswith(f"{column}.")]:
            table = np.full((len(steps), len(trials)), np.nan)
            table[row, place] = curves[name].to_numpy(float)
            curve = quartile_curve(cell.contestant, name[len(column) + 1 :], steps, table)
            if curve.steps.size:
                found.append(curve)
    return found


def quartile_curve(index: int, layer: str, steps: np.ndarray, table: np.ndarray) -> Curve:
    """Quartiles over those trials that have a finite value, at steps at which half of them do; table: [steps, trials]."""
    values = np.sort(np.where(np.isfinite(table), table, np.inf), axis=1)
    count = np.isfinite(values).sum(axis=1)
    kept = (count > 0) & (2 * count >= table.shape[1])
    values, count = values[kept], count[kept]

    def quantile(q: float) -> np.ndarray:
        position = q * (count - 1)
        below, above = (f(position).astype(int)[:, None] for f in (np.floor, np.ceil))
        a, b = (np.take_along_axis(values, places, axis=1)[:, 0] for places in (below, above))
        return a + (position - below[:, 0]) * (b - a)

    return Curve(index, layer, steps[kept], quantile(0.25), quantile(0.5), quantile(0.75), table.shape[1])


def _frame(curves: Sequence[Curve], budget: float) -> tuple[tuple[float, float], tuple[float, float], str]:
    """Limits of both axes, and which of them are logarithmic; budget: steps of a whole run."""
    steps = np.unique(np.concatenate([c.steps for c in curves]))
    log = "x" if len(steps) > MANY else ""
    x = (
        max(float(steps[0]), 1.0) if log else float(steps[0]),
        max(float(steps[-1]), budget, float(steps[0]) + 1.0, 2.0),
    )
    low, high = (float(f(np.concatenate([c.middle for c in curves]))) for f in (np.min, np.max))
    wide = [
        float(f(np.concatenate(own)))
        for f, own in ((np.min, [c.low for c in curves]), (np.max, [c.high for c in curves]))
    ]
    reach = 2 * (high - low)  # bands are shown as far as they do not flatten the lines
    low, high = max(wide[0], low / 3 if low > 0 else low - reach), min(wide[1], high + reach)
    if low > 0 and high > 10 * low:
        return x, (max(low, high * 10.0**-DECADES) / 1.5, high * 1.5), log + "y"
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    least = 0.0 if low >= 0 and low - room < 0.3 * high else low - room
    return x, (least, high + room), log


def _axes(panel: Panel, seldom: bool = False) -> None:
    """Ticks of a panel whose axes may be of either kind."""
    for which, limits, most in (("x", panel.xlim, 4), ("y", panel.ylim, 3 if seldom else 6)):
        if which in panel.log:
            panel.log_ticks(which, also=[limits[1]] if which == "x" else [], most=most)
        else:
            panel.ticks(which, even_ticks(*limits, most), numbers.number)


def even_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two, evenly spaced, about `most` of them."""
    rough = (high - low) / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [k * step for k in range(first, last + 1)]


def _figure(
    match: Contest, problem: str, role: str, name: str, kind: str, words: str, caption: str, width: str, **more: Any
) -> Figure:
    title = f"{words} at the {role} setting"
    return Figure(
        name=name,
        kind=kind,
        problem=problem,
        role=role,
        title=title,
        caption=caption,
        width=width,
        svg=page_svg(more["draw"](PAGE), name, f"{title} on {problem}"),
        **more,
    )


def _budget(match: Contest, problem: str) -> float:
    return float(match.cells_of(problem)[0].run["steps"])


def _words(column: str) -> str:
    return column.replace("_", " ").capitalize()


def _seeds(curves: Sequence[Curve]) -> str:
    seeds = max(c.seeds for c in curves)
    return "one evaluation seed" if seeds == 1 else f"{numbers.word(seeds)} evaluation seeds"


def _table(match: Contest, curves: Sequence[Curve], column: str) -> pd.DataFrame:
    labels = {c.index: c.label for c in match.contestants}
    parts = []
    for c in curves:
        layer = {"layer": c.layer} if c.layer else {}
        numbers_of = {f"{column}_median": c.middle, f"{column}_q1": c.low, f"{column}_q3": c.high}
        parts.append(pd.DataFrame({"contestant": labels[c.index], **layer, "step": c.steps, **numbers_of}))
    return pd.concat(parts, ignore_index=True)


def _whole(
    match: Contest, problem: str, stem: str, role: str, column: str, about: Mapping[str, Any],
    curves: Sequence[Curve], focus: frozenset[int],
) -> Figure:  # fmt: skip
    names = {c.index: short(c.label) for c in match.contestants}
    band = ", band = middle half" if max(c.seeds for c in curves) > 1 else ""
    return _figure(
        match, problem, role, f"{stem}-{file_stem(column)}" + ("-default" if role == "default" else ""),
        f"measure-{file_stem(column)}", _words(column),
        f"{definition(about)} Median of {_seeds(curves)}{band}, of those that have a value; nothing where fewer than "
        "half do.",
        "half",
        data=_table(match, curves, column),
        draw=partial(_draw_whole, curves, _budget(match, problem), names, focus, column.replace("_", " ")),
    )  # fmt: skip


@styled
def _draw_whole(
    curves: Sequence[Curve], budget: float, names: dict[int, str], focus: frozenset[int], words: str, theme: Theme
) -> matplotlib.figure.Figure:
    sheet = Sheet(HALF, HEIGHT, theme)
    x, y, log = _frame(curves, budget)
    panel = Panel(sheet, (56, 32, HALF - 56 - MARGIN, HEIGHT - 32 - 50), x, y, log)
    _axes(panel)
    panel.names("steps", words)
    labels = []
    for c in curves:
        shown = c.steps >= x[0] if "x" in log else np.ones(len(c.steps), bool)
        steps, color, named = c.steps[shown], theme.line(c.index), c.index in focus
        if not steps.size:
            continue
        at = thinned(steps.size, 120)
        if named and c.seeds > 1:
            some = thinned(steps.size, 40)
            sheet.area(
                panel.x(steps[some]), panel.y(c.low[shown][some]), panel.y(c.high[shown][some]), color, panel,
                alpha=0.1, zorder=2, gid=f"band|o{c.index}",
            )  # fmt: skip
        style = {"ls": dash(c.index), "alpha": 1 if named else 0.22, "zorder": 3, "gid": f"line|o{c.index}"}
        sheet.line(panel.x(steps[at]), panel.y(c.middle[shown][at]), color, 1.9, panel, **style)
        if named:
            end = float(np.clip(panel.y(c.middle[shown][-1]), panel.top, panel.bottom))
            labels.append(EndLabel(c.index, names[c.index], end, x=float(panel.x(steps[-1]))))
    end_labels(panel, labels)
    return sheet.drawing


def _layers(
    match: Contest, problem: str, stem: str, role: str, column: str, about: Mapping[str, Any], curves: Sequence[Curve]
) -> Figure:
    labels = {c.index: c.label for c in match.contestants}
    return _figure(
        match, problem, role, f"{stem}-{file_stem(column)}-layers" + ("-default" if role == "default" else ""),
        f"layers-{file_stem(column)}", f"{_words(column)} by layer",
        f"{definition(about)} Median of {_seeds(curves)}, of those that have a value; a line a layer, the first one strong, "
        "the last one pale. The axes are the same in all panels.",
        "full",
        data=_table(match, curves, column),
        draw=partial(_draw_layers, curves, _budget(match, problem), labels),
    )  # fmt: skip


@styled
def _draw_layers(
    curves: Sequence[Curve], budget: float, labels: dict[int, str], theme: Theme
) -> matplotlib.figure.Figure:
    owners = list(dict.fromkeys(c.index for c in curves))
    layers = list(dict.fromkeys(c.layer for c in curves))
    most = max(len(short(layer)) for layer in layers)
    margin = 24 + 6.4 * most
    rows, cell = -(-len(owners) // ACROSS), (FULL + GAP) / ACROSS
    width, height = cell - GAP - SIDE - margin, 150.0
    sheet = Sheet(FULL, rows * (HEAD + height + FOOT), theme)
    x, y, log = _frame(curves, budget)
    for place, index in enumerate(owners):
        row, column = divmod(place, ACROSS)
        left, top = column * cell + SIDE, HEAD + row * (HEAD + height + FOOT)
        panel = Panel(sheet, (left, top, width, height), x, y, log, spine=False, owner=index)
        base = (panel.bottom, panel.bottom)
        sheet.line((panel.left, panel.right), base, theme.muted, 0.8, gid=f"frame|o{index}")
        _axes(panel, seldom=True)
        words = short(labels[index], 40)
        sheet.text(left, top - 12, words, theme.text(index), SIZES["label"], weight="bold", gid=f"name|o{index}")
        sheet.text(panel.right, panel.bottom + 33, "steps", theme.muted, ha="right", gid=f"axis-name|o{index}")
        _panel(panel, [c for c in curves if c.index == index], layers)
    return sheet.drawing


def _panel(panel: Panel, curves: Sequence[Curve], layers: Sequence[str]) -> None:
    """One optimizer: a line a layer, named at its end as far as there is room."""
    theme, sheet = panel.sheet.theme, panel.sheet
    labels = []
    room = int(panel.height // 13)
    named = {layers[k] for k in thinned(len(layers), room)}
    for c in curves:
        shown = c.steps >= panel.xlim[0]
        steps, middle, depth = c.steps[shown], c.middle[shown], layers.index(c.layer)
        if not steps.size:
            continue
        at = thinned(steps.size, 80)
        pattern = DASHES[depth % len(DASHES)]
        sheet.line(
            panel.x(steps[at]), panel.y(middle[at]), theme.line(c.index), 1.5, panel,
            ls=(0, pattern) if pattern else "solid", alpha=1 - 0.6 * depth / max(len(layers) - 1, 1), zorder=3,
            gid=f"line|o{c.index};layer={c.layer}",
        )  # fmt: skip
        if c.layer in named:
            end = float(np.clip(panel.y(middle[-1]), panel.top, panel.bottom))
            labels.append(EndLabel(c.index, short(c.layer), end, x=float(panel.x(steps[-1]))))
    end_labels(panel, labels, 12.5, ("tie", "layer"))
