"""Recording: curves at log-spaced steps, first hits of targets, and the step at which a trial died.

Nothing is copied from the device or looked at in Python during a step: values go into a block of 64 steps that is worked
through when it is full.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor

from .interfaces import Loss, Params, Problem, Rows

POINTS = 200
"""About how many steps of a trial are recorded."""
GRID = 50
"""Evaluations of a problem whose objective is costly: every 2 % of the budget."""
BLOCK = 64
EXPLODED = 1e10
"""A trial whose objective exceeds this multiple of max(1, |objective at the start|) counts as diverged."""


def grid_steps(steps: int) -> list[int]:
    """An even grid over the budget, both ends included, at most 51 steps."""
    return sorted({round(k * steps / GRID) for k in range(GRID + 1)})


def recorded_steps(steps: int, cheap: bool) -> list[int]:
    """Log-spaced steps from 0 to the end, about 200; with a costly objective the evaluation grid is among them."""
    points = POINTS if cheap else POINTS - GRID
    spaced = np.unique(np.round(np.geomspace(1, max(steps, 1), points)).astype(int))
    return sorted({0, steps, *(int(s) for s in spaced if s <= steps), *(() if cheap else grid_steps(steps))})


@dataclass
class Recording:
    """What is known of each trial when it ends; arrays over trials, [targets, trials] or [steps, trials]."""

    start_loss: np.ndarray
    final_loss: np.ndarray
    best_loss: np.ndarray
    died: np.ndarray
    """Step at which the trial diverged; −1 for one that did not."""
    stopped: np.ndarray
    """Steps made when time ran out; −1 for one that diverged or came to its end."""
    evaluations: np.ndarray
    hit_steps: np.ndarray
    hit_evaluations: np.ndarray
    final: dict[str, np.ndarray]
    steps: np.ndarray
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    """loss, objective, evaluations, metrics and instruments (and x, y, seconds): [recorded steps, trials]."""
    slices: dict[str, np.ndarray] = field(default_factory=dict)
    """trial, instrument, other, alpha, beta and objective of each place where the objective was scanned."""

    def rows(self, trials: np.ndarray, curves: bool) -> Recording:
        """The same of these trials, with or without their curves."""
        kept = {
            f.name: getattr(self, f.name)[..., trials]
            for f in fields(self)
            if f.type == "np.ndarray" and f.name != "steps"
        }
        final = {name: value[trials] for name, value in self.final.items()}
        slices = _slices_of(self.slices, trials) if curves else {}
        return replace(
            self,
            **kept,
            final=final,
            curves={n: v[:, trials] for n, v in self.curves.items()} if curves else {},
            slices=slices,
        )


def _slices_of(slices: dict[str, np.ndarray], trials: np.ndarray) -> dict[str, np.ndarray]:
    """Slices of these trials, which are counted anew."""
    if not slices:
        return {}
    place = {int(trial): k for k, trial in enumerate(trials)}
    kept = np.array(
        [t in place and (o < 0 or o in place) for t, o in zip(slices["trial"], slices["other"], strict=True)]
    )
    out = {name: values[kept] for name, values in slices.items()}
    for name in ("trial", "other"):
        out[name] = np.array([place.get(int(t), -1) for t in out[name]], dtype=np.int64)
    return out


class Recorder:
    """Collects what the trials of a run do.

    Args:
        problem: gives targets, and whether its objective is followed at every step.
        trials: how many there are.
        steps: the budget.
        curves: keep curves, or only what `Recording` says of each trial.
    """

    def __init__(self, problem: Problem, trials: int, steps: int, curves: bool = True):
        device = torch.device(problem.device)
        self.cheap, self.trials, self.budget = problem.cheap, trials, steps
        self.targets = torch.tensor(list(problem.targets()), dtype=torch.float64, device=device)
        self.recorded = recorded_steps(steps, problem.cheap)
        self.grid = frozenset() if problem.cheap else frozenset(grid_steps(steps))
        self.index = {step: i for i, step in enumerate(self.recorded)}
        self.keep_curves, self.keep_path = curves, curves and problem.domain() is not None
        self.point = problem.point
        self.curves: dict[str, Tensor] = {}
        everyone = {"dtype": torch.float64, "device": device}
        self.best = torch.full((trials,), torch.inf, **everyone)
        self.start = torch.full((trials,), torch.nan, **everyone)
        self.limit = torch.full((trials,), torch.inf, **everyone)
        self.died = torch.full((trials,), -1, dtype=torch.int64, device=device)
        self.stopped = self.died.clone()
        self.evaluations = torch.zeros(trials, **everyone)
        self.level = torch.zeros(trials, dtype=torch.int64, device=device)
        self.hit_steps = torch.full((len(self.targets), trials), torch.inf, **everyone)
        self.hit_evaluations = self.hit_steps.clone()
        self.final: dict[str, Tensor] = {}
        self.final_loss = self.best.clone()
        self.rows = torch.arange(trials, device=device)
        self._open(0)

    def _open(self, first: int) -> None:
        self.first, self.filled = first, 0
        like = {"dtype": torch.float64, "device": self.best.device}
        self.losses = torch.empty(BLOCK, len(self.rows), **like)
        self.objectives = torch.full((BLOCK, len(self.rows)), torch.inf, **like)
        self.looked: list[int] = []
        self.counts: list[int | Tensor] = []

    def begin(self, objective: Loss) -> None:
        """Note the objective at the start."""
        self.start.copy_(objective)
        self.limit = (EXPLODED * self.start.abs().clamp(min=1.0)).clamp(max=torch.finfo(torch.float64).max)

    @property
    def full(self) -> bool:
        return self.filled == BLOCK

    def add(self, loss: Loss, objective: Loss | None, evaluations: int | Tensor) -> None:
        """Note a step: the loss seen, the objective before the step (if followed), gradient evaluations made before it."""
        self.losses[self.filled] = loss
        if objective is not None:
            self._look(objective)
        self.counts.append(evaluations)
        self.filled += 1

    def clock(self, step: int, seconds: float) -> None:
        """Note the training clock of a trial that runs alone, at recorded steps."""
        if self.keep_curves:
            self._put("seconds", [self.index[step]], self._row(seconds)[None])

    def path(self, step: int, params: Params) -> None:
        """Note the coordinates of two-dimensional trials, at recorded steps."""
        if self.keep_path and step in self.index:
            x, y = self.point(params).unbind(dim=1)
            self._put("x", [self.index[step]], x[None])
            self._put("y", [self.index[step]], y[None])

    def instruments(self, step: int, values: dict[str, Loss]) -> None:
        """Note what instruments measured at a recorded step."""
        for name, value in values.items():
            self._put(name, [self.index[step]], value[None])

    def metrics(self, step: int, values: dict[str, Loss]) -> None:
        """Note an evaluation on the grid of a costly objective, before the step itself is added."""
        self._look(values["objective"])
        if self.keep_curves:
            for name, value in values.items():
                self._put(name, [self.index[step]], value[None])

    def _look(self, objective: Loss) -> None:
        self.objectives[self.filled] = objective
        self.looked.append(self.filled)

    def flush(self) -> Rows:
        """Work through the block; which of the present rows are still alive."""
        count, limit = self.filled, self.limit[self.rows]
        losses, objectives = self.losses[:count], self.objectives[:count]
        if self.cheap:  # followed at every step; the loss may be that of a line search's far probe, which kills nobody
            bad = ~(objectives.abs() <= limit)
        else:
            bad = ~(losses.abs() <= limit)
            bad[self.looked] |= ~(objectives[self.looked].abs() <= limit)
        if count:
            self._judge(objectives, bad, self.first, self.counts)
        if self.keep_curves:
            wanted = self.recorded_between(self.first, self.first + count)
            at = [s - self.first for s in wanted]
            places = [self.index[s] for s in wanted]
            if wanted:
                self._put("loss", places, losses[at])
                self._put("evaluations", places, self._table([self.counts[i] for i in at]))
                if self.cheap:
                    self._put("objective", places, objectives[at])
        self._open(self.first + count)
        return (self.died[self.rows] < 0).nonzero()[:, 0]

    def recorded_between(self, first: int, last: int) -> list[int]:
        """Recorded steps s with first ≤ s < last."""
        low, high = np.searchsorted(self.recorded, [first, last])
        return self.recorded[low:high]

    def keep(self, rows: Rows) -> None:
        """Go on with only these of the present rows; call it after `flush`."""
        self.rows = self.rows[rows]
        self._open(self.first)

    def end(self, values: dict[str, Loss], test: dict[str, Loss], evaluations: int | Tensor) -> None:
        """Note the evaluation after the last step of the trials still present."""
        objective = values["objective"][None].to(torch.float64)
        self._judge(objective, ~(objective.abs() <= self.limit[self.rows]), self.budget, [evaluations])
        ended = self._note_evaluations(evaluations)
        if self.keep_curves:
            self._put("evaluations", [len(self.recorded) - 1], self._row(evaluations)[None])
            for name, value in values.items():
                self._put(name, [len(self.recorded) - 1], value[None])
        for name, value in {**values, **test}.items():
            full = self.final.setdefault(name, torch.full_like(self.best, torch.nan))
            full[self.rows[ended]] = value[ended].to(torch.float64)
        self.final_loss[self.rows[ended]] = objective[0, ended]

    def stop(self, step: int, evaluations: int | Tensor) -> None:
        """Note that time ran out for the trials still alive."""
        alive = self._note_evaluations(evaluations)
        self.stopped[self.rows[alive]] = step

    def _note_evaluations(self, evaluations: int | Tensor) -> Tensor:
        """Of the living, since the dead had theirs noted when they died, however long they stay."""
        alive = self.died[self.rows] < 0
        self.evaluations[self.rows[alive]] = self._row(evaluations)[alive]
        return alive

    def recording(self) -> Recording:
        """Everything, copied from the device once."""

        def array(x: Tensor) -> np.ndarray:
            return x.cpu().numpy()

        return Recording(
            start_loss=array(self.start),
            final_loss=array(self.final_loss),
            best_loss=array(self.best),
            died=array(self.died),
            stopped=array(self.stopped),
            evaluations=array(self.evaluations),
            hit_steps=array(self.hit_steps),
            hit_evaluations=array(self.hit_evaluations),
            final={name: array(value) for name, value in self.final.items() if name != "objective"},
            steps=np.asarray(self.recorded),
            curves={name: array(value) for name, value in self.curves.items()},
        )

    def _judge(self, objectives: Tensor, bad: Tensor, first: int, counts: list[int | Tensor]) -> None:
        """Update deaths, best values and first hits from [steps, present rows]; after a trial's death nothing counts."""
        rows, place = self.rows, torch.arange(len(bad), device=bad.device)[:, None]
        dead_before = self.died[rows] >= 0
        dies = bad.any(dim=0) & ~dead_before
        death = torch.where(bad.any(dim=0), bad.to(torch.uint8).argmax(dim=0), len(bad))
        death[dead_before] = 0
        if bool(dies.any()):
            self.died[rows[dies]] = first + death[dies]
            made = self._table(counts)
            self.evaluations[rows[dies]] = made.gather(0, death[None].clamp(max=len(bad) - 1))[0, dies]
        counted = torch.where(place < death, objectives, torch.inf)
        least = counted.min(dim=0).values
        best = torch.minimum(self.best[rows], least)
        self.best[rows] = best
        reached = (best[:, None] <= self.targets).sum(dim=1)
        climbed = (reached > self.level[rows]).nonzero()[:, 0]
        if len(climbed):
            self._hit(counted[:, climbed], rows[climbed], first, self._table(counts)[:, climbed])
            self.level[rows] = torch.maximum(reached, self.level[rows])

    def _hit(self, objectives: Tensor, rows: Rows, first: int, made: Tensor) -> None:
        for k, target in enumerate(self.targets):
            below = objectives <= target
            fresh = below.any(dim=0) & self.hit_steps[k, rows].isinf()
            at = below.to(torch.uint8).argmax(dim=0)
            self.hit_steps[k, rows[fresh]] = (first + at[fresh]).to(torch.float64)
            self.hit_evaluations[k, rows[fresh]] = made.gather(0, at[None])[0, fresh]

    def _row(self, count: float | Tensor) -> Tensor:
        like = {"dtype": torch.float64, "device": self.best.device}
        return (
            torch.full((len(self.rows),), float(count), **like) if not isinstance(count, Tensor) else count.to(**like)
        )

    def _table(self, counts: list[int | Tensor]) -> Tensor:
        """Counts of several steps as [steps, present rows]; cheap where every trial made as many."""
        if all(isinstance(c, int) for c in counts):
            column = torch.tensor(counts, dtype=torch.float64, device=self.best.device)[:, None]
            return column.expand(-1, len(self.rows))
        return torch.stack([self._row(c) for c in counts])

    def _put(self, name: str, places: list[int], values: Tensor) -> None:
        """Write [places, present rows] into a curve."""
        if name not in self.curves:
            shape = (len(self.recorded), self.trials)
            self.curves[name] = torch.full(shape, torch.nan, dtype=torch.float64, device=self.best.device)
        where = torch.tensor(places, device=self.best.device)[:, None]
        self.curves[name][where, self.rows[None, :]] = values.to(torch.float64)
