"""Measures that wobble: an interval for each cell, and one sign-flip test per optimizer and measure."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd

from ..statistics.comparison import holm, log_ratios, median, median_interval, problems_needed, sign_flip
from .exact import exact_evaluations
from .model import CELL, EVALUATED, Interval, Test
from .pairing import count, few, label

TIME = "step time"


def ratios(runs: pd.DataFrame, trials: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """One row a pair and measure: the columns of a cell, `measure` and `log_ratio`, positive where new costs more."""
    evaluated = trials[trials.role.isin(EVALUATED)]
    parts = [
        *_final_losses(runs, evaluated, notes),
        *_steps_to_target(evaluated, notes),
        *_evaluations(evaluated),
        *_step_times(runs, notes),
    ]
    columns = [*CELL, "pair", "measure", "log_ratio"]
    return pd.concat([part[columns] for part in parts], ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _final_losses(runs: pd.DataFrame, trials: pd.DataFrame, notes: list[str]) -> list[pd.DataFrame]:
    """Gap to the minimum, no finer than the hardest target's; the loss itself where no minimum is known."""
    parts, refused = [], []
    for run in runs.to_dict("records"):
        cell = trials[trials.pair == run["pair"]]
        shift, floor = 0.0, -math.inf
        side = "new" if pd.isna(run["target_base"]) else "base"
        if not pd.isna(run[f"minimum_{side}"]):
            shift = run[f"minimum_{side}"]
            floor = min(json.loads(run[f"about_{side}"])["problem"]["targets"]) - shift
        costs = [np.maximum(cell[f"final_loss_{side}"] - shift, floor) for side in ("base", "new")]
        if any((cost.isna() | (cost < 0)).any() for cost in costs):
            refused.append(label(run))
        elif len(cell):
            parts.append(cell.assign(measure="final loss", log_ratio=log_ratios(*costs)))
    if refused:
        notes.append(f"final losses not compared, negative or missing numbers have no ratio: {few(refused)}")
    return parts


def _steps_to_target(trials: pd.DataFrame, notes: list[str]) -> list[pd.DataFrame]:
    elsewhere = trials[~trials.same_host]
    if elsewhere.empty:
        return []
    notes.append("steps to target and hits are tested, not compared exactly, where hosts differ (rounding differs)")
    costs = log_ratios(elsewhere.steps_to_target_base, elsewhere.steps_to_target_new)
    return [elsewhere.assign(measure="steps to target", log_ratio=costs)]


def _evaluations(trials: pd.DataFrame) -> list[pd.DataFrame]:
    both = trials[(trials.status_base == "ok") & (trials.status_new == "ok")]
    cells = [cell for _, cell in both.groupby([*CELL, "pair"], sort=False) if not exact_evaluations(cell)]
    return [c.assign(measure="evaluations", log_ratio=log_ratios(c.evaluations_base, c.evaluations_new)) for c in cells]


def _step_times(runs: pd.DataFrame, notes: list[str]) -> list[pd.DataFrame]:
    measured = runs[(runs.step_seconds_base > 0) & (runs.step_seconds_new > 0)]
    if not measured.same_host.all():
        differ = count(int((~measured.same_host).sum()), "run")
        notes.append(f"step times of {differ} not compared: processor, threads or versions differ (column host)")
    same = measured[measured.same_host]
    return [same.assign(role="", measure=TIME, log_ratio=log_ratios(same.step_seconds_base, same.step_seconds_new))]


def intervals(ratios: pd.DataFrame) -> list[Interval]:
    """Median ratio of every cell, with an interval from order statistics."""
    found = []
    for key, cell in ratios[ratios.measure != TIME].groupby([*CELL, "pair", "measure"], sort=False):
        low, high, coverage = median_interval(cell.log_ratio)
        names: dict[str, Any] = dict(zip(CELL, key, strict=False))
        middle = _exp(median(cell.log_ratio))
        found.append(
            Interval(
                **names,
                measure=str(key[-1]),
                pairs=len(cell),
                ratio=middle,
                low=_exp(low),
                high=_exp(high),
                coverage=coverage,
            )
        )
    return found


def tests(ratios: pd.DataFrame, size: float, alpha: float) -> list[Test]:
    """One test per optimizer and measure; those of times are adjusted apart, since they only warn."""
    timed = ratios.measure == TIME
    return [
        *_family(ratios[~timed], size, alpha, "regression", "improvement"),
        *_family(ratios[timed], size, alpha, "slower", "faster"),
    ]


def _family(ratios: pd.DataFrame, size: float, alpha: float, worse: str, better: str) -> list[Test]:
    groups = [(*map(str, key), _of_problems(g)) for key, g in ratios.groupby(["optimizer", "measure"], sort=False)]
    p = [sign_flip(differences) for *_, differences in groups]
    needed = problems_needed(len(groups), alpha) if groups else 0
    found = []
    for (optimizer, measure, d), raw, adjusted in zip(groups, p, holm(p), strict=True):
        middle = median(d)
        if adjusted <= alpha and abs(middle) > math.log1p(size):
            verdict = worse if middle > 0 else better
        else:
            verdict = "too few problems" if len(d) < needed else "no change shown"
        found.append(Test(optimizer, measure, len(d), needed, _exp(middle), raw, adjusted, verdict))
    return found


def _of_problems(ratios: pd.DataFrame) -> list[float]:
    """The median over each problem's pairs; tuned trials speak for a problem that has them, else default ones."""
    differences = []
    for _, pairs in ratios.groupby("problem", sort=False):
        tuned = pairs[pairs.role == "tuned"]
        differences.append(median((tuned if len(tuned) else pairs).log_ratio))
    return differences


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
