"""The rows that a run leaves in the result tables, and what reports are told about its parts."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
import torch

from .describe import describe
from .interfaces import Optimizer, Problem
from .optimizers.from_torch import FromTorch
from .provenance import host_hash
from .record import Recording
from .runs import Run, settings_of
from .stages import Stage
from .tables import Tables


def run_row(run: Run, problem: Problem | None) -> dict[str, Any]:
    minimum = None if problem is None else problem.minimum()
    return {
        "run_id": run.run_id,
        "config_id": run.config_id,
        **run.labels,
        "config": json.dumps(run.config, sort_keys=True, default=str),
        "about": json.dumps(about(run, problem), sort_keys=True, default=str),
        "n": -1 if problem is None else problem.layout.n,
        "steps": run.budget,
        "target": math.nan if problem is None else float(problem.target()),
        "minimum": math.nan if minimum is None else float(minimum),
        "dtype": str(run.dtype or run.classes[0].default_dtype).removeprefix("torch."),
        "device": run.device,
        "sequential": bool(getattr(run.optimizer_class, "sequential", True))
        or (problem is not None and problem.sequential),
        "finished": time.time(),
        "host": host_hash(run.device),
    }


def run_tables(run: Run, problem: Problem, row: dict[str, Any], stages: list[Stage]) -> Tables:
    trials: dict[str, list[Any]] = {}
    curves: dict[str, list[Any]] = {}
    hits: dict[str, list[Any]] = {}
    slices: dict[str, list[Any]] = {}
    first = 0
    headline = list(problem.targets()).index(problem.target())
    for stage in stages:
        recording, count = stage.recording, len(stage.seeds)
        numbers = np.arange(first, first + count)
        columns: dict[str, Any] = {
            "run_id": np.full(count, run.run_id),
            "trial": numbers,
            "role": stage.roles,
            "setting": [number for number, _ in stage.settings],
            "seed": stage.seeds,
            "status": stage.statuses,
            "status_step": np.maximum(recording.died, recording.stopped),
            "final_loss": np.where(stage.statuses == "ok", recording.final_loss, np.inf),
            "best_loss": recording.best_loss,
            "start_loss": recording.start_loss,
            "selection_loss": stage.selection(problem),
            "steps_to_target": recording.hit_steps[headline],
            "evaluations_to_target": recording.hit_evaluations[headline],
            "evaluations": recording.evaluations,
        }
        for name in run.spaces:
            values = [chosen[name] for _, chosen in stage.settings]
            columns[name] = [v if isinstance(v, (int, float)) else json.dumps(v) for v in values]
        for name, value in recording.final.items():
            columns[f"final_{name}"] = value
        _append(trials, columns)
        targets, each = len(recording.hit_steps), list(problem.targets())
        _append(
            hits,
            {
                "run_id": np.full(targets * count, run.run_id),
                "trial": np.tile(numbers, targets),
                "target": np.repeat(each, count),
                "step": recording.hit_steps.reshape(-1),
                "evaluations": recording.hit_evaluations.reshape(-1),
            },
        )
        if recording.curves:
            _append(curves, _curves(run, recording, numbers, row["step_seconds"]))
        if recording.slices:
            places = recording.slices
            other = np.where(places["other"] < 0, -1, numbers[places["other"]])
            moved = {"run_id": np.full(len(other), run.run_id), "trial": numbers[places["trial"]], "other": other}
            _append(slices, {**places, **moved})
        first += count
    tables = (trials, curves, hits, slices)
    joined = [{name: np.concatenate(parts) for name, parts in table.items()} for table in tables]
    return Tables.of(row, *joined)


def _append(table: dict[str, list[Any]], columns: dict[str, Any]) -> None:
    rows = len(next(iter(columns.values())))
    had = sum(len(part) for part in next(iter(table.values()), []))
    for name in {**table, **columns}:
        parts = table.setdefault(name, [np.full(had, np.nan)] if had else [])
        parts.append(np.asarray(columns.get(name, np.full(rows, np.nan))))


def _curves(run: Run, recording: Recording, numbers: np.ndarray, seconds: float) -> dict[str, Any]:
    """Long form: one row a (trial, recorded step) at which anything is known and the trial still lived."""
    steps = recording.steps
    lived = (recording.died < 0)[None, :] | (steps[:, None] < recording.died[None, :])
    known = np.zeros(lived.shape, dtype=bool)
    for name in ("loss", "objective"):
        if name in recording.curves:
            known |= np.isfinite(recording.curves[name])
    step_index, trial_index = np.nonzero((lived & known).T)[::-1]
    return {
        "run_id": np.full(len(step_index), run.run_id),
        "trial": numbers[trial_index],
        "step": steps[step_index],
        "seconds": steps[step_index] * seconds,
        **{name: value[step_index, trial_index] for name, value in recording.curves.items()},
    }


def failed_tables(run: Run, status: str, message: str, problem: Problem | None = None) -> Tables:
    """Rows for a run that stopped as a whole: every evaluation trial stays in the denominators.

    Args:
        problem: the run's problem, where it can be built and told of.
    """
    roles = ["default"] if not run.spaces else ["tuned", "default"]
    count = len(roles) * run.seeds
    infinite, unknown = np.full(count, np.inf), np.full(count, np.nan)
    row = run_row(run, problem) | {"status": status, "error": message, "trials_at_once": 0}
    row |= dict.fromkeys(("step_seconds", "step_seconds_iqr", "state_bytes", "peak_bytes"), math.nan)
    row |= dict.fromkeys(("peak_reserved_bytes", "train_seconds", "evaluate_seconds", "record_seconds"), math.nan)
    trials: dict[str, Any] = {
        "run_id": np.full(count, run.run_id),
        "trial": np.arange(count),
        "role": np.repeat(roles, run.seeds),
        "setting": np.full(count, -1),
        "seed": list(range(run.seeds)) * len(roles),
        "status": np.full(count, status),
        "status_step": np.zeros(count, dtype=np.int64),
        "evaluations": np.zeros(count),
        "start_loss": unknown,
    }
    trials |= dict.fromkeys(
        ("final_loss", "best_loss", "selection_loss", "steps_to_target", "evaluations_to_target"), infinite
    )
    return Tables.of(row, trials, {}, {})


def about(run: Run, problem: Problem | None) -> dict[str, Any]:
    """What a report says of problem, optimizer and schedule without building them anew."""
    labels, cls = run.labels, run.optimizer_class
    own = issubclass(cls, Optimizer)
    words = {
        k: {w: describe(c)[w] for w in ("summary", "formula", "text", "equals", "source")}
        for k, c in zip(("problem", "optimizer", "schedule"), run.classes, strict=False)
    }
    told: dict[str, Any] = {
        "optimizer": words["optimizer"]
        | {
            "label": labels["optimizer"],
            "name": run.optimizer["name"],
            "family": cls.family if own else FromTorch.family,
            "defaults": settings_of(run.optimizer),
            "search": run.spaces,
            "sequential": cls.sequential if own else True,
        },
        "schedule": words["schedule"] | {"label": labels["schedule"], "name": run.schedule["name"]},
        "problem": words["problem"] | {"label": labels["problem"], "name": run.problem["name"]},
    }
    if run.instruments:
        told["instruments"] = {
            name: {w: describe(type(i))[w] for w in ("summary", "formula", "text", "source")}
            | {"columns": list(i.columns)}
            for name, i in run.build_instruments().items()
        }
    if problem is not None:
        minimiser = problem.minimiser()
        told["problem"] |= {
            "family": problem.family,
            "n": problem.layout.n,
            "minimum": problem.minimum(),
            "minimiser": None if minimiser is None or problem.layout.n > 100 else minimiser.tolist(),
            "target": float(problem.target()),
            "targets": [float(t) for t in problem.targets()],
            "budget": problem.budget,
            "judged_by": problem.judged_by,
            "metrics": []
            if problem.cheap
            else [m for m in problem.evaluate(problem.start([0]), 0) if m != "objective"],
            "contours": _contours(problem),
        }
    return told


def _contours(problem: Problem, points: int = 81) -> dict[str, Any] | None:
    window = problem.domain()
    if window is None:
        return None
    x, y = (torch.linspace(low, high, points, **problem.kind) for low, high in window)
    grid = torch.cartesian_prod(y, x).flip(1)
    z = problem.evaluate(grid, 0)["objective"].reshape(points, points)
    return {"x": x.tolist(), "y": y.tolist(), "z": [[float(f"{v:.6g}") for v in row] for row in z.tolist()]}
