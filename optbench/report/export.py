"""Every figure as SVG and PDF, every figure and table as CSV."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from .figures.figure import Figure
from .svg import file_svg, write_pdf
from .tables import Table
from .theme import LIGHT


def export(figures: Sequence[Figure], tables: Iterable[Table], out: Path) -> list[Path]:
    """Write `figures/NAME.svg`, `figures/NAME.pdf` and `tables/NAME.csv` below `out`; return what was written."""
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    written = []
    with _pdfs(figures, out / "figures") as pdfs:
        for figure in figures:
            svg = out / "figures" / f"{figure.name}.svg"
            svg.write_text(file_svg(figure.svg, LIGHT), encoding="utf-8")
            written += [svg, write_csv(figure.data, out / "tables" / f"{figure.name}.csv")]
        written += [write_csv(table.frame, out / "tables" / f"{table.name}.csv") for table in tables]
        written += pdfs()
    return written


@contextmanager
def _pdfs(figures: Sequence[Figure], folder: Path) -> Iterator[Callable[[], list[Path]]]:
    """Draw the PDF files beside other work; the function yielded waits for them.

    They take half of the time of a report. Drawings cannot be sent to other processes but are inherited by forked ones,
    so this is done where forking is safe (Linux, no other thread) and worth it.
    """
    processes = min(os.cpu_count() or 1, 4)
    alone = threading.active_count() == 1 and "torch" not in sys.modules
    if len(figures) < 12 or processes < 2 or not sys.platform.startswith("linux") or not alone:
        yield lambda: [_pdf(figure, folder) for figure in figures]
        return
    with multiprocessing.get_context("fork").Pool(processes, _inherit, (figures, folder)) as pool:
        jobs = pool.map_async(_inherited_pdf, range(len(figures)), chunksize=1)
        yield jobs.get


_inherited: tuple[Sequence[Figure], Path] = ((), Path())


def _inherit(figures: Sequence[Figure], folder: Path) -> None:
    global _inherited
    _inherited = (figures, folder)


def _inherited_pdf(number: int) -> Path:
    figures, folder = _inherited
    return _pdf(figures[number], folder)


def _pdf(figure: Figure, folder: Path) -> Path:
    path = folder / f"{figure.name}.pdf"
    path.write_bytes(write_pdf(figure.draw(LIGHT)))
    return path


def write_csv(frame: pd.DataFrame, path: Path) -> Path:
    """A frame as CSV: every digit, `inf` for never, nothing for missing."""
    frame.to_csv(path, index=False, encoding="utf-8")
    return path
