"""The tables of the report: what stands in each cell, once, for the page, for Markdown and for the CSV files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..statistics.contest import Cell as Pair
from ..statistics.contest import Contest
from ..statistics.profiles import ratios
from .numbers import MISSING, amount, number, percent, ratio, seconds, size

COSTS = ("steps", "evaluations", "seconds")
_EDGES = {"low": "◂", "high": "▸"}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: what is read.
        value: what is sorted by; smaller comes first, NaN and ∞ last.
        small: a remark behind the text, such as "4/5".
        bad: the remark tells of a failure.
        best: nothing in the column is better.
        edge: a mark behind the text: ▸ ◂ where a tuned setting lies on the border of its search space.
        costs: the value in each cost, where the cell depends on the cost switch.
        bar: counts drawn as a bar: reached, not reached, diverged.
    """

    text: str
    value: float | str = ""
    small: str = ""
    bad: bool = False
    best: bool = False
    edge: str = ""
    costs: Mapping[str, float] = field(default_factory=dict)
    bar: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Row:
    """One row. index: the contestant it speaks of; None where it speaks of none. link: id of a place in the page."""

    cells: tuple[Cell, ...]
    index: int | None = None
    link: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the report; `frame` holds its numbers in full, and is what the CSV file says.

    `left` names the columns that hold words, `main` the column that matters most, `wrapped` the headings of columns
    whose words may take several lines, `by_cost` whether the cost switch changes it.
    """

    name: str
    title: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    frame: pd.DataFrame
    left: frozenset[int] = frozenset({0})
    main: int = -1
    wrapped: frozenset[str] = frozenset()
    by_cost: bool = False


def summary_frame(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as it goes into a CSV file: settings as JSON, border as "lr high"."""
    frame = summary.drop(columns=["index"]).copy()
    frame["settings"] = [json.dumps(value, default=float) for value in summary["settings"]]
    frame["on_border"] = [", ".join(f"{key} {side}" for key, side in value.items()) for value in summary["on_border"]]
    return frame


def setting_cell(pair: Pair, on_border: Mapping[str, str]) -> Cell:
    """The tuned setting in words: "0.01" where only the rate was tuned, else "lr 0.01, cosine"."""
    if pair.role == "default":
        return Cell("defaults", np.nan)
    alone = set(pair.settings) == {"lr"}
    words = [
        (number(float(value)) if alone else f"{name} {number(float(value))}")
        if isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        else f"{name} {value}"
        for name, value in pair.settings.items()
    ]
    if len(pair.rivals) > 1:
        words.append(str(pair.run["schedule"]))
    edge = "".join(_EDGES[side] for side in on_border.values())
    return Cell(", ".join(words), float(pair.settings.get("lr", np.nan)), edge=edge)


def of(successes: int, seeds: int) -> str:
    """4/5."""
    return f"{successes}/{seeds}"


def heat_table(match: Contest, summary: pd.DataFrame, order: list[int], cost: str = "steps") -> Table:
    """Cost to the target as a multiple of the fastest contestant's, problem × contestant."""
    column = f"median_{cost}"
    wide = summary.pivot(index="problem", columns="index", values=column).reindex(
        index=list(match.problems), columns=order
    )
    best = wide.min(axis=1)
    multiples = ratios(wide.to_numpy(float))
    by_pair = {(row["problem"], row["index"]): row for row in summary.to_dict("records")}
    rows = []
    for problem, multiple in zip(match.problems, multiples, strict=True):
        price = float(best[problem])
        cells = [Cell(problem), Cell(amount(price, cost) if np.isfinite(price) else "none", price)]
        for i, times in zip(order, multiple, strict=True):
            row = by_pair.get((problem, i))
            cells.append(Cell(MISSING, np.nan) if row is None else _ratio_cell(row, float(times)))
        rows.append(Row(tuple(cells)))
    labels = {c.index: c.label for c in match.contestants}
    return Table(
        name="ratios",
        title="Where each one wins and where it fails",
        caption=(
            f"Median {cost} to the target as a multiple of the fastest optimizer shown; 1× is the fastest. Hatched: "
            "the median seed does not arrive; the count says how many do, ✕ how many diverged. A small count beside "
            "a number: some seeds failed. – was not run."
        ),
        headings=("problem", "fastest", *(labels[i] for i in order)),
        rows=tuple(rows),
        frame=pd.DataFrame(multiples, wide.index, wide.columns)
        .where(wide.notna())
        .rename(columns=labels)
        .reset_index(),
        by_cost=True,
    )


def _ratio_cell(row: Mapping, value: float) -> Cell:
    """1.3×, with 4/5 below where some seeds failed; 2/5 where the median seed did, with ✕2 for those that diverged."""
    count = of(row["successes"], row["seeds"])
    if np.isfinite(value):
        return Cell(ratio(value), value, count if row["successes"] < row["seeds"] else "")
    return Cell(count, np.inf, f"✕{row['diverged']}" if row["diverged"] else "", bad=bool(row["diverged"]))


def summary_table(match: Contest, summary: pd.DataFrame, order: list[int]) -> Table:
    """Everything in one table: problem × contestant."""
    place = {i: n for n, i in enumerate(order)}
    rows = []
    for problem in match.problems:
        part = summary[summary["problem"] == problem].to_dict("records")
        for row in sorted(part, key=lambda r: place[r["index"]]):
            final, spread = row["final_loss_median"], f"{number(row['final_loss_q1'])} … {number(row['final_loss_q3'])}"
            cells = (
                Cell(problem, problem),
                Cell(row["contestant"], row["contestant"]),
                setting_cell(match.cells[problem, row["index"]], row["on_border"]),
                Cell(
                    percent(row["success_rate"]),
                    -row["success_rate"],
                    of(row["successes"], row["seeds"]),
                    row["successes"] < row["seeds"],
                ),
                Cell(number(row["median_steps"]), row["median_steps"], costs={c: row[f"median_{c}"] for c in COSTS}),
                Cell(number(final), final, spread),
                Cell(seconds(row["step_seconds"]), row["step_seconds"], "sequential" if row["sequential"] else ""),
                Cell(size(row["state_bytes"]), row["state_bytes"]),
                Cell(
                    str(row["failures"]),
                    row["failures"],
                    f"✕{row['diverged']}" if row["diverged"] else "",
                    bool(row["failures"]),
                ),
            )
            rows.append(Row(cells, index=row["index"]))
    tuned = bool((summary["role"] == "tuned").any())
    return Table(
        name="summary",
        title="Every problem, every optimizer",
        caption=(
            f"Evaluation seeds at the {'tuned' if tuned else 'default'} setting. Reached: share of the seeds that "
            "reach the target. Median: cost to "
            "the target over the seeds, ∞ unless more than half arrive. Final loss: median of the objective after the "
            "last step and its quartiles. Step: time of one step of one trial, measured alone. State: optimizer state "
            "of one trial. Failed: seeds that did not finish, ✕ those that diverged. The CSV file has more columns."
        ),
        headings=(
            "problem",
            "optimizer",
            "tuned setting" if tuned else "setting",
            "reached",
            "median",
            "final loss",
            "step",
            "state",
            "failed",
        ),
        rows=tuple(rows),
        frame=summary_frame(summary),
        left=frozenset({0, 1}),
        by_cost=True,
    )
