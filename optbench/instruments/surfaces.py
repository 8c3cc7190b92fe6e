"""The objective around solutions: along lines between them, and over a plane."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..interfaces import Params, Problem
from ..randomness import Randomness
from .instrument import Surface

ALPHAS = torch.linspace(-0.25, 1.25, 31, dtype=torch.float64)
"""Places along a line; 0 and 1 are its ends."""
PLANE = torch.linspace(-1.0, 1.0, 21, dtype=torch.float64)
"""Places along each direction of a plane, in lengths of the filters."""


class LossLine(Surface):
    """The objective along the straight line from start to solution, and between the solutions of neighbouring seeds.

        θ(α) = (1 − α) θ_a + α θ_b,   α = −0.25 … 1.25

    Where no hill stands between two solutions, they lie in one valley.

    Source: Goodfellow, Vinyals & Saxe, "Qualitatively characterizing neural network optimization problems", ICLR 2015.
    """

    def scan(self, problem: Problem, seeds: Sequence[int], start: Params, end: Params) -> dict[str, list[float]]:
        columns: dict[str, list[float]] = {name: [] for name in ("trial", "other", "alpha", "beta", "objective")}
        neighbours = [k for k in range(len(seeds) - 1) if seeds[k + 1] == seeds[k] + 1]
        pairs = [(k, -1) for k in range(len(seeds))] + [(k, k + 1) for k in neighbours]
        first = torch.stack([start[k] if other < 0 else end[k] for k, other in pairs])
        last = torch.stack([end[k] if other < 0 else end[other] for k, other in pairs])
        for alpha in ALPHAS.tolist():
            values = _objective(problem, (1 - alpha) * first + alpha * last)
            for (k, other), value in zip(pairs, values, strict=True):
                _add(columns, k, other, alpha, 0.0, value)
        return columns


class LossPlane(Surface):
    """The objective over a plane around the solution of the first trial, in directions of the size of its filters.

        f(θ + α d₁ + β d₂),   α, β = −1 … 1;   each filter of d is drawn at random and scaled to the length of θ's

    A filter is what one unit or channel reads: a row of a matrix, a kernel. Biases and normalisation parameters stay.

    Source: Li, Xu, Taylor, Studer & Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018, section 4.
    """

    def scan(self, problem: Problem, seeds: Sequence[int], start: Params, end: Params) -> dict[str, list[float]]:
        columns: dict[str, list[float]] = {name: [] for name in ("trial", "other", "alpha", "beta", "objective")}
        one = end[:1]
        drawn = Randomness([seeds[0]], "loss plane", one.device)
        first, second = (normalised(problem, one, drawn.normal(k, problem.layout.n, dtype=one.dtype)) for k in (0, 1))
        places = [(a, b) for a in PLANE.tolist() for b in PLANE.tolist()]
        rows = torch.cat([one + a * first + b * second for a, b in places])
        for (a, b), value in zip(places, _objective(problem, rows), strict=True):
            _add(columns, 0, -1, a, b, value)
        return columns


def normalised(problem: Problem, params: Params, direction: Params) -> Params:
    """A direction whose every filter has the length of the parameters' filter; 0 for all that is no weight."""
    layout = problem.layout
    kept = []
    for name, role in zip(layout.names, layout.roles, strict=True):
        w, d = (layout.split(row)[name] for row in (params, direction))
        if role in ("bias", "norm", "buffer"):
            kept.append(torch.zeros_like(d).flatten(1))
            continue
        filters = (d.flatten(2), w.flatten(2)) if w.ndim > 2 else (d[:, None].flatten(2), w[:, None].flatten(2))
        length = filters[0].norm(dim=2, keepdim=True).clamp(min=torch.finfo(d.dtype).tiny)
        kept.append((filters[0] / length * filters[1].norm(dim=2, keepdim=True)).flatten(1))
    return torch.cat(kept, dim=1)


def _objective(problem: Problem, rows: Params) -> list[float]:
    """The objective of many rows, 64 at a time; none alone, whose last bit would differ."""
    values = [
        problem.objective(part if len(part) > 1 else part.expand(2, -1), 0)[: len(part)] for part in rows.split(64)
    ]
    return torch.cat(values).double().tolist()


def _add(
    columns: dict[str, list[float]], trial: int, other: int, alpha: float, beta: float, value: float | Tensor
) -> None:
    row = {"trial": trial, "other": other, "alpha": alpha, "beta": beta, "objective": value}
    for name, item in row.items():
        columns[name].append(float(item))
