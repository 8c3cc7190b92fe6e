"""Convergence as arrays: for each contestant the median gap and its quartiles over the seeds, against every cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from ...statistics.contest import Cell, Contest
from ...statistics.quantiles import quartiles


@dataclass(frozen=True)
class Series:
    """The curves of one contestant on one problem.

    Args:
        index: of the contestant.
        costs: steps, evaluations and seconds at the recorded steps, median over the seeds.
        median, q1, q3: gap between objective and reference, ∞ where too many seeds had failed.
        budget: cost of a whole run, by the same names.
        seeds: evaluation trials.
        died: position on `costs` and gap at which each failed seed was last seen; [seeds that failed, 2].
    """

    index: int
    costs: Mapping[str, Float[np.ndarray, "points"]]
    median: Float[np.ndarray, "points"]
    q1: Float[np.ndarray, "points"]
    q3: Float[np.ndarray, "points"]
    budget: Mapping[str, float]
    seeds: int
    died: Float[np.ndarray, "failed 2"]

    @property
    def ended(self) -> bool:
        """True where the median is not finite up to the last step: no line, or one that ends early."""
        steps = self.costs["steps"]
        return not steps.size or steps[-1] < self.budget["steps"] or not np.isfinite(self.median[-1])


_EMPTY = np.empty(0)


def series(match: Contest, cell: Cell, role: str, reference: float) -> Series | None:
    """The curves of a cell in one role; None where it has no trials in this role."""
    run = cell.default_run if role == "default" else cell.run
    trials = match.trials(run["run_id"], role)
    if trials.empty:
        return None
    curves = match.curves(run["run_id"], role)
    seen = curves[curves["objective"].notna()]
    costs: dict[str, np.ndarray] = dict.fromkeys(("steps", "evaluations", "seconds"), _EMPTY)
    low = middle = high = _EMPTY
    if len(seen):
        steps, row = np.unique(seen["step"].to_numpy(), return_inverse=True)
        names = trials["trial"].to_numpy()
        column = pd.Index(names).get_indexer(pd.Index(seen["trial"]))

        def table(values: pd.Series, missing: float) -> np.ndarray:
            full = np.full((len(steps), len(names)), missing)
            full[row, column] = values.to_numpy(float)
            return full

        low, middle, high = quartiles(table(seen["objective"], np.inf) - reference)
        costs = {"steps": steps.astype(float)}
        for cost in ("evaluations", "seconds"):
            costs[cost] = np.nanmedian(table(seen[cost], np.nan), axis=1)
    died = _died(trials, seen, costs["steps"], reference)
    whole = float(run["steps"])
    budget = {
        "steps": whole,
        "evaluations": float(trials["evaluations"].max()),
        "seconds": whole * float(run["step_seconds"]),
    }
    return Series(cell.contestant, costs, middle, low, high, budget, len(trials), died)


def _died(trials: pd.DataFrame, seen: pd.DataFrame, steps: np.ndarray, reference: float) -> np.ndarray:
    failed = trials[trials["status"] != "ok"]
    if failed.empty or not len(steps):
        return np.empty((len(failed), 2)) * np.nan
    last = seen.groupby("trial", sort=False)["objective"].last()
    gap = failed["trial"].map(last).to_numpy(float) - reference
    where = np.interp(failed["status_step"].to_numpy(float), steps, np.arange(len(steps)))
    return np.stack([where, gap], axis=1)
