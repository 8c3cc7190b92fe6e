"""The table of one problem: expected runtimes to a few targets, settings, final values and price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..statistics.contest import Contest
from ..statistics.runtime import ert
from .numbers import number, percent, seconds, size
from .tables import COSTS, Cell, Row, Table, of, setting_cell

MOST_TARGETS = 5


@dataclass(frozen=True)
class Runtime:
    """Expected runtime of one contestant to one target in each cost, and how many of its seeds arrive."""

    costs: Mapping[str, float]
    successes: int


def chosen_targets(targets: np.ndarray, headline: float) -> list[float]:
    """At most five targets from easy to hard, the headline among them, spread evenly over those on either side."""
    targets = np.unique(np.append(targets, headline))[::-1]
    targets = targets[~np.isnan(targets)]  # a problem that failed before its target was known has none
    if len(targets) <= MOST_TARGETS or np.isnan(headline):
        return targets.tolist()
    at = int(np.argmax(targets == headline))
    before, after = targets[:at], targets[at + 1 :]
    room = MOST_TARGETS - 1
    easier = min(len(before), max(room // 2, room - len(after)))
    harder = min(len(after), room - easier)
    return [*_evenly(before, easier), headline, *_evenly(after, harder)]


def _evenly(values: np.ndarray, count: int) -> list[float]:
    return values[np.linspace(0, len(values) - 1, count).round().astype(int)].tolist() if count else []


def runtime_table(match: Contest, summary: pd.DataFrame, problem: str, order: list[int], stem: str) -> Table:
    """Expected runtimes of one problem's contestants to a few targets, with their settings, final values and price."""
    here = {row["index"]: row for row in summary[summary["problem"] == problem].to_dict("records")}
    place = {i: n for n, i in enumerate(order)}
    indices = sorted(here, key=lambda i: (here[i]["median_steps"], -here[i]["successes"], place[i]))
    first = here[indices[0]]
    known = np.isfinite(first["minimum"])
    origin, headline = first["reference"] if known else 0.0, first["target"]
    hits = {i: match.hits(here[i]["run_id"], here[i]["role"]) for i in indices}
    all_targets = pd.concat([table["target"] for table in hits.values()]).to_numpy(float)
    targets = chosen_targets(all_targets, headline)
    runtimes = {i: _runtimes(match, here[i], hits[i], targets) for i in indices}
    least = {t: min(runtimes[i][t].costs["steps"] for i in indices) for t in targets}
    tests = [
        name
        for name in summary.columns
        if name.startswith("final_test_") and np.isfinite([here[i].get(name, np.nan) for i in indices]).any()
    ]
    defaults = any(np.isfinite(here[i]["default_success_rate"]) and here[i]["role"] == "tuned" for i in indices)
    final_of = "final" if known else "final_loss"
    rows, frame = [], []
    for i in indices:
        row, pair = here[i], match.cells[problem, i]
        cells = [Cell(match.contestants[i].label, match.contestants[i].label), setting_cell(pair, row["on_border"])]
        for t in targets:
            found = runtimes[i][t]
            steps, missing = found.costs["steps"], found.successes < row["seeds"]
            best = bool(np.isfinite(steps) and steps == least[t])
            cells.append(
                Cell(number(steps), steps, of(found.successes, row["seeds"]), missing, best, costs=found.costs)
            )
        cells.append(
            Cell(number(row["median_steps"]), row["median_steps"], costs={c: row[f"median_{c}"] for c in COSTS})
        )
        if defaults:
            cells.append(Cell(number(row["default_median_steps"]), row["default_median_steps"]))
        cells.append(Cell(number(row[f"{final_of}_median"]), row[f"{final_of}_median"]))
        lost = row["failures"]
        cells.append(
            Cell(f"{lost}" if lost else "0", lost, f"✕{row['diverged']}" if row["diverged"] else "", bool(lost))
        )
        cells += [
            Cell(_metric(name, row.get(name, np.nan)), _direction(name) * row.get(name, np.nan)) for name in tests
        ]
        cells += [
            Cell(seconds(row["step_seconds"]), row["step_seconds"]),
            Cell(size(row["state_bytes"]), row["state_bytes"]),
        ]
        rows.append(Row(tuple(cells), index=i))
        who = {"problem": problem, "contestant": row["contestant"], "setting": row["setting"], "seeds": row["seeds"]}
        for t in targets:
            costs = {f"ert_{cost}": value for cost, value in runtimes[i][t].costs.items()}
            frame.append(
                {**who, "target": t, "headline": t == headline, "successes": runtimes[i][t].successes, **costs}
            )
    base = "f*" if known else ""
    setting = "tuned setting" if any(here[i]["role"] == "tuned" for i in indices) else "setting"
    names = tuple(("target " if t == headline else "") + number(t - origin) for t in targets)
    return Table(
        name=f"{stem}-runtime",
        title="Expected runtime to targets",
        caption=(
            f"Targets are {'distances of the objective from its minimum' if base else 'values of the objective'}, the "
            "bold one counts as solved. Expected runtime = cost of all seeds, failures at their full budget, over the "
            "number of seeds that arrive; the small count says how many do; ∞ none. Bold: best. Median: over the "
            "seeds, ∞ unless more than half arrive. "
            + ("Defaults: median steps without tuning. " if defaults else "")
            + "Rows: by the median, then by mean rank. Failed: seeds that did not finish, ✕ those that diverged. "
            + ("▸ ◂ the setting lies on the border of its search space. " if setting != "setting" else "")
            + "Step: time of one step measured alone."
        ),
        headings=(
            "optimizer", setting, *names, "median", *(("defaults",) if defaults else ()),
            f"final {'gap' if known else 'value'}", "failed",
            *(name.removeprefix("final_").replace("_", " ") for name in tests), "step", "state",
        ),
        rows=tuple(rows),
        frame=pd.DataFrame(frame),
        main=2 + targets.index(headline) if headline in targets else -1,
        by_cost=True,
    )  # fmt: skip


def _runtimes(match: Contest, row: Mapping, hits: pd.DataFrame, targets: Sequence[float]) -> dict[float, Runtime]:
    """ERT in each cost to these targets, and how many seeds arrive. A seed without a row has not arrived."""
    trials = match.trials(row["run_id"], row["role"])
    whole, budget = float(row["steps"]), trials["evaluations"].to_numpy(float)
    per_step = np.nanmax(budget / whole) if len(budget) else 1.0
    full = np.where(trials["status"].to_numpy(object) == "ok", budget, max(per_step, 1.0) * whole)
    place = pd.Index(trials["trial"]).get_indexer(pd.Index(hits["trial"]))
    of_hit, *arrivals = (hits[name].to_numpy(float) for name in ("target", "step", "evaluations"))
    found = {}
    for target in targets:
        if target == row["target"]:
            steps, evaluations = (trials[f"{name}_to_target"].to_numpy(float) for name in ("steps", "evaluations"))
        else:
            here = of_hit == target
            steps, evaluations = np.full((2, len(trials)), np.inf)
            steps[place[here]], evaluations[place[here]] = (values[here] for values in arrivals)
        reached = np.isfinite(steps)
        in_steps = ert(np.where(reached, steps, whole), reached)
        in_evaluations = ert(np.where(reached, evaluations, full), reached)
        costs = {"steps": in_steps, "evaluations": in_evaluations, "seconds": in_steps * row["step_seconds"]}
        found[target] = Runtime(costs, int(reached.sum()))
    return found


def _metric(name: str, value: float) -> str:
    return percent(value) if "accuracy" in name else number(value)


def _direction(name: str) -> int:
    """Larger accuracies come first when sorted upwards."""
    return -1 if "accuracy" in name else 1
