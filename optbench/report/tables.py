"""The tables of the report: what stands in each cell, once, for the page, for Markdown and for the CSV files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..statistics.contest import Cell as Pair
from ..statistics.contest import Contest
from ..statistics.runtime import ert
from .numbers import MISSING, amount, number, percent, ratio, seconds, size

COSTS = ("steps", "evaluations", "seconds")
MOST_TARGETS = 5
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

    `left` names the columns that hold words, `main` the column that matters most, `wrapped` the headings of columns whose
    words may take several lines, `by_cost` whether the cost switch changes it.
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
    ratios = wide.div(best, axis=0).where(np.isfinite(wide), np.inf).where(wide.notna())
    by_pair = {(row["problem"], row["index"]): row for row in summary.to_dict("records")}
    rows = []
    for problem in match.problems:
        price = best[problem]
        cells = [Cell(problem), Cell(amount(price, cost) if np.isfinite(price) else "none", price)]
        for i in order:
            row, value = by_pair.get((problem, i)), ratios.loc[problem, i]
            if row is None:
                cells.append(Cell(MISSING, np.nan))
                continue
            small = f"✕{row['diverged']}" if row["diverged"] and not np.isfinite(value) else ""
            if np.isfinite(value):
                some = row["successes"] < row["seeds"]
                cells.append(Cell(ratio(value), value, of(row["successes"], row["seeds"]) if some else ""))
            else:
                cells.append(Cell(of(row["successes"], row["seeds"]), np.inf, small, bad=bool(small)))
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
        frame=ratios.rename(columns=labels).reset_index(),
        by_cost=True,
    )


def chosen_targets(targets: np.ndarray, headline: float) -> list[float]:
    """At most five targets from easy to hard, the headline among them, spread evenly over those on either side."""
    targets = np.unique(np.append(targets, headline))[::-1]
    if len(targets) <= MOST_TARGETS:
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
    indices = [i for i in order if i in here]
    first = here[indices[0]]
    known = np.isfinite(first["minimum"])
    origin, headline = first["reference"] if known else 0.0, first["target"]
    hits = {i: match.hits(here[i]["run_id"], here[i]["role"]) for i in indices}
    all_targets = pd.concat([table["target"] for table in hits.values()]).to_numpy(float)
    targets = chosen_targets(all_targets, headline)
    runtimes = {i: {t: _runtime(match, here[i], hits[i], t) for t in targets} for i in indices}
    least = {t: {c: min(runtimes[i][t][c] for i in indices) for c in COSTS} for t in targets}
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
            count = of(found["successes"], row["seeds"])
            best = bool(np.isfinite(found["steps"]) and found["steps"] == least[t]["steps"])
            costs = {c: found[c] for c in COSTS}
            missing = found["successes"] < row["seeds"]
            cells.append(Cell(number(found["steps"]), found["steps"], count, missing, best, costs=costs))
        cells.append(
            Cell(number(row["median_steps"]), row["median_steps"], costs={c: row[f"median_{c}"] for c in COSTS})
        )
        if defaults:
            cells.append(Cell(number(row["default_median_steps"]), row["default_median_steps"]))
        spread = f"{number(row[final_of + '_q1'])} … {number(row[final_of + '_q3'])}"
        cells.append(Cell(number(row[f"{final_of}_median"]), row[f"{final_of}_median"], spread))
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
        frame += [
            {"problem": problem, "contestant": row["contestant"], "setting": row["setting"], "target": t, "headline": t == headline,
             "seeds": row["seeds"], "successes": runtimes[i][t]["successes"], **{f"ert_{c}": runtimes[i][t][c] for c in COSTS}}
            for t in targets
        ]  # fmt: skip
    base = "f*" if known else ""
    names = tuple(("target " if t == headline else "") + number(t - origin) for t in targets)
    return Table(
        name=f"{stem}-runtime",
        title="Expected runtime to targets",
        caption=(
            f"Targets are {'distances of the objective from its minimum' if base else 'values of the objective'}, the "
            "bold one counts as solved. Expected runtime = cost of all seeds, failures at their full budget, over the "
            "number of seeds that arrive; the small count says how many do; ∞ none. Bold: best. Median: over the "
            "seeds, ∞ unless more than half arrive. Behind the final value stand its quartiles. "
            + ("Defaults: median steps without tuning. " if defaults else "")
            + "Failed: seeds that did not finish, ✕ those that diverged. ▸ ◂ the setting lies on the border of its "
            "search space. Step: time of one step measured alone."
        ),
        headings=(
            "optimizer", "tuned setting", *names, "median", *(("defaults",) if defaults else ()),
            f"final {'gap' if known else 'value'}", "failed", *(name.removeprefix("final_").replace("_", " ") for name in tests), "step", "state",
        ),
        rows=tuple(rows),
        frame=pd.DataFrame(frame),
        main=2 + targets.index(headline),
        by_cost=True,
    )  # fmt: skip


def _runtime(match: Contest, row: Mapping, hits: pd.DataFrame, target: float) -> dict[str, float]:
    """ERT in each cost to one target, and how many seeds arrive. A seed without a row has not arrived."""
    steps_cost = row["step_seconds"]
    trials = match.trials(row["run_id"], row["role"])
    found = hits[hits["target"] == target].set_index("trial").reindex(trials["trial"])
    if target == row["target"]:
        steps, evaluations = trials["steps_to_target"].to_numpy(float), trials["evaluations_to_target"].to_numpy(float)
    else:
        steps, evaluations = found["step"].to_numpy(float), found["evaluations"].to_numpy(float)
    reached = np.isfinite(steps)
    budget = trials["evaluations"].to_numpy(float)
    in_steps = ert(np.where(reached, steps, float(row["steps"])), reached)
    per_step = np.nanmax(budget / row["steps"]) if len(budget) else 1.0
    full = np.where(trials["status"] == "ok", budget, max(per_step, 1.0) * row["steps"])
    return {
        "steps": in_steps,
        "evaluations": ert(np.where(reached, evaluations, full), reached),
        "seconds": in_steps * steps_cost,
        "successes": int(reached.sum()),
    }


def _metric(name: str, value: float) -> str:
    return percent(value) if "accuracy" in name else number(value)


def _direction(name: str) -> int:
    """Larger accuracies come first when sorted upwards."""
    return -1 if "accuracy" in name else 1


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
    return Table(
        name="summary",
        title="Every problem, every optimizer",
        caption=(
            "Evaluation seeds at the tuned setting. Reached: share of the seeds that reach the target. Median: cost to "
            "the target over the seeds, ∞ unless more than half arrive. Final loss: median of the objective after the "
            "last step and its quartiles. Step: time of one step of one trial, measured alone. State: optimizer state "
            "of one trial. Failed: seeds that did not finish, ✕ those that diverged. The CSV file has more columns."
        ),
        headings=(
            "problem",
            "optimizer",
            "tuned setting",
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
        wins = row["fastest_on"].count(",") + 1 if row["fastest_on"] else 0
        cells = (
            Cell(row["contestant"], row["contestant"]),
            Cell(f"{row['mean_rank']:.2f}" if np.isfinite(row["mean_rank"]) else MISSING, row["mean_rank"]),
            Cell(row["fastest_on"] or MISSING, -wins),
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
            "the log gap between the start and the optimizer's own best, median over the problems. Step: time of one step as a multiple of the "
            "cheapest, median over the problems. State: bytes of optimizer state a parameter. Trials: evaluation "
            "seeds that reached the target, that did not, and that diverged."
        ),
        headings=("optimizer", "mean rank", "fastest on", "solved", "not solved", "usable decades", "step", "state", "trials"),
        rows=tuple(rows),
        frame=frame.drop(columns=["index"]),
        left=frozenset({0, 2, 4}),
        wrapped=frozenset({"fastest on", "not solved"}),
    )  # fmt: skip
