"""What the figures share: a blank sheet in pixels, axes, ticks, and names at the ends of lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from ...statistics.contest import Contest, Contestant
from .. import numbers
from ..svg import STYLE
from ..theme import SIZES, Theme

FULL, HALF = 1060, 530
MARGIN = 106
"""Room at the right for names."""
LABELLED = 12
"""With more contestants than this only the ten best-ranked are named at their lines."""


def sheet(width: float, height: float, theme: Theme) -> Drawing:
    """An empty drawing of this many pixels."""
    drawing = Drawing(figsize=(width / 72, height / 72), dpi=72, facecolor=theme.bg)
    drawing.patch.set_visible(theme.name != "page")
    return drawing


def styled(draw: Callable[..., Drawing]) -> Callable[..., Drawing]:
    """Run a drawing function under the report's matplotlib settings."""

    def wrapped(*args: Any, **kwargs: Any) -> Drawing:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    wrapped.__doc__, wrapped.__module__ = draw.__doc__, draw.__module__
    return wrapped


def panel(drawing: Drawing, theme: Theme, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at this place, in pixels from the upper left corner, with hairline grid and a bottom line only."""
    w, h = drawing.bbox.width, drawing.bbox.height
    ax = drawing.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
    ax.set_axis_off()  # ticks and grid are drawn by `set_ticks`: matplotlib's own take half of the time of a figure
    ax.set_autoscale_on(False)
    stroke(drawing, (left, left + width), (top + height, top + height), theme.muted)
    return ax


def text(drawing: Drawing, x: float, y: float, words: str, color: str, size: float = SIZES["tick"], **more: Any) -> Any:
    """Text at (x, y) in pixels from the upper left corner; y is the baseline."""
    w, h = drawing.bbox.width, drawing.bbox.height
    return drawing.text(x / w, 1 - y / h, words, color=color, size=size, parse_math=False, **more)


def stroke(drawing: Drawing, xs: Sequence[float], ys: Sequence[float], color: str, width: float = 0.8, **more: Any) -> None:
    """A line in pixels from the upper left corner."""
    w, h = drawing.bbox.width, drawing.bbox.height
    line = Line2D(np.array(xs) / w, 1 - np.array(ys) / h, color=color, linewidth=width, transform=drawing.transFigure, **more)
    drawing.add_artist(line)


def axis_names(drawing: Drawing, ax: Axes, theme: Theme, x: str, y: str) -> None:
    """The name of y above the axis at the left, of x below it at the right."""
    box = ax.get_window_extent()
    bottom = drawing.bbox.height - box.y0
    text(drawing, 4, drawing.bbox.height - box.y1 - 13, y, theme.muted)
    text(drawing, box.x1, bottom + 34, x, theme.muted, ha="right")


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Tick places between low and high: decades, every second or third where they are many, 1-2-5 where they are few."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    decades = list(range(first, last + 1))
    if len(decades) >= 2:
        every = math.ceil(len(decades) / most)
        return [10.0**k for k in decades if k % every == 0]
    found = [m * 10.0**k for k in range(first - 1, last + 1) for m in (1, 2, 5)]
    inside = [v for v in found if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
    return inside if len(inside) >= 2 else [low, high]


def tick_text(value: float) -> str:
    """10⁻², 0.1, 1, 10, 100, 10³ for decades, three digits for what lies between."""
    exponent = math.log10(value)
    return numbers.decade(round(exponent)) if abs(exponent - round(exponent)) < 1e-9 else numbers.number(value)


def log_axis(
    drawing: Drawing,
    ax: Axes,
    theme: Theme,
    which: str,
    low: float,
    high: float,
    also: Iterable[float] = (),
    most: int = 7,
    label: Callable[[float], str] = tick_text,
) -> None:
    """A logarithmic axis from low to high; `also`: further ticks, before which a decade that is too near gives way."""
    getattr(ax, f"set_{which}scale")("log")
    getattr(ax, f"set_{which}lim")(low, high)
    extra = [v for v in also if low <= v <= high]
    near = 0.09 * math.log10(high / low)
    ticks = [v for v in log_ticks(low, high, most) if all(abs(math.log10(v / e)) > near for e in extra)]
    set_ticks(drawing, ax, theme, which, sorted([*ticks, *extra]), label)


def set_ticks(
    drawing: Drawing,
    ax: Axes,
    theme: Theme,
    which: str,
    ticks: Sequence[float],
    label: Callable[[float], str],
    above: bool = False,
) -> None:
    """Hairlines and words at exactly these ticks; x words below the axes, or above them."""
    box = ax.get_window_extent()
    top, bottom = drawing.bbox.height - box.y1, drawing.bbox.height - box.y0
    segments = []
    for tick in ticks:
        if which == "x":
            at = ax.transData.transform((tick, ax.get_ylim()[0]))[0]
            segments.append([(at, box.y0), (at, box.y1)])
            text(drawing, at, top - 8 if above else bottom + 16, label(tick), theme.muted, ha="center", gid=f"class.tick-{which}")
        else:
            at = ax.transData.transform((ax.get_xlim()[0], tick))[1]
            segments.append([(box.x0, at), (box.x1, at)])
            text(drawing, box.x0 - 6, drawing.bbox.height - at + 4, label(tick), theme.muted, ha="right", gid=f"class.tick-{which}")
    grid = LineCollection(segments, colors=theme.grid, linewidths=0.8, transform=None, zorder=0, gid=f"class.grid-{which}")
    drawing.add_artist(grid)


def seconds_tick(value: float) -> str:
    """1 ms, 10 ms, 0.1 s: times as words."""
    return numbers.seconds(value)


def short(name: str, most: int = 14) -> str:
    """A name that fits beside a line."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, at least `gap` apart, within [low, high] where there is room; order is kept.

    Neighbours that are too close form a block around the mean of what its members want (pool adjacent violators).
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[list[float]] = []  # [sum of wanted tops, members]
    for i in order:
        blocks.append([wanted[i], 1])
        while len(blocks) > 1 and _top(blocks[-2], gap, low, high) + blocks[-2][1] * gap > _top(blocks[-1], gap, low, high):
            total, members = blocks.pop()
            blocks[-1][0] += total - members * blocks[-1][1] * gap
            blocks[-1][1] += members
    places = [0.0] * len(order)
    position = 0
    for block in blocks:
        top = _top(block, gap, low, high)
        for member in range(int(block[1])):
            places[order[position]] = top + member * gap
            position += 1
    return places


def _top(block: list[float], gap: float, low: float, high: float) -> float:
    return max(low, min(block[0] / block[1], high - (block[1] - 1) * gap))


@dataclass(frozen=True)
class EndLabel:
    """A name at the right end of a line.

    Args:
        index: of the contestant.
        words: what is written.
        y: height of the line's end in pixels from the top; None where no line reaches the edge.
        order: where there is no line end: a place among such labels; negative ones stand at the top, others at the bottom.
    """

    index: int
    words: str
    y: float | None
    order: float = 0.0


def end_labels(drawing: Drawing, ax: Axes, theme: Theme, labels: Sequence[EndLabel], gap: float = 14.5) -> None:
    """Names beside the right edge of the axes, spread so that none covers another, with thin leaders to the lines."""
    box = ax.get_window_extent()
    right, top, bottom = box.x1, drawing.bbox.height - box.y1, drawing.bbox.height - box.y0
    above = sorted((label for label in labels if label.y is None and label.order < 0), key=lambda label: label.order)
    below = sorted((label for label in labels if label.y is None and label.order >= 0), key=lambda label: label.order)
    ends = sorted((label for label in labels if label.y is not None), key=lambda label: label.y or 0.0)
    ordered = [*above, *ends, *below]
    wanted = [
        *(top - 1 + i * 0.01 for i in range(len(above))),
        *(label.y for label in ends if label.y is not None),
        *(bottom + 1 + i * 0.01 for i in range(len(below))),
    ]
    gap = min(gap, (bottom - top) / max(len(ordered) - 1, 1))
    for label, want, place in zip(ordered, wanted, spread(wanted, gap, top, bottom), strict=True):
        gid = f"o{label.index};y={want:.1f}"
        if label.y is not None:
            stroke(drawing, (right + 1, right + 6, right + 14), (want, want, place), theme.line(label.index), gid=f"leader.{gid}")
        text(
            drawing, right + 17, place + 4.2, label.words, theme.text(label.index), SIZES["label"], weight="bold", gid=f"label.{gid}"
        )


def thinned(length: int, most: int) -> np.ndarray:
    """At most this many positions of 0 … length − 1, evenly spread, first and last among them."""
    return np.arange(length) if length <= most else np.unique(np.linspace(0, length - 1, most).round().astype(int))


def file_stem(label: str) -> str:
    """A label as part of a file name and of ids: letters, digits and hyphens."""
    kept = "".join(ch if ch.isascii() and ch.isalnum() else "-" for ch in label.lower())
    return "-".join(part for part in kept.split("-") if part) or "x"


def stems(match: Contest) -> dict[str, str]:
    """The file stem of each problem, all different."""
    found: dict[str, str] = {}
    for problem in match.problems:
        stem, number = file_stem(problem), 2
        while stem in found.values():
            stem, number = f"{file_stem(problem)}-{number}", number + 1
        found[problem] = stem
    return found



