"""What was run, when, on what and for how long; and which runs failed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..statistics.contest import Contest
from ..statistics.contest import Results as Tables
from .numbers import grouped, plural, seconds
from .tables import Cell, Row, Table


class Results(Tables, Protocol):
    """A results folder as `optbench.load` gives it."""

    @property
    def sweeps(self) -> Sequence[Mapping[str, Any]]: ...


def meta(results: Results, match: Contest) -> str:
    """Counts, date and device in one line."""
    runs, trials = results.runs, results.trials
    settings = trials.loc[trials["role"] == "tuning"].groupby("run_id", observed=True)["setting"].nunique()
    seeds = {
        role: trials.loc[trials["role"] == role].groupby("run_id", observed=True)["seed"].nunique()
        for role in ("tuning", "tuned", "default")
    }
    evaluation = max(int(seeds[role].max()) if len(seeds[role]) else 0 for role in ("tuned", "default"))
    parts = [plural(len(match.problems), "problem"), plural(len(match.contestants), "optimizer")]
    schedules = runs["schedule"].nunique()
    if schedules > 1:
        parts.append(plural(schedules, "schedule"))
    if len(settings):
        parts.append(plural(int(settings.max()), "setting") + " each")
        parts.append(f"{grouped(int(seeds['tuning'].max()))} tuning + {plural(evaluation, 'evaluation seed')}")
    else:
        parts.append(f"defaults, {plural(evaluation, 'seed')}")
    budgets = sorted(set(runs["steps"].astype(int)))
    parts.append(
        plural(budgets[0], "step") if len(budgets) == 1 else f"{grouped(budgets[0])} to {grouped(budgets[-1])} steps"
    )
    parts.append(plural(len(trials), "trial"))
    when = datetime.fromtimestamp(float(runs["finished"].max()), UTC)
    parts.append(f"{when.day} {when:%b %Y}")
    parts.append(", ".join(sorted({_device(str(d)) for d in runs["device"]})))
    if match.left_out:
        parts.append(f"{plural(match.left_out, 'older run')} left out")
    return " · ".join(parts)


def _device(name: str) -> str:
    return "CPU" if name == "cpu" else name


def failed_runs(results: Results) -> Table | None:
    """Runs that stopped as a whole, and trials that ended in anything but ok or diverged."""
    runs = results.runs[results.runs["status"] != "ok"]
    columns = ["problem", "optimizer", "schedule", "modifier", "status", "error"]
    rows = [{name: str(row[name]) for name in columns} for row in runs.to_dict("records")]
    if not rows:
        return None
    frame = pd.DataFrame(rows, columns=columns)
    return Table(
        name="failed-runs",
        title="Runs that failed",
        caption="A run that failed stays in every denominator: it has reached nothing.",
        headings=tuple(columns),
        rows=tuple(Row(tuple(Cell(row[name] or "–", row[name]) for name in columns)) for row in rows),
        frame=frame,
        left=frozenset(range(len(columns))),
        wrapped=frozenset({"error"}),
    )


def _flat(value: Any, prefix: str = "") -> list[str]:
    """A nested dict as lines "a.b: value"."""
    if isinstance(value, Mapping):
        return [line for key, item in value.items() for line in _flat(item, f"{prefix}.{key}" if prefix else str(key))]
    shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return [f"{prefix}: {shown}"]


def provenance(results: Results, match: Contest) -> list[tuple[str, str]]:
    """What was run, when and on what, for each sweep, and how long it took in all."""
    found: list[tuple[str, str]] = []
    several = len(results.sweeps) > 1
    for number, sweep in enumerate(results.sweeps, 1):
        mark = f" {number}" if several else ""
        found.append((f"Command{mark}", _command(sweep.get("command", ""))))
        found.append((f"Started{mark}", _time(sweep.get("started", sweep.get("time", "")))))
        found.append((f"Run with{mark}", "\n".join(_flat(sweep.get("provenance", {})))))
    runs, trials = results.runs, results.trials
    clocks = {name: float(np.nansum(runs[f"{name}_seconds"])) for name in ("train", "evaluate", "record")}
    found.append(
        (
            "Time spent",
            ", ".join(
                f"{seconds(v)} in {name.removesuffix('e') + 'ing' if name != 'train' else 'training'}"
                for name, v in clocks.items()
            ),
        )
    )
    if match.left_out:
        told = f"{plural(match.left_out, 'run')}: a newer one is alike but for its tuning, search space or seeds"
        found.append(("Left out", told))
    found.append(("Seeds", _seeds(trials)))
    counts = trials["status"].value_counts()
    found.append(
        ("Trials", ", ".join(f"{grouped(int(n))} {str(status).replace('_', ' ')}" for status, n in counts.items()))
    )
    return found


def _command(command: Any) -> str:
    return " ".join(map(str, command)) if isinstance(command, (list, tuple)) else str(command)


def _time(value: Any) -> str:
    if isinstance(value, (int, float)):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return str(value)


def _seeds(trials: pd.DataFrame) -> str:
    parts = []
    for name, roles in (("tuning", ["tuning"]), ("evaluation", ["tuned", "default"])):
        seeds = sorted(set(trials.loc[trials["role"].isin(roles), "seed"].astype(int)))
        if seeds:
            whole = len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1
            parts.append(f"{name} {seeds[0]} to {seeds[-1]}" if whole else f"{name} {', '.join(map(str, seeds))}")
    return "; ".join(parts)


def configurations(results: Results) -> list[tuple[str, str]]:
    """The settings of each sweep, and those of every distinct problem and optimizer."""
    found = []
    several = len(results.sweeps) > 1
    for number, sweep in enumerate(results.sweeps, 1):
        settings = sweep.get("config", sweep.get("settings"))
        if settings:
            found.append(
                (
                    f"Settings{f' {number}' if several else ''}",
                    json.dumps(settings, indent=1, ensure_ascii=False, default=str),
                )
            )
    return found
