"""What the report says, before anyone decides how it looks: the page and the Markdown file are made from this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..statistics.contest import Contest, contest
from ..statistics.sensitivity import usable, width
from ..statistics.summary import summarise
from .facts import facts
from .figures import draw_all
from .figures.figure import Figure
from .figures.names import stems
from .figures.sensitivity import rates_of
from .numbers import word
from .optimizer_table import optimizer_frame, optimizer_table
from .provenance import Results, configurations, failed_runs, meta, provenance
from .runtime_table import runtime_table
from .standing import Standing, standing
from .story import Text, amount_of_target, lead, reading, verdict
from .tables import Table, heat_table, summary_table

MEASURED = ("measure-", "layers-", "loss-")
"""How the kinds of figures begin that show what instruments measured."""


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
    reading: str
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

    def instruments(self, problem: str) -> list[Place]:
        """The places of what instruments measured on a problem, narrow ones first, so that they stand side by side."""
        own = dict.fromkeys(f.kind for f in self.figures if f.problem == problem and f.kind.startswith(MEASURED))
        return sorted(self.places(*own, problem=problem), key=lambda place: place.width == "full")

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
        meta=meta(results, match),
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
        reading=reading("tuned" in roles, int(summary["seeds"].max())),
        verdicts={p: verdict(match, summary, p) for p in match.problems},
        heat=heat_table(match, summary, place.order),
        runtimes=runtimes,
        optimizers=optimizer_table(optimizers, place.order),
        summary_table=summary_table(match, summary, place.order),
        failed_runs=failed_runs(results),
        provenance=provenance(results, match),
        configurations=configurations(results),
    )


def _title(match: Contest) -> str:
    problems, optimizers = len(match.problems), len(match.contestants)
    on = match.problems[0] if problems == 1 else f"{word(problems)} problems"
    return f"{match.contestants[0].label if optimizers == 1 else f'{word(optimizers).capitalize()} optimizers'} on {on}"


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
