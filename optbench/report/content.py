"""What the report says, before anyone decides how it looks: the page and the Markdown file are made from this."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..statistics.contest import Contest, contest
from ..statistics.contest import Results as Tables
from ..statistics.sensitivity import usable, width
from ..statistics.summary import summarise
from .figures import draw_all
from .figures.figure import Figure
from .figures.names import stems
from .figures.sensitivity import rates_of
from .numbers import grouped, plural, seconds, word
from .optimizer_table import optimizer_frame, optimizer_table
from .runtime_table import runtime_table
from .standing import Standing, standing
from .story import Text, amount_of_target, facts, lead, verdict
from .tables import Cell, Row, Table, heat_table, summary_table


class Results(Tables, Protocol):
    """A results folder as `optbench.load` gives it."""

    @property
    def sweeps(self) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True)
class Place:
    """Where one figure stands in the page, in as many drawings as the switches ask for."""

    figures: tuple[Figure, ...]

    @property
    def kind(self) -> str:
        return self.figures[0].kind

    @property
    def width(self) -> str:
        return self.figures[0].width

    @cached_property
    def depends(self) -> dict[str, bool]:
        """On which switches it depends; a place with a single drawing shows it whatever they say."""
        return {kind: len({getattr(f, kind) for f in self.figures}) > 1 for kind in ("cost", "role")}

    def when(self, figure: Figure) -> dict[str, str | bool]:
        """The attributes by which the page shows one of its drawings at a time."""
        return {f"data_when_{kind}": getattr(figure, kind) for kind, depends in self.depends.items() if depends}


@dataclass(frozen=True)
class Content:
    """Everything the report says. See `compose`."""

    title: str
    source: str
    meta: str
    role: str
    roles: tuple[str, ...]
    match: Contest
    summary: pd.DataFrame
    standing: Standing
    ids: Mapping[str, str]
    sizes: Mapping[str, int]
    targets: Mapping[str, str]
    lead: Text
    facts: Sequence[tuple[str, Text]]
    verdicts: Mapping[str, tuple[Text, bool]]
    heat: Table
    runtimes: Mapping[str, Table]
    optimizers: Table
    summary_table: Table
    failed_runs: Table | None
    provenance: Sequence[tuple[str, str]]
    configurations: Sequence[tuple[str, str]]
    drawn: Sequence[Figure] | None = None

    @cached_property
    def figures(self) -> Sequence[Figure]:
        """Every figure: those that were drawn already, else drawn when they are first asked for."""
        return draw_all(self.match, self.summary) if self.drawn is None else self.drawn

    @property
    def order(self) -> list[int]:
        """Contestants by mean rank."""
        return self.standing.order

    @property
    def tables(self) -> list[Table]:
        """All tables in the order of the page, but for the heat map, whose numbers are those of a figure."""
        found = [*self.runtimes.values(), self.optimizers, self.summary_table]
        return [*found, self.failed_runs] if self.failed_runs else found

    def places(self, *kinds: str, problem: str = "") -> list[Place]:
        """The places of these kinds that belong to a problem, or to none."""
        found: dict[str, list[Figure]] = {}
        for figure in self.figures:
            if figure.kind in kinds and figure.problem == problem:
                found.setdefault(figure.kind, []).append(figure)
        return [Place(tuple(found[kind])) for kind in kinds if kind in found]


def compose(results: Results, title: str | None = None, source: str = "") -> Content:
    """Work out everything the report says.

    Args:
        results: tables and provenance.
        title: heading of the report; made from the counts where it is None.
        source: name of the result set.
    """
    match = contest(results)
    summary = summarise(match)
    place = standing(match, summary)
    usable = _usable_decades(match, summary)
    optimizers = optimizer_frame(match, summary, place.mean, usable)
    roles = tuple(role for role in ("tuned", "default") if (results.trials["role"] == role).any())
    first = {problem: summary[summary["problem"] == problem].iloc[0] for problem in match.problems}
    stem = stems(match.problems)
    runtimes = {p: runtime_table(match, summary, p, place.order, stem[p]) for p in match.problems}
    return Content(
        title=title or _title(match),
        source=source,
        meta=_meta(results, match, summary),
        role=roles[0] if roles else "tuned",
        roles=roles,
        match=match,
        summary=summary,
        standing=place,
        ids={p: f"problem-{s}" for p, s in stem.items()},
        sizes={p: int(row["n"]) for p, row in first.items()},
        targets={p: amount_of_target(row) for p, row in first.items()},
        lead=lead(match, summary, place),
        facts=facts(match, summary, optimizers, place),
        verdicts={p: verdict(match, summary, p) for p in match.problems},
        heat=heat_table(match, summary, place.order),
        runtimes=runtimes,
        optimizers=optimizer_table(optimizers, place.order),
        summary_table=summary_table(match, summary, place.order),
        failed_runs=_failed_runs(results),
        provenance=_provenance(results),
        configurations=_configurations(results),
    )


def _title(match: Contest) -> str:
    problems, optimizers = len(match.problems), len(match.contestants)
    on = match.problems[0] if problems == 1 else f"{word(problems)} problems"
    return f"{match.contestants[0].label if optimizers == 1 else f'{word(optimizers).capitalize()} optimizers'} on {on}"


def _meta(results: Results, match: Contest, summary: pd.DataFrame) -> str:
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
    return " · ".join(parts)


def _device(name: str) -> str:
    return "CPU" if name == "cpu" else name


def _usable_decades(match: Contest, summary: pd.DataFrame) -> dict[int, float]:
    """Decades of learning rate that are good enough, median over the problems; see `statistics.sensitivity.usable`."""
    reference = summary.groupby("problem")["reference"].first()
    found: dict[int, list[float]] = {}
    for (problem, index), cell in match.cells.items():
        rates = rates_of(match, cell, float(reference[problem]))
        if rates is not None:
            starts = match.trials(cell.run["run_id"], "tuning")["start_loss"].to_numpy(float)
            good = usable(rates.gaps, float(np.median(starts)) - float(reference[problem]))
            found.setdefault(index, []).append(width(rates.rates, good))
    return {index: float(np.median(widths)) for index, widths in found.items()}


def _failed_runs(results: Results) -> Table | None:
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


def _provenance(results: Results) -> list[tuple[str, str]]:
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


def _configurations(results: Results) -> list[tuple[str, str]]:
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
