"""A sheet on which figures are drawn in pixels from the upper left corner, and panels that map data onto it.

matplotlib's own axes take half of the time of a small figure (ticks, margins, layout), so lines, areas and words are
placed directly; the result is the same SVG and PDF.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox, TransformedBbox
from numpy.typing import ArrayLike

from .. import numbers
from ..svg import STYLE
from ..theme import SIZES, Theme

FULL, HALF = 1060, 530
MARGIN = 114
"""Room at the right for names."""


def styled(draw: Callable[..., Drawing]) -> Callable[..., Drawing]:
    """Run a drawing function under the report's matplotlib settings."""

    @functools.wraps(draw)  # also lets figures be sent to another process
    def wrapped(*args: Any, **kwargs: Any) -> Drawing:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapped


class Sheet:
    """An empty drawing of this many pixels; y points down, as in SVG.

    Args:
        width, height: in pixels; one is 1/72 inch in a PDF.
        theme: the colours.
    """

    def __init__(self, width: float, height: float, theme: Theme):
        self.width, self.height, self.theme = width, height, theme
        self.drawing = Drawing(figsize=(width / 72, height / 72), dpi=72, facecolor=theme.bg)
        self.drawing.patch.set_visible(theme.name != "page")
        self.pixels = Affine2D().scale(1 / 72, -1 / 72).translate(0, height / 72) + self.drawing.dpi_scale_trans

    def _add(self, artist: Any, clip: Panel | None) -> None:
        artist.set_transform(self.pixels)
        self.drawing.add_artist(artist, clip=False)
        artist.set_clip_on(clip is not None)
        if clip is not None:
            artist.set_clip_box(clip.box)

    def text(self, x: float, y: float, words: str, color: str, size: float = SIZES["tick"], **more: Any) -> None:
        """Words with their baseline at (x, y)."""
        text = Text(x, y, words, color=color, size=size, parse_math=False, **more)
        self._add(text, None)

    def line(
        self, xs: ArrayLike, ys: ArrayLike, color: str, width: float = 0.8, clip: Panel | None = None, **more: Any
    ) -> None:
        """A line through these points."""
        self._add(Line2D(xs, ys, color=color, linewidth=width, **more), clip)  # type: ignore[arg-type] # matplotlib takes what numpy does

    def segments(
        self, ends: Sequence[Sequence[tuple[float, float]]], color: str, width: float = 0.8, **more: Any
    ) -> None:
        """Separate straight lines."""
        self._add(LineCollection(ends, colors=color, linewidths=width, **more), None)  # type: ignore[arg-type] # matplotlib takes what numpy does

    def area(
        self, xs: ArrayLike, lower: ArrayLike, upper: ArrayLike, color: str, clip: Panel | None = None, **more: Any
    ) -> None:
        """What lies between two lines, filled."""
        xs = np.asarray(xs)
        points = np.concatenate([np.stack([xs, lower], 1), np.stack([xs, upper], 1)[::-1]])
        self._add(Polygon(points, closed=True, facecolor=color, edgecolor="none", **more), clip)

    def box(self, x: float, y: float, width: float, height: float, color: str, **more: Any) -> None:
        """A filled rectangle; (x, y) is its upper left corner."""
        more = {"edgecolor": "none", **more}
        self._add(Rectangle((x, y), width, height, facecolor=color, **more), None)

    def shape(self, path: Path, color: str, clip: Panel | None = None, **more: Any) -> None:
        """What lies within a path, filled."""
        self._add(PathPatch(path, facecolor=color, edgecolor="none", **more), clip)

    def marks(self, xs: ArrayLike, ys: ArrayLike, shape: str | Path, size: float, color: str, **more: Any) -> None:
        """Markers of this width at the points."""
        more = {"markeredgewidth": 0, **more}
        self._add(Line2D(xs, ys, linestyle="", marker=shape, markersize=size, color=color, **more), None)  # type: ignore[arg-type] # matplotlib takes what numpy does


class Panel:
    """A rectangle of a sheet onto which data is mapped, with a line along its bottom.

    Args:
        sheet: where it lies.
        left, top, width, height: its place in pixels.
        x, y: limits of the axes.
        log: which axes are logarithmic: "xy", "x", "y" or "".
        spine: draw the line.
        owner: contestant to whom its ticks belong, where each has a panel of its own.
    """

    def __init__(
        self,
        sheet: Sheet,
        place: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
        log: str = "xy",
        spine: bool = True,
        owner: int | None = None,
    ):
        self.sheet = sheet
        self.left, self.top, self.width, self.height = place
        self.right, self.bottom = self.left + self.width, self.top + self.height
        self.xlim, self.ylim, self.log, self.owner = x, y, log, owner
        corners = Bbox.from_extents(self.left, self.top, self.right, self.bottom)
        self.box = TransformedBbox(corners, sheet.pixels)
        scales = ["log" if axis in log else "linear" for axis in "xy"]
        limits = " ".join([*(f"{v:.6g}" for v in (*place, *x, *y)), *scales])
        sheet.line(
            (self.left, self.right),
            (self.bottom, self.bottom),
            sheet.theme.muted,
            0.8 if spine else 0,
            gid=f"ax|{limits}",
        )

    def x(self, values: ArrayLike) -> np.ndarray:
        """Pixels of these values on the x axis."""
        return self.left + self.width * _fraction(values, self.xlim, "x" in self.log)

    def y(self, values: ArrayLike) -> np.ndarray:
        """Pixels of these values on the y axis."""
        return self.bottom - self.height * _fraction(values, self.ylim, "y" in self.log)

    def ticks(self, which: str, at: Iterable[float], label: Callable[[float], str], above: bool = False) -> None:
        """Hairlines and words at these values; words of x below the panel, or above it."""
        sheet, muted = self.sheet, self.sheet.theme.muted
        ends = []
        for value in at:
            if which == "x":
                place = float(self.x(value))
                ends.append([(place, self.top), (place, self.bottom)])
                sheet.text(
                    place,
                    self.top - 8 if above else self.bottom + 17,
                    label(value),
                    muted,
                    ha="center",
                    gid=self._gid("tick-x"),
                )
            else:
                place = float(self.y(value))
                ends.append([(self.left, place), (self.right, place)])
                sheet.text(self.left - 7, place + 4, label(value), muted, ha="right", gid=self._gid("tick-y"))
        sheet.segments(ends, sheet.theme.grid, zorder=0, gid=self._gid(f"grid-{which}"))

    def _gid(self, kind: str) -> str:
        return f"class|{kind}" if self.owner is None else f"{kind}|o{self.owner}"

    def log_ticks(
        self,
        which: str,
        also: Iterable[float] = (),
        most: int = 7,
        label: Callable[[float], str] | None = None,
    ) -> None:
        """Ticks of a logarithmic axis; `also`: further ones, before which a decade that is too near gives way."""
        low, high = self.xlim if which == "x" else self.ylim
        extra = [v for v in also if low <= v <= high]
        near = 0.09 * math.log10(high / low)
        kept = [v for v in log_ticks(low, high, most) if all(abs(math.log10(v / e)) > near for e in extra)]
        self.ticks(which, sorted([*kept, *extra]), label or tick_text)

    def names(self, x: str, y: str) -> None:
        """The name of y above the panel at the left, of x below it at the right."""
        sheet = self.sheet
        if y:
            sheet.text(4, self.top - 15, y, sheet.theme.muted, gid="class|axis-name")
        if x:
            sheet.text(self.right, self.bottom + 38, x, sheet.theme.muted, ha="right", gid="class|axis-name")


def _fraction(values: ArrayLike, limits: tuple[float, float], log: bool) -> np.ndarray:
    """Where values lie between the limits: 0 at the first, 1 at the second; no further than ten panels away."""
    v, (low, high) = np.asarray(values, float), limits
    if log:
        least = low * (low / high) ** 10 if (low / high) ** 10 > 1e-300 else 1e-300
        v, low, high = np.log(np.maximum(v, least)), math.log(low), math.log(high)
    return np.clip((v - low) / (high - low), -10, 10)


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Tick places between low and high: decades, fewer of them where they are many, 1-2-5 where few."""
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


def short(name: str, most: int = 14) -> str:
    """A name that fits beside a line: the middle of a long one is left out, since ends tell names apart."""
    head = most // 2
    return name if len(name) <= most else f"{name[:head]}…{name[head + 1 - most :]}"


def sentence(words: str, width: float, theme: Theme) -> Drawing:
    """What stands in place of a figure that has nothing to show."""
    sheet = Sheet(width, 60, theme)
    sheet.text(4, 34, words, theme.muted, SIZES["name"], gid="class|nothing")
    return sheet.drawing


def thinned(length: int, most: int) -> np.ndarray:
    """At most this many positions of 0 … length − 1, evenly spread, first and last among them."""
    return np.arange(length) if length <= most else np.unique(np.linspace(0, length - 1, most).round().astype(int))
