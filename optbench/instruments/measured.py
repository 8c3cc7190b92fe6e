"""The instruments of a run at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ..interfaces import Batch, Loss, Params, Problem, Rows, select
from ..oracle import chunks
from ..record import grid_steps, recorded_steps
from ..trials import Trials
from .instrument import Instrument, Surface, View


class Measured:
    """Looks at trials with instruments at recorded steps, and once more when they have ended.

    What is measured is the problem as it is without what modifiers add, at the point that its parameters stand for.

    Args:
        trials: those that are run.
        seeds: one a trial.
        instruments: by name; none: nothing is done.
    """

    def __init__(self, trials: Trials, seeds: Sequence[int], instruments: Mapping[str, Instrument | Surface]):
        self.trials, self.seeds = trials, list(seeds)
        self.instruments = {name: i for name, i in instruments.items() if isinstance(i, Instrument)}
        self.surfaces = {name: s for name, s in instruments.items() if isinstance(s, Surface)}
        recorded = recorded_steps(trials.steps, trials.problem.cheap)
        even = grid_steps(trials.steps)  # the recorded step next to each of an even grid, where it is none itself
        self.grid = {min(recorded, key=lambda step: abs(step - wanted)) for wanted in even}

        self.ended: tuple[np.ndarray, Params] | None = None

    def __bool__(self) -> bool:
        return bool(self.instruments or self.surfaces)

    def keep(self, rows: Rows) -> None:
        """Go on with only these of the present trials."""
        self.seeds = [self.seeds[k] for k in rows.tolist()]

    def at(self, step: int, params: Params, *, costly: bool) -> dict[str, Loss]:
        """Columns of all instruments; params: before the step."""
        chosen = [i for i in self.instruments.values() if costly or not i.costly]
        if not chosen:
            return {}
        trials, oracle = self.trials, self.trials.oracle
        problem, seen = trials.asked, params if step == trials.steps else trials.judged
        batch = oracle.stream.at(step, oracle.rows)
        asked_there = step < trials.steps and oracle.first_params is params and trials.problem is problem
        grad = oracle.first_grad if asked_there else None
        if grad is None:
            grad = _gradient(problem, trials.problem.point(params), batch)
        point = trials.problem.point
        after = None if step == trials.steps else point(seen)
        view = View(problem, self.seeds, point(params).detach(), grad, after, batch)
        return {name: value.detach() for i in chosen for name, value in i.measure(view).items()}

    def end(self, rows: Rows, died: np.ndarray) -> None:
        """Keep where the trials that came to their end did so; rows: the present trials' numbers."""
        if self.surfaces:
            alive = torch.tensor([k for k, row in enumerate(rows.tolist()) if died[row] < 0], dtype=torch.int64)
            self.ended = rows[alive].cpu().numpy(), self.trials.problem.point(self.trials.judged[alive]).detach()


def slices(parts: Sequence[Measured], firsts: Sequence[int], seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """What surfaces measure around the solutions of a run's trials, in however many tensors these were held.

    Args:
        parts: one a tensor, which have ended.
        firsts: number of the first trial of each.
        seeds: of all trials.
    """
    ended = [(first + part.ended[0], part.ended[1]) for part, first in zip(parts, firsts, strict=True) if part.ended]
    surfaces = parts[0].surfaces
    if not surfaces or not sum(len(numbers) for numbers, _ in ended):
        return {}
    number = np.concatenate([numbers for numbers, _ in ended])
    order = np.argsort(number)  # trials leave a tensor out of order
    number, end = number[order], torch.cat([params for _, params in ended])[torch.from_numpy(order)]
    problem, own = parts[0].trials.asked, [seeds[k] for k in number.tolist()]
    start = problem.start(own)
    columns: dict[str, list[np.ndarray]] = {}
    for name, surface in surfaces.items():
        found = {
            key: np.asarray(value) for key, value in surface.scan(problem, number.tolist(), own, start, end).items()
        }
        found |= {key: found[key].astype(np.int64) for key in ("trial", "other")}
        found["instrument"] = np.full(len(found["trial"]), name)
        for key, value in found.items():
            columns.setdefault(key, []).append(value)
    return {key: np.concatenate(values) for key, values in columns.items()}


def _gradient(problem: Problem, params: Params, batch: Batch) -> Params:
    """Gradients of the trials, as many at once as the problem allows."""
    rows = len(params)
    parts = [
        problem.loss_and_grad(params[part], None if batch is None else select(batch, part))[1]
        for part in chunks(rows, problem.loss_chunk or rows)
    ]
    return torch.cat(parts)
