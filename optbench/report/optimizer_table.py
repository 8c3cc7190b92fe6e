"""The table of optimizers: what each wins, what it solves, what it costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..statistics.contest import Contest
from .numbers import MISSING, number, ratio
from .tables import Cell, Row, Table


def optimizer_frame(
    match: Contest, summary: pd.DataFrame, mean_ranks: Mapping[int, float], usable: Mapping[int, float]
) -> pd.DataFrame:
    """One row a contestant: what it wins, what it solves, what it costs."""
    fastest = summary.groupby("problem")["median_steps"].transform("min")
    wins = summary[np.isfinite(summary["median_steps"]) & (summary["median_steps"] == fastest)]
    solved = np.isfinite(summary["median_steps"])
    relative = summary["step_seconds"] / summary.groupby("problem")["step_seconds"].transform("min")
    rows = []
    for c in match.contestants:
        mine = summary["index"] == c.index
        part = summary[mine]
        seeds, reached, diverged = (int(part[name].sum()) for name in ("seeds", "successes", "diverged"))
        rows.append({
            "index": c.index, "contestant": c.label, "family": c.family, "mean_rank": mean_ranks.get(c.index, np.nan),
            "fastest_on": ", ".join(wins.loc[wins["index"] == c.index, "problem"]),
            "wins": int((wins["index"] == c.index).sum()),
            "problems": len(part), "solved": int((mine & solved).sum()),
            "not_solved": ", ".join(part.loc[~np.isfinite(part["median_steps"]), "problem"]),
            "usable_decades": usable.get(c.index, np.nan), "step_ratio": float(relative[mine].median()),
            "state_bytes_per_parameter": float(part["state_bytes_per_parameter"].median()),
            "seeds": seeds, "reached": reached, "diverged": diverged,
        })  # fmt: skip
    return pd.DataFrame(rows)


def optimizer_table(frame: pd.DataFrame, order: list[int]) -> Table:
    """The contestants by mean rank."""
    rows = []
    for i in order:
        row = frame[frame["index"] == i].iloc[0]
        rest = row["seeds"] - row["reached"] - row["diverged"]
        counts = f"{row['reached']} · {rest} · {row['diverged']}"
        cells = (
            Cell(row["contestant"], row["contestant"]),
            Cell(f"{row['mean_rank']:.2f}" if np.isfinite(row["mean_rank"]) else MISSING, row["mean_rank"]),
            Cell(row["fastest_on"] or MISSING, -row["wins"]),
            Cell(f"{row['solved']} of {row['problems']}", -row["solved"]),
            Cell(row["not_solved"] or MISSING, row["problems"] - row["solved"]),
            Cell(
                f"{row['usable_decades']:.1f}" if np.isfinite(row["usable_decades"]) else MISSING,
                -row["usable_decades"],
            ),
            Cell(ratio(row["step_ratio"]), row["step_ratio"]),
            Cell(number(row["state_bytes_per_parameter"]), row["state_bytes_per_parameter"]),
            Cell(counts, -row["reached"], bar=(row["reached"], rest, row["diverged"])),
        )
        rows.append(Row(cells, index=i))
    return Table(
        name="optimizers",
        title="Optimizers, by mean rank",
        caption=(
            "Solved: the median seed arrives. Usable decades: width of the learning rates that close at least 90 % of "
            "the log gap between the start and the optimizer's own best, median over the problems; 0: a single rate did. "
            "Step: time of one "
            "step as a multiple of the cheapest, median over the problems. State: bytes of optimizer state a "
            "parameter. Trials: evaluation seeds that reached the target, that did not, and that diverged."
        ),
        headings=(
            "optimizer", "mean rank", "fastest on", "solved", "not solved", "usable decades", "step", "state", "trials",
        ),
        rows=tuple(rows),
        frame=frame.drop(columns=["index"]),
        left=frozenset({0, 2, 4}),
        wrapped=frozenset({"fastest on", "not solved"}),
    )  # fmt: skip
