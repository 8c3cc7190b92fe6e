"""Every figure as SVG and PDF, every figure and table as CSV."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from .figures.figure import Figure
from .svg import file_svg, write_pdf
from .tables import Table
from .theme import LIGHT


def export(figures: Iterable[Figure], tables: Iterable[Table], out: Path) -> list[Path]:
    """Write `figures/NAME.svg`, `figures/NAME.pdf` and `tables/NAME.csv` below `out`; return what was written."""
    written = []
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for figure in figures:
        svg, pdf = (out / "figures" / f"{figure.name}.{kind}" for kind in ("svg", "pdf"))
        svg.write_text(file_svg(figure.svg, LIGHT), encoding="utf-8")
        pdf.write_bytes(write_pdf(figure.draw(LIGHT)))
        written += [svg, pdf, write_csv(figure.data, out / "tables" / f"{figure.name}.csv")]
    written += [write_csv(table.frame, out / "tables" / f"{table.name}.csv") for table in tables]
    return written


def write_csv(frame: pd.DataFrame, path: Path) -> Path:
    """A frame as CSV: every digit, `inf` for never, nothing for missing."""
    frame.to_csv(path, index=False, float_format=repr, encoding="utf-8")
    return path
