"""The instruments of a run at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..interfaces import Loss, Params, Rows
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
        problem, seen = trials.asked, params if step == trials.steps else trials.params
        batch = oracle.stream.at(step, oracle.rows)
        asked_there = step < trials.steps and oracle.first_params is params and trials.problem is problem
        grad = oracle.first_grad if asked_there else None
        if grad is None:
            _, grad = problem.loss_and_grad(trials.problem.point(params), batch)
        point = trials.problem.point
        after = None if step == trials.steps else point(seen)
        view = View(problem, self.seeds, point(params).detach(), grad, after, batch)
        return {name: value.detach() for i in chosen for name, value in i.measure(view).items()}

    def slices(self, rows: Rows, died: np.ndarray) -> dict[str, np.ndarray]:
        """What surfaces measure around the trials that came to their end; rows: the present trials' numbers."""
        alive = torch.tensor([k for k, row in enumerate(rows.tolist()) if died[row] < 0], dtype=torch.int64)
        if not self.surfaces or len(alive) == 0:
            return {}
        trials, problem = self.trials, self.trials.asked
        end: Tensor = trials.problem.point(trials.params[alive])
        seeds = [self.seeds[k] for k in alive.tolist()]
        start = problem.start(seeds)
        columns: dict[str, list[np.ndarray]] = {}
        number = rows[alive].cpu().numpy()
        for name, surface in self.surfaces.items():
            found = {key: np.asarray(value) for key, value in surface.scan(problem, seeds, start, end).items()}
            trial, other = found["trial"].astype(np.int64), found["other"].astype(np.int64)
            found |= {"trial": number[trial], "other": np.where(other < 0, -1, number[other])}
            found["instrument"] = np.full(len(trial), name)
            for key, value in found.items():
                columns.setdefault(key, []).append(value)
        return {key: np.concatenate(values) for key, values in columns.items()}
