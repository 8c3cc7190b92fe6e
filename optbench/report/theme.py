"""Colours, dashes and markers: one per contestant, stable in every figure, file and state of the page.

Contestant i has colour i mod 8, dash (i + i div 8) mod 5 and marker i mod 8: 40 distinct pairs of colour and dash.
The colours keep a contrast of at least 3 to the background and stay apart for colour-blind readers (tested).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
DASHES: tuple[tuple[float, ...], ...] = ((), (5.5, 1.8), (1.1, 1.3), (6.0, 1.6, 1.1, 1.6), (9.0, 2.0))
"""On and off lengths in widths of the line; () is solid."""
SIZES = {"tick": 11.5, "label": 12.0, "name": 13.0}
"""Font sizes in figures, in units of the viewBox (1 unit = 1 px = 1 pt)."""


def dash(index: int) -> Any:
    """The line style of contestant `index`, as matplotlib takes it."""
    pattern = DASHES[(index + index // 8) % 5]
    return (0, pattern) if pattern else "solid"


def marker(index: int) -> str:
    """The marker of contestant `index`, as matplotlib takes it."""
    return MARKERS[index % 8]


def rgb(color: str) -> tuple[float, float, float]:
    """(r, g, b) in [0, 1] of "#RRGGBB"."""
    return int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255


def mixed(color: str, other: str, share: float) -> str:
    """`color` with a share of `other`, mixed in sRGB."""
    mixture = (1 - share) * np.array(rgb(color)) + share * np.array(rgb(other))
    return "#" + "".join(f"{round(255 * part):02X}" for part in mixture)


@dataclass(frozen=True)
class Theme:
    """The colours of one drawing.

    Args:
        name: "light", "dark", or "page" for the sentinels that become CSS variables.
        lines: colours of the contestants' lines, repeated.
        texts: colours of the contestants' names, repeated.
        ink, muted, grid, bg, failure: text, secondary text, hairlines, background, failures.
        others: further colours that only the page's style sheet needs.
    """

    name: str
    lines: tuple[str, ...]
    texts: tuple[str, ...]
    ink: str
    muted: str
    grid: str
    bg: str
    failure: str
    others: Mapping[str, str] = field(default_factory=dict)

    def line(self, index: int) -> str:
        """Colour of contestant `index`."""
        return self.lines[index % len(self.lines)]

    @property
    def heat(self) -> str:
        """The one colour of the heat map."""
        return "#" + "".join(f"{int(part):02X}" for part in self.others["heat"].split(","))

    def text(self, index: int) -> str:
        """Colour of text about contestant `index`: its line colour, closer to the ink."""
        return self.texts[index % len(self.texts)]

    def css(self) -> str:
        """The theme as CSS variables: `--c3` line 3, `--t3` text 3 (of eight each), `--ink`, `--muted`, …"""
        named = {"ink": self.ink, "muted": self.muted, "grid": self.grid, "bg": self.bg, "failure": self.failure}
        pairs = [*((f"c{i}", c) for i, c in enumerate(self.lines)), *((f"t{i}", c) for i, c in enumerate(self.texts))]
        return "".join(f"--{key}:{value};" for key, value in [*pairs, *named.items(), *self.others.items()])


_LIGHT = ("#2036C4", "#C24A00", "#0A4B2A", "#E669A6", "#1E9BEA", "#6B0F6E", "#A88F1C", "#5B6675")
_DARK = ("#747DEB", "#C2742A", "#63F593", "#FF6485", "#12A5B8", "#BDBCFF", "#D6B51C", "#EDEDED")

LIGHT = Theme(
    "light",
    lines=_LIGHT,
    texts=tuple(mixed(color, "#10151C", 0.28) for color in _LIGHT),
    ink="#171B21",
    muted="#5B6573",
    grid="#E3E7EC",
    bg="#FFFFFF",
    failure="#B42318",
    others=MappingProxyType({"rail": "#F7F8FA", "line": "#D9DEE5", "reached": "#0F766E", "heat": "8,94,116"}),
)
DARK = Theme(
    "dark",
    lines=_DARK,
    texts=tuple(mixed(color, "#FFFFFF", 0.20) for color in _DARK),
    ink="#E9EDF2",
    muted="#9AA5B3",
    grid="#262D37",
    bg="#12161C",
    failure="#FF8A7A",
    others=MappingProxyType({"rail": "#171C23", "line": "#2D3541", "reached": "#5EEAD4", "heat": "60,170,190"}),
)
PAGE = Theme(
    "page",
    lines=tuple(f"#10{i:02x}00" for i in range(8)),
    texts=tuple(f"#20{i:02x}00" for i in range(8)),
    ink="#300000",
    muted="#300100",
    grid="#300200",
    bg="#300300",
    failure="#300400",
    others=MappingProxyType({"heat": "48,5,0"}),
)
"""Sentinels: colours that stand for CSS variables until `optbench.report.svg` replaces them."""

VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        **{color: f"var(--c{i})" for i, color in enumerate(PAGE.lines)},
        **{color: f"var(--t{i})" for i, color in enumerate(PAGE.texts)},
        PAGE.ink: "var(--ink)",
        PAGE.muted: "var(--muted)",
        PAGE.grid: "var(--grid)",
        PAGE.bg: "var(--bg)",
        PAGE.failure: "var(--failure)",
        PAGE.heat.lower(): "rgb(var(--heat))",
    }
)
"""What each sentinel becomes in the page."""
