"""Measures that do not wobble: statuses, state bytes, evaluation counts; steps to target on equal hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..statistics.comparison import median
from .model import CELL, EVALUATED, RUN, Finding
from .pairing import count

HARD = {"error", "timeout", "out_of_memory"}
"""Statuses that no rounding difference explains."""


def findings(
    runs: pd.DataFrame, trials: pd.DataFrame, base_hits: pd.DataFrame, new_hits: pd.DataFrame, size: float
) -> list[Finding]:
    """Every exact difference of the paired runs and trials."""
    return [
        *_failed_runs(runs),
        *_statuses(trials),
        *_state_bytes(runs),
        *_evaluations(trials),
        *_steps_to_target(trials, size),
        *_hits(runs, trials, base_hits, new_hits, size),
    ]


def _cells(trials: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    for key, cell in trials.groupby([*CELL, "pair"], sort=False):
        yield dict(zip(CELL, key, strict=False)), cell


def _finding(verdict: str, row: Mapping[Any, Any], measure: str, base: float, new: float, text: str) -> Finding:
    names = {name: row[name] for name in RUN}
    return Finding(verdict, **names, role=row.get("role", ""), measure=measure, base=base, new=new, text=text)


def _failed_runs(runs: pd.DataFrame) -> Iterator[Finding]:
    changed = runs[runs.status_base != runs.status_new]
    for row in changed.to_dict("records"):
        verdict = "improvement" if row["status_new"] == "ok" else "regression"
        why = f": {row['error_new']}" if row["error_new"] else ""
        text = f"{row['status_base']} → {row['status_new']}{why}"
        yield _finding(verdict, row, "run status", row["status_base"] != "ok", row["status_new"] != "ok", text)


def _statuses(trials: pd.DataFrame) -> Iterator[Finding]:
    """Failures of a cell; in tuning, where rates are meant to be too large, only those that a rate does not explain."""
    for row, cell in _cells(trials):
        was, now = cell.status_base, cell.status_new
        if row["role"] not in EVALUATED:
            was, now = was.where(was.isin(HARD), "ok"), now.where(now.isin(HARD), "ok")
        before, after = int((was != "ok").sum()), int((now != "ok").sum())
        crashed = int(((was == "ok") & now.isin(HARD)).sum())
        if (was == now).all():
            continue
        verdict = "changed"
        if after > before or crashed:
            verdict = "regression"
        elif after < before:
            verdict = "improvement"
        kinds = ", ".join(f"{n} {status}" for status, n in now[now != "ok"].value_counts().items())
        text = f"failed trials {before} → {after} of {len(cell)}" + (f" ({kinds})" if kinds else "")
        yield _finding(verdict, row, "status", before, after, text)


def _state_bytes(runs: pd.DataFrame) -> Iterator[Finding]:
    changed = runs[
        (runs.state_bytes_base != runs.state_bytes_new)
        & runs[["state_bytes_base", "state_bytes_new"]].notna().all(axis=1)
    ]
    for row in changed.to_dict("records"):
        before, after = row["state_bytes_base"], row["state_bytes_new"]
        verdict = "regression" if after > before else "improvement"
        yield _finding(verdict, row, "state bytes", before, after, f"{before:,.0f} → {after:,.0f} bytes a trial")


def exact_evaluations(cell: pd.DataFrame) -> bool:
    """Counts that a rounding difference cannot alter: hosts agree, or every seed took the same number."""
    return bool(cell.same_host.all()) or cell.evaluations_base.nunique() <= 1


def _evaluations(trials: pd.DataFrame) -> Iterator[Finding]:
    both = trials[trials.role.isin(EVALUATED) & (trials.status_base == "ok") & (trials.status_new == "ok")]
    for row, cell in _cells(both):
        before, after = int(cell.evaluations_base.sum()), int(cell.evaluations_new.sum())
        if not exact_evaluations(cell) or before == after:
            continue
        verdict = "regression" if after > before else "improvement"
        text = f"{before:,} → {after:,} evaluations in {count(len(cell), 'trial')}"
        yield _finding(verdict, row, "evaluations", before, after, text)


def _steps_to_target(trials: pd.DataFrame, size: float) -> Iterator[Finding]:
    for row, cell in _cells(trials[trials.role.isin(EVALUATED) & trials.same_host]):
        was, now = cell.steps_to_target_base, cell.steps_to_target_new
        if (was == now).all():
            continue
        reached = int(np.isfinite(was).sum()), int(np.isfinite(now).sum())
        before, after = median(was), median(now)
        text = f"{_change(before, after)}, reached {reached[0]} → {reached[1]} of {len(cell)}"
        if reached[0] != reached[1]:
            verdict = "regression" if reached[1] < reached[0] else "improvement"
        else:
            verdict = _verdict(before, after, size)
        yield _finding(verdict, row, "steps to target", before, after, text)


def _hits(
    runs: pd.DataFrame, trials: pd.DataFrame, base: pd.DataFrame, new: pd.DataFrame, size: float
) -> Iterator[Finding]:
    """The other targets of the cells; `steps to target` speaks for the run's own one."""
    chosen = trials[trials.role.isin(EVALUATED) & trials.same_host].merge(runs[["pair", "target_base"]], on="pair")
    columns = ["run_id", "trial", "target", "step"]
    sides = [
        frame[columns].rename(columns={name: f"{name}_{side}" for name in ("run_id", "trial", "step")})
        for frame, side in ((base, "base"), (new, "new"))
    ]
    hits = chosen.merge(sides[0], on=["run_id_base", "trial_base"])
    hits = hits.merge(sides[1], on=["run_id_new", "trial_new", "target"])
    for row, cell in _cells(hits[hits.target != hits.target_base]):
        groups = [hit for _, hit in cell.groupby("target")]
        targets = [(float(hit.target.iloc[0]), median(hit.step_base), median(hit.step_new)) for hit in groups]
        for verdict in ("regression", "improvement"):
            picked = [item for item in targets if _verdict(*item[1:], size) == verdict]
            if picked:
                target, before, after = picked[0]
                text = f"{len(picked)} of {count(len(targets), 'other target')}; {target:.4g}: {_change(before, after)}"
                yield _finding(verdict, row, "hits", before, after, text)


def _verdict(before: float, after: float, size: float) -> str:
    if after > before * (1 + size):
        return "regression"
    return "improvement" if after * (1 + size) < before else "changed"


def _steps(x: float) -> str:
    return "never" if np.isinf(x) else f"{x:,.6g}"


def _change(before: float, after: float) -> str:
    percent = f" ({100 * (after / before - 1):+.0f} %)" if np.isfinite(before + after) and before > 0 else ""
    return f"median steps {_steps(before)} → {_steps(after)}{percent}"
