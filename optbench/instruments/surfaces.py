"""The objective around solutions: along lines between them, and over a plane."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..interfaces import Params, Problem
from ..oracle import chunks
from ..randomness import Randomness
from .instrument import Surface

ALPHAS = torch.linspace(-0.25, 1.25, 31, dtype=torch.float64)
"""Places along a line; 0 and 1 are its ends."""
PLANE = torch.linspace(-1.0, 1.0, 21, dtype=torch.float64)
"""Places along each direction of a plane, in lengths of the filters."""
FIRST = 0
"""The seed around whose solutions planes are laid: the first of the evaluation."""
ROWS = 64
"""Places evaluated at once."""


class LossLine(Surface):
    """The objective along the straight line from start to solution, and between the solutions of neighbouring seeds.

        θ(α) = (1 − α) θ₀ + α θ₁,   α = −0.25 … 1.25

    Where no hill stands between two solutions of one setting, they lie in one valley. Neighbours are seeds k and k + 1; a
    trial that failed has no line.

    Source: Goodfellow, Vinyals & Saxe, "Qualitatively characterizing neural network optimization problems", ICLR 2015.
    """

    def scan(
        self, problem: Problem, trials: Sequence[int], seeds: Sequence[int], start: Params, end: Params
    ) -> dict[str, list[float]]:
        columns: dict[str, list[float]] = {name: [] for name in ("trial", "other", "alpha", "beta", "objective")}
        after = [(trials[k] + 1, seeds[k] + 1) for k in range(len(seeds))]
        neighbours = [k for k in range(len(seeds) - 1) if after[k] == (trials[k + 1], seeds[k + 1])]
        pairs = [(k, -1) for k in range(len(seeds))] + [(k, k + 1) for k in neighbours]
        first = torch.stack([start[k] if other < 0 else end[k] for k, other in pairs])
        last = torch.stack([end[k] if other < 0 else end[other] for k, other in pairs])
        for alpha in ALPHAS.tolist():
            values = _objective(problem, (1 - alpha) * first + alpha * last)
            for (k, other), value in zip(pairs, values, strict=True):
                _add(columns, trials[k], -1 if other < 0 else trials[other], alpha, 0.0, value)
        return columns


class LossPlane(Surface):
    """The objective over a plane around the solution of seed 0, in directions of the size of its filters.

        f(θ + α d₁ + β d₂),   α, β = −1 … 1;   each filter of d is drawn at random and scaled to the length of θ's

    A filter is what one unit or channel reads: a row of a matrix, a kernel. Biases and normalisation parameters stay. A
    landscape has no filters; there the directions have the length of the way from start to solution.

    Source: Li, Xu, Taylor, Studer & Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018, section 4.
    """

    def scan(
        self, problem: Problem, trials: Sequence[int], seeds: Sequence[int], start: Params, end: Params
    ) -> dict[str, list[float]]:
        columns: dict[str, list[float]] = {name: [] for name in ("trial", "other", "alpha", "beta", "objective")}
        drawn = Randomness([FIRST], "loss plane", end.device)
        random = [drawn.normal(k, problem.layout.n, dtype=end.dtype) for k in (0, 1)]
        places = [(a, b) for a in PLANE.tolist() for b in PLANE.tolist()]
        for k in [k for k, seed in enumerate(seeds) if seed == FIRST]:
            one, begun = end[k : k + 1], start[k : k + 1]
            first, second = (directed(problem, one, begun, direction) for direction in random)
            for first_place in range(0, len(places), ROWS):
                some = places[first_place : first_place + ROWS]
                rows = torch.cat([one + a * first + b * second for a, b in some])
                for (a, b), value in zip(some, _objective(problem, rows), strict=True):
                    _add(columns, trials[k], -1, a, b, value)
        return columns


def directed(problem: Problem, end: Params, start: Params, direction: Params) -> Params:
    """A direction whose every filter has the length of the solution's filter; 0 for all that is no weight.

    Coordinates of a landscape are taken together and get the length of the way from start to solution.
    """
    layout = problem.layout
    kept = []
    for name, role in zip(layout.names, layout.roles, strict=True):
        d, like = (layout.split(row)[name] for row in (direction, end - start if role == "point" else end))
        if role in ("bias", "norm", "buffer"):
            kept.append(torch.zeros_like(d).flatten(1))
            continue
        d, like = (v.flatten(2) if v.ndim > 2 and role == "weight" else v.flatten(1)[:, None] for v in (d, like))
        length = d.norm(dim=2, keepdim=True).clamp(min=torch.finfo(d.dtype).tiny)
        kept.append((d / length * like.norm(dim=2, keepdim=True)).flatten(1))
    return torch.cat(kept, dim=1)


def _objective(problem: Problem, rows: Params) -> list[float]:
    """The objective of many rows, none of them alone, whose last bit would differ."""
    parts = [rows[part] for part in chunks(len(rows), ROWS)]
    values = [problem.objective(p if len(p) > 1 else p.expand(2, -1), 0)[: len(p)] for p in parts]
    return torch.cat(values).double().tolist()


def _add(columns: dict[str, list[float]], trial: int, other: int, alpha: float, beta: float, value: float) -> None:
    row = {"trial": trial, "other": other, "alpha": alpha, "beta": beta, "objective": value}
    for name, item in row.items():
        columns[name].append(float(item))
