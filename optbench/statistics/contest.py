"""Who is compared on what: contestants, problems, and for each pair of them the run that stands for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from .tuning import tuning_order


class Results(Protocol):
    """The tables of a results folder, as docs/results.md defines them."""

    @cached_property
    def runs(self) -> pd.DataFrame: ...
    @cached_property
    def trials(self) -> pd.DataFrame: ...
    @cached_property
    def curves(self) -> pd.DataFrame: ...
    @cached_property
    def hits(self) -> pd.DataFrame: ...


@dataclass(frozen=True)
class Contestant:
    """What the report compares: an optimizer, where needed with its modifiers or its schedule.

    Args:
        index: order of first appearance; decides colour, dash and marker.
        label: "adam", "adam + clip_norm", or "adam · cosine" where schedules were not tuned.
        optimizer, modifier: labels of the runs.
        schedule: label of the schedule; None where it is chosen by tuning, like a setting.
        family: of the optimizer.
        about: `about.optimizer` of its first run.
    """

    index: int
    label: str
    optimizer: str
    modifier: str
    schedule: str | None
    family: str
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One (problem, contestant): the run that stands for it.

    Args:
        problem: label of the problem, with a suffix where the same problem was run with different budgets.
        contestant: its index.
        run: its row of `runs`, `problem` with the suffix.
        default_run: the run whose `default` trials stand for the defaults: the constant schedule's, else the first.
        role: "tuned" where the run has such trials, else "default".
        setting: number of the chosen setting; −1 for the defaults.
        settings: the chosen values by name; empty for the defaults.
        search: the search space by name, as in `about.optimizer.search`.
        rivals: run ids of all schedules that were candidates, this run included.
    """

    problem: str
    contestant: int
    run: Mapping[str, Any]
    default_run: Mapping[str, Any]
    role: str
    setting: int
    settings: Mapping[str, Any]
    search: Mapping[str, Any]
    rivals: tuple[str, ...]


class _Split:
    """A table in parts by the values of some columns. Sorted once, so that a part is a slice and costs nothing."""

    def __init__(self, table: pd.DataFrame, by: list[str]):
        repeated = [name for name in ("problem", "optimizer", "schedule", "modifier") if name in table]
        groups = table.groupby(by, sort=False, observed=True)
        number = groups.ngroup().to_numpy()
        order = np.argsort(number, kind="stable")
        self.table = table.drop(columns=repeated).iloc[order].reset_index(drop=True)
        ends = np.cumsum(np.bincount(number)) if len(number) else np.empty(0, int)
        keys = table[by].iloc[order[np.concatenate([[0], ends[:-1]])]] if len(ends) else table[by]
        self.places = {
            key: slice(end - size, end)
            for key, end, size in zip(
                keys.itertuples(index=False, name=None), ends, np.diff(ends, prepend=0), strict=True
            )
        }

        self.parts: dict[tuple[str, ...], pd.DataFrame] = {}

    def part(self, key: tuple[str, ...]) -> pd.DataFrame:
        """The rows of this key. Kept, for a slice of a frame still costs as much as a hundred numbers."""
        if key not in self.parts:
            self.parts[key] = self.table.iloc[self.places.get(key, slice(0, 0))]
        return self.parts[key]


class Parts:
    """The tables of a result set by run, split when first needed.

    Args:
        results: the whole tables.
    """

    def __init__(self, results: Results):
        self.results = results

    @cached_property
    def trials(self) -> _Split:
        return _Split(self.results.trials, ["run_id", "role"])

    @cached_property
    def curves(self) -> _Split:
        return _Split(self.results.curves, ["run_id", "role"])

    @cached_property
    def hits(self) -> _Split:
        return _Split(self.results.hits, ["run_id"])


@dataclass(frozen=True)
class Contest:
    """Contestants, problems and cells of a result set, and its tables split by run.

    Args:
        parts: the tables by run.
        contestants: in the order of first appearance.
        problems: labels in the order of first appearance.
        cells: by (problem, contestant index); a pair that was not run is missing.
        about: `about.problem` of each problem.
        left_out: runs that are not looked at, since a newer one is alike but for its tuning, search space or seeds.
    """

    parts: Parts
    contestants: tuple[Contestant, ...]
    problems: tuple[str, ...]
    cells: Mapping[tuple[str, int], Cell]
    about: Mapping[str, Mapping[str, Any]]
    left_out: int = 0

    def cells_of(self, problem: str) -> list[Cell]:
        """The cells of one problem, by contestant."""
        return [self.cells[problem, c.index] for c in self.contestants if (problem, c.index) in self.cells]

    def trials(self, run_id: str, role: str) -> pd.DataFrame:
        """The trials of a run in one role; empty where there are none."""
        return self.parts.trials.part((run_id, role))

    def curves(self, run_id: str, role: str) -> pd.DataFrame:
        """The curves of a run in one role; empty where there are none."""
        return self.parts.curves.part((run_id, role))

    def hits(self, run_id: str, role: str) -> pd.DataFrame:
        """First hits of a run's trials in one role: trial, target, step, evaluations."""
        rows = self.parts.hits.part((run_id,))
        return rows[rows["trial"].isin(self.trials(run_id, role)["trial"])]


def contest(results: Results) -> Contest:
    """Work out contestants, problems and cells.

    An optimizer is one contestant for each list of modifiers it ran with. Where all of its runs were tuned, the
    schedule is one more tuned setting: on each problem the schedule with the better tuning outcome is taken, by the
    rule of `best_setting`. Where they were not and several schedules were run, each is a contestant of its own. A
    problem that was run with several budgets, types or devices counts as several problems. Of runs that are alike in
    all of this the newest stands.
    """
    rows: list[dict[str, Any]] = results.runs.to_dict("records")  # type: ignore[assignment] # columns are named by words
    labels = _problem_labels(rows)
    newest: dict[tuple[str, ...], dict[str, Any]] = {}
    for row, label in zip(rows, labels, strict=True):
        row["problem"] = label
        key = (label, row["optimizer"], row["modifier"], row["schedule"])
        if key not in newest or row["finished"] >= newest[key]["finished"]:
            newest[key] = row
    known = [row for row in newest.values() if row["n"] >= 0]  # a run that failed may know nothing of its problem
    firsts = {row["problem"]: row for row in reversed([*known, *newest.values()])}
    for row in newest.values():
        row.update({key: firsts[row["problem"]][key] for key in ("n", "target", "minimum") if row["n"] < 0})
    problems = tuple(dict.fromkeys(row["problem"] for row in newest.values()))
    about = {problem: json.loads(firsts[problem]["about"])["problem"] for problem in problems}
    draft = Contest(Parts(results), (), problems, {}, about, len(rows) - len(newest))
    contestants = _contestants(draft, list(newest.values()))
    cells = {}
    for c in contestants:
        for problem in about:
            candidates = [
                row
                for (label, optimizer, modifier, schedule), row in newest.items()
                if (label, optimizer, modifier) == (problem, c.optimizer, c.modifier) and c.schedule in (None, schedule)
            ]
            if candidates:
                cells[problem, c.index] = _cell(draft, problem, c, candidates)
    return replace(draft, contestants=contestants, cells=cells)


def _problem_labels(rows: list[dict[str, Any]]) -> list[str]:
    """The problem of each run, with what tells apart runs of one problem that must not be compared."""
    suffixes = {
        "steps": lambda value: f" · {value} steps",
        "dtype": lambda value: f" · {str(value).removeprefix('torch.')}",
        "device": lambda value: f" · {value}",
    }
    seen: dict[tuple[str, str], set[Any]] = {}
    for row in rows:
        for key in suffixes:
            seen.setdefault((row["problem"], key), set()).add(row[key])
    return [
        row["problem"] + "".join(text(row[key]) for key, text in suffixes.items() if len(seen[row["problem"], key]) > 1)
        for row in rows
    ]


def _contestants(draft: Contest, rows: list[dict[str, Any]]) -> tuple[Contestant, ...]:
    several_modifiers = len({row["modifier"] for row in rows}) > 1
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["optimizer"], row["modifier"]), []).append(row)
    apart = {
        key: len({row["schedule"] for row in group}) > 1
        and not all(len(draft.trials(row["run_id"], "tuned")) for row in group if row["status"] == "ok")
        for key, group in groups.items()
    }
    found: dict[tuple[str, str, str | None], dict[str, Any]] = {}
    for row in rows:
        key = (row["optimizer"], row["modifier"])
        found.setdefault((*key, row["schedule"] if apart[key] else None), row)
    contestants = []
    for index, ((optimizer, modifier, schedule), row) in enumerate(found.items()):
        label = optimizer + (f" + {modifier}" if several_modifiers and modifier else "")
        label += f" · {schedule}" if schedule is not None else ""
        about = json.loads(row["about"])["optimizer"]
        contestants.append(Contestant(index, label, optimizer, modifier, schedule, about["family"], about))
    return tuple(contestants)


def _cell(draft: Contest, problem: str, c: Contestant, candidates: list[dict[str, Any]]) -> Cell:
    """The candidate with the best tuning outcome; the first one where nothing was tuned."""
    outcomes = [(*_tuning_outcome(draft, row), number) for number, row in enumerate(candidates)]
    run = candidates[min(outcomes)[-1]]
    tuned = draft.trials(run["run_id"], "tuned")
    plain = next((row for row in candidates if row["schedule"] == "constant"), candidates[0])
    search = json.loads(run["about"])["optimizer"].get("search") or {}
    chosen = tuned.iloc[0] if len(tuned) else None
    return Cell(
        problem=problem,
        contestant=c.index,
        run=run,
        default_run=plain,
        role="default" if chosen is None else "tuned",
        setting=-1 if chosen is None else int(chosen["setting"]),
        settings={} if chosen is None or chosen["setting"] < 0 else {k: chosen[k] for k in search if k in chosen.index},
        search=search,
        rivals=tuple(row["run_id"] for row in candidates),
    )


def _tuning_outcome(draft: Contest, row: dict[str, Any]) -> tuple[float, float]:
    """(median steps-to-target, median selection loss) of the best setting; ∞ where there are no tuning trials."""
    trials = draft.trials(row["run_id"], "tuning")
    if trials.empty:
        return (np.inf, np.inf)
    steps, status, selection = (by_setting(trials, name) for name in ("steps_to_target", "status", "selection_loss"))
    steps = np.where(status == "ok", steps, np.inf)  # as in the run's own choice of a setting
    return min(tuning_order(steps, selection))[:2]


def by_setting(trials: pd.DataFrame, column: str) -> np.ndarray:
    """A column of tuning trials as an array [settings, seeds], settings by number; empty where there are none."""
    setting, values = trials["setting"].to_numpy(), trials[column].to_numpy()
    settings = max(len(np.unique(setting)), 1)
    return values[np.lexsort((trials["seed"].to_numpy(), setting))].reshape(settings, len(values) // settings)
