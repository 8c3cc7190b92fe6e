"""Rastrigin: a bowl covered with local minima."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from optbench.checks import check_settings, setting
from optbench.interfaces import Layout, Loss, Params, Problem
from optbench.randomness import Randomness


@dataclass(frozen=True, kw_only=True)
class Rastrigin(Problem):
    """A shallow bowl covered with a grid of local minima, one near every whole point.

        f(x) = amplitude · n + Σᵢ xᵢ² − amplitude · cos(2π xᵢ)

    Domain: ℝⁿ, drawn on [−5.12, 5.12]². Start: every |xᵢ| uniform in [1.5, 2.5] with a random sign, by seed: two hills
    away from the minimum. Minimum: 0 at the origin; the next lowest minima lie near distance 1 and have f ≈ 0.995
    (amplitude 10). Condition number of the Hessian at the minimum: 1.

    A descent that never climbs ends in the nearest local minimum; what counts here is that a step long enough to leave
    small basins still settles in the wide bowl. Many trials fail, and that is the finding.

    Args:
        n: number of coordinates.
        amplitude: height of the ripples; 10 is the usual one.

    Source: Rastrigin, "Systems of extremal control", Nauka, 1974 (n = 2); n-dimensional form by Mühlenbein, Schomisch
    & Born, "The parallel genetic algorithm as function optimizer", Parallel Computing 17 (1991), 619–632.
    """

    budget: ClassVar[int] = 1000

    n: int = setting(2, least=1)
    amplitude: float = setting(10.0, above=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def layout(self) -> Layout:
        return Layout.point(self.n)

    def start(self, seeds: Sequence[int]) -> Params:
        u = Randomness(seeds, "rastrigin start", self.device).uniform(0, 2 * self.n, dtype=self.kind["dtype"])
        distance, sign = 1.5 + u[:, ::2], torch.where(u[:, 1::2] < 0.5, -1, 1)
        return sign * distance

    def loss(self, params: Params, batch: Any) -> Loss:
        return (params**2 + self.amplitude * (1 - torch.cos(2 * math.pi * params))).sum(dim=1)

    def minimum(self) -> float:
        return 0.0

    def minimiser(self) -> Tensor:
        return torch.zeros(self.n, **self.kind)

    def targets(self) -> Sequence[float]:
        return [2.0, 0.5, 1e-1, 1e-2, 1e-4, 1e-6]

    def target(self) -> float:
        return 1e-2

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        return ((-5.12, 5.12), (-5.12, 5.12)) if self.n == 2 else None
