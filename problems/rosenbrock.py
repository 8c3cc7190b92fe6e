"""Rosenbrock: a curved, narrow valley."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from optbench.checks import check_settings, setting
from optbench.interfaces import Layout, Loss, Outputs, Params, Problem, sum_of_squares
from optbench.randomness import Randomness


@dataclass(frozen=True, kw_only=True)
class Rosenbrock(Problem):
    """A curved, narrow valley whose floor falls gently towards the minimum.

        f(x) = Σᵢ factor · (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²,   i = 1 … n − 1

    Domain: ℝⁿ, drawn on [−2, 2] × [−1, 3]. Start: (−1.2, 1, −1.2, 1, …) plus normal noise of the seed, σ = 0.1.
    Minimum: 0 at (1, …, 1); for n = 4 … 7 there is a second, local minimum near (−1, 1, …, 1). Condition number of the
    Hessian at the minimum for n = 2, factor = 100: about 2,508.

    Args:
        n: number of coordinates, at least 2.
        factor: height of the valley's walls; 100 is Rosenbrock's own.

    Source: Rosenbrock, "An automatic method for finding the greatest or least value of a function", The Computer
    Journal 3 (1960), 175–184. Start and minimum as in Moré, Garbow & Hillstrom, ACM TOMS 7 (1981), problem 1.
    """

    budget: ClassVar[int] = 3000

    n: int = setting(2, least=2)
    factor: float = setting(100.0, above=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def layout(self) -> Layout:
        return Layout.point(self.n)

    def start(self, seeds: Sequence[int]) -> Params:
        classic = torch.where(torch.arange(self.n, device=self.device) % 2 == 0, -1.2, 1.0).to(**self.kind)
        noise = Randomness(seeds, "rosenbrock start", self.device).normal(0, self.n, dtype=classic.dtype)
        return classic + 0.1 * noise

    def loss(self, params: Params, batch: Any) -> Loss:
        here, after = params[:, :-1], params[:, 1:]
        return (self.factor * (after - here**2) ** 2 + (1 - here) ** 2).sum(dim=1)

    def decomposed(self, params: Params, batch: Any) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        here, after = params[:, :-1], params[:, 1:]
        return (self.factor**0.5 * (after - here**2), 1 - here), sum_of_squares

    def minimum(self) -> float:
        return 0.0

    def minimiser(self) -> Tensor:
        return torch.ones(self.n, **self.kind)

    def targets(self) -> Sequence[float]:
        return [1.0, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8]

    def target(self) -> float:
        return 1e-2

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        return ((-2.0, 2.0), (-1.0, 3.0)) if self.n == 2 else None
