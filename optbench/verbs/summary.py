"""The table that a sweep ends with: problem × optimizer, best settings, success, steps to target, failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from ..report.numbers import number
from ..statistics.summary import summarise
from ..store import Results

WIDTH = 120
"""Columns of a table, at least, that goes to a file or a pipe."""
NUMBER = 8
"""Letters of the longest number there, 1.5·10⁻¹⁰ aside; headings may take two lines."""


class _Sweep(Results):
    """The runs of one sweep in a folder that may hold more."""

    def __init__(self, path: Path, run_ids: Sequence[str]):
        super().__init__(path)
        self.run_ids = run_ids

    @cached_property
    def _newest(self) -> pd.DataFrame:
        newest = super()._newest
        return newest[newest["run_id"].isin(self.run_ids)].reset_index(drop=True)


def summary_table(path: Path, run_ids: Sequence[str]) -> None:
    """Print these runs of a results folder. The least median steps-to-target of a problem stands in bold."""
    summary = summarise(_Sweep(path, run_ids))
    if summary.empty:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("problem", overflow="fold", min_width=10)
    table.add_column("optimizer", overflow="fold")
    table.add_column("setting", overflow="fold")
    for heading in ("reached", "steps to target", "final gap", "failed trials"):
        table.add_column(heading, justify="right", min_width=NUMBER)
    for problem, rows in summary.groupby("problem", sort=False, observed=True):
        best = rows["median_steps"].min()
        for i, row in enumerate(rows.to_dict("records")):
            last = i == len(rows) - 1
            steps = number(row["median_steps"])
            fastest = math.isfinite(best) and row["median_steps"] == best
            table.add_row(
                f"{problem}" if i == 0 else "",
                str(row["contestant"]),
                str(row["setting"]),
                f"{row['successes']}/{row['seeds']}",
                f"[bold]{steps}[/bold]" if fastest else steps,
                number(row["final_median"]),
                f"[red]{row['trials_failed']}/{row['trials']}[/red]" if row["trials_failed"] else "0",
                end_section=last,
            )
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, WIDTH))
    console.print(table)
