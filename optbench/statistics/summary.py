"""The summary: one row for each (problem, contestant), from which tables and figures are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .contest import Cell, Contest, Contestant, Results, contest
from .quantiles import median, quantile
from .runtime import ert

TEST_METRICS = "final_test_"
ROLES = ("tuning", "tuned", "default")


def contestants(results: Results) -> tuple[Contestant, ...]:
    """Whom the result set compares, in the order of first appearance."""
    return contest(results).contestants


def summarise(results: Results | Contest) -> pd.DataFrame:
    """One row for each (problem, contestant) that was run; problems and contestants in the order of appearance.

    | column | meaning |
    |---|---|
    | `problem`, `contestant`, `index`, `family` | labels; `index` is the contestant's |
    | `run_id`, `role`, `schedule` | the run that stands for the pair, the role of its trials below, its schedule |
    | `setting` | what was tuned, as text: "lr 0.01, cosine"; "defaults" where nothing was |
    | `settings` | the tuned values as a dict |
    | `lr` | the tuned rate; NaN where none was |
    | `on_border` | tuned settings on the border of their search space: {"lr": "high"} |
    | `steps`, `n`, `target`, `minimum` | of the run |
    | `reference` | the minimum; where it is unknown, the least objective any trial of the problem has seen |
    | `seeds`, `successes`, `success_rate` | evaluation trials, those that reached the target, their share |
    | `median_steps`, `median_evaluations`, `median_seconds` | to the target, over the seeds; ∞ where too few arrived |
    | `ert` | expected runtime in steps |
    | `final_loss_median`, `final_loss_q1`, `final_loss_q3` | objective after the last step; ∞ counts |
    | `final_median`, `final_q1`, `final_q3` | the same as a gap: minus `reference` |
    | `final_test_…` | median of each test metric over the trials that are ok |
    | `step_seconds`, `sequential` | time of one step in isolation; whether trials were stepped one after the other |
    | `state_bytes`, `state_bytes_per_parameter` | optimizer state of one trial |
    | `diverged`, `failures` | evaluation trials that diverged; that are not ok for whatever reason |
    | `trials`, `trials_diverged`, `trials_failed` | the same counts over all roles of the run and its rival schedules |
    | `status`, `error` | of the run |
    | `default_median_steps`, … `_success_rate`, … `_final_median` | the same for the defaults; NaN where not run |
    """
    match = results if isinstance(results, Contest) else contest(results)
    references = {problem: reference(match, problem) for problem in match.problems}
    rows = [_row(match, cell, references[problem]) for problem in match.problems for cell in match.cells_of(problem)]
    return pd.DataFrame(rows)


def reference(match: Contest, problem: str) -> float:
    """The value from which gaps are measured: f*, or the least objective any trial of the problem has seen."""
    runs = [cell.run for cell in match.cells_of(problem)]
    known = [float(run["minimum"]) for run in runs if np.isfinite(run["minimum"])]
    if known:
        return known[0]
    ids = [run_id for cell in match.cells_of(problem) for run_id in cell.rivals]
    seen = np.concatenate([match.trials(i, role)["best_loss"].to_numpy(float) for i in ids for role in ROLES] or [[]])
    finite = seen[np.isfinite(seen)]
    return float(finite.min()) if finite.size else np.nan


def _row(match: Contest, cell: Cell, origin: float) -> dict[str, Any]:
    run, contestant = cell.run, match.contestants[cell.contestant]
    several_schedules = len(cell.rivals) > 1
    evaluated = match.trials(run["run_id"], cell.role)
    failed = evaluated["status"] != "ok"
    statuses = np.concatenate([match.trials(i, role)["status"].to_numpy(object) for i in cell.rivals for role in ROLES])
    by_default = match.trials(cell.default_run["run_id"], "default")
    default = _outcome(by_default, run, origin) if len(by_default) else {}
    return {
        "problem": cell.problem,
        "contestant": contestant.label,
        "index": contestant.index,
        "family": contestant.family,
        "run_id": run["run_id"],
        "role": cell.role,
        "schedule": run["schedule"],
        "setting": _setting_text(cell, run["schedule"] if several_schedules else ""),
        "settings": dict(cell.settings),
        "lr": float(cell.settings.get("lr", np.nan)),
        "on_border": on_border(cell.settings, cell.search),
        "steps": int(run["steps"]),
        "n": int(run["n"]),
        "target": float(run["target"]),
        "minimum": float(run["minimum"]),
        "reference": origin,
        **_outcome(evaluated, run, origin),
        **_test_metrics(evaluated[~failed]),
        "step_seconds": float(run["step_seconds"]),
        "sequential": bool(run["sequential"]),
        "state_bytes": float(run["state_bytes"]),
        "state_bytes_per_parameter": float(run["state_bytes"]) / float(run["n"]),
        "diverged": int((evaluated["status"] == "diverged").sum()),
        "failures": int(failed.sum()),
        "trials": len(statuses),
        "trials_diverged": int((statuses == "diverged").sum()),
        "trials_failed": int((statuses != "ok").sum()),
        "status": run["status"],
        "error": run["error"],
        "default_median_steps": default.get("median_steps", np.nan),
        "default_success_rate": default.get("success_rate", np.nan),
        "default_final_median": default.get("final_median", np.nan),
    }


def _outcome(trials: pd.DataFrame, run: Mapping[str, Any], origin: float) -> dict[str, float]:
    """Success and final values of evaluation trials; a run without any trial has reached nothing."""
    steps = trials["steps_to_target"].to_numpy(float)
    if not len(steps):
        nothing = {"seeds": 0, "successes": 0, "success_rate": 0.0}
        names = (
            "median_steps",
            "median_evaluations",
            "median_seconds",
            "ert",
            *(f"final_{q}" for q in ("median", "q1", "q3")),
        )
        return {**nothing, **dict.fromkeys([*names, *(n.replace("final", "final_loss") for n in names[4:])], np.inf)}
    reached = np.isfinite(steps)
    final = trials["final_loss"].to_numpy(float)
    quarters = {name: float(quantile(final, q)) for name, q in (("median", 0.5), ("q1", 0.25), ("q3", 0.75))}
    middle = float(median(steps))
    return {
        "seeds": len(steps),
        "successes": int(reached.sum()),
        "success_rate": float(reached.mean()),
        "median_steps": middle,
        "median_evaluations": float(median(trials["evaluations_to_target"].to_numpy(float))),
        "median_seconds": middle * float(run["step_seconds"]),
        "ert": ert(np.where(reached, steps, float(run["steps"])), reached),
        **{f"final_loss_{name}": value for name, value in quarters.items()},
        **{f"final_{name}": value - origin for name, value in quarters.items()},
    }


def _test_metrics(trials: pd.DataFrame) -> dict[str, float]:
    names = [name for name in trials.columns if str(name).startswith(TEST_METRICS)]
    found = {str(name): trials[name].to_numpy(float) for name in names}
    return {name: float(np.median(v[~np.isnan(v)])) for name, v in found.items() if not np.isnan(v).all()}


def _setting_text(cell: Cell, schedule: str) -> str:
    if cell.role == "default":
        return "defaults"
    if cell.setting < 0:  # the run failed as a whole, so nothing was chosen
        return "–"
    parts = [
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in cell.settings.items()
    ]
    return ", ".join([*parts, *([schedule] if schedule else [])])


def on_border(settings: Mapping[str, Any], search: Mapping[str, Any]) -> dict[str, str]:
    """Which chosen settings lie on the border of their search space: {"lr": "high"}; only ranges have a border."""
    found = {}
    for name, value in settings.items():
        limits = [limit for kind, limit in dict(search.get(name) or {}).items() if kind.endswith("uniform")]
        if not limits or not isinstance(value, (int, float)):
            continue
        low, high = (float(limit) for limit in limits[0])
        if value <= low * (1 + 1e-9) and low < high:
            found[name] = "low"
        elif value >= high * (1 - 1e-9):
            found[name] = "high"
    return found
