"""Every figure as SVG and PDF, every figure and table as CSV."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from ..statistics.contest import Contest
from .figures import of_problem, overview
from .figures.figure import Figure
from .svg import file_svg, write_pdf
from .tables import Table
from .theme import LIGHT

Job = Callable[[], list[Figure]]


def draw_files(match: Contest, summary: pd.DataFrame, out: Path) -> list[Figure]:
    """Draw every figure and write `figures/NAME.svg`, `figures/NAME.pdf` and `tables/NAME.csv` below `out`.

    Figures that speak of all problems are one job, those of each problem another. What they draw on cannot be sent to
    other processes cheaply but is inherited by forked ones, so the jobs are shared out where forking is safe (Linux, no
    other thread) and worth it.
    """
    _folders(out)
    jobs: list[Job] = [
        partial(overview, match, summary),
        *(partial(of_problem, match, summary, problem) for problem in match.problems),
    ]
    processes = min(os.cpu_count() or 1, 4)
    alone = threading.active_count() == 1 and "torch" not in sys.modules
    if len(jobs) < 3 or processes < 2 or not sys.platform.startswith("linux") or not alone:
        return [figure for job in jobs for figure in _written(job, out)]
    gc.freeze()  # or the first collection in each process copies every page it has inherited
    try:
        with multiprocessing.get_context("fork").Pool(processes, _inherit, (jobs, out)) as pool:
            return [figure for part in pool.map(_inherited, range(len(jobs)), chunksize=1) for figure in part]
    finally:
        gc.unfreeze()


def write_tables(tables: Iterable[Table], out: Path) -> list[Path]:
    """Write `tables/NAME.csv` below `out`; return what was written."""
    _folders(out)
    return [write_csv(table.frame, out / "tables" / f"{table.name}.csv") for table in tables]


def write_csv(frame: pd.DataFrame, path: Path) -> Path:
    """A frame as CSV: every digit, `inf` for never, nothing for missing."""
    frame.to_csv(path, index=False, encoding="utf-8")
    return path


def _folders(out: Path) -> None:
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)


_inheritance: tuple[Sequence[Job], Path] = ((), Path())


def _inherit(jobs: Sequence[Job], out: Path) -> None:
    global _inheritance
    _inheritance = (jobs, out)


def _inherited(number: int) -> list[Figure]:
    jobs, out = _inheritance
    return _written(jobs[number], out)


def _written(job: Job, out: Path) -> list[Figure]:
    figures = job()
    for figure in figures:
        path = out / "figures" / figure.name
        path.with_name(f"{figure.name}.svg").write_text(file_svg(figure.svg, LIGHT), encoding="utf-8")
        path.with_name(f"{figure.name}.pdf").write_bytes(write_pdf(figure.draw(LIGHT)))
    for table, frame in {figure.table: figure.data for figure in figures}.items():
        write_csv(frame, out / "tables" / f"{table}.csv")
    return figures
