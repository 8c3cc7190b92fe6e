"""Beale: a flat valley between steep corners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from optbench.interfaces import Layout, Loss, Outputs, Params, Problem, sum_of_squares
from optbench.randomness import Randomness


@dataclass(frozen=True, kw_only=True)
class Beale(Problem):
    """A flat valley between corners where the function rises very steeply.

        f(x, y) = (1.5 − x(1 − y))² + (2.25 − x(1 − y²))² + (2.625 − x(1 − y³))²

    Domain: ℝ², drawn on [−4.5, 4.5]². Start: (1, 1) plus normal noise of the seed, σ = 0.1; f(1, 1) = 14.203125.
    Minimum: 0 at (3, 1/2). Condition number of the Hessian at the minimum: about 162.5.

    Source: Beale, "On an iterative method for finding a local minimum of a function of more than one variable",
    Technical Report 25, Statistical Techniques Research Group, Princeton University, 1958. Start and minimum as in
    Moré, Garbow & Hillstrom, ACM TOMS 7 (1981), problem 5.
    """

    budget: ClassVar[int] = 1000

    @property
    def layout(self) -> Layout:
        return Layout.point(2)

    def start(self, seeds: Sequence[int]) -> Params:
        noise = Randomness(seeds, "beale start", self.device).normal(0, 2, dtype=self.kind["dtype"])
        return 1 + 0.1 * noise

    def loss(self, params: Params, batch: Any) -> Loss:
        x, y = params.unbind(dim=1)
        return (1.5 - x * (1 - y)) ** 2 + (2.25 - x * (1 - y**2)) ** 2 + (2.625 - x * (1 - y**3)) ** 2

    def decomposed(self, params: Params, batch: Any) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        x, y = params[:, :1], params[:, 1:]
        return (1.5 - x * (1 - y), 2.25 - x * (1 - y**2), 2.625 - x * (1 - y**3)), sum_of_squares

    def minimum(self) -> float:
        return 0.0

    def minimiser(self) -> Tensor:
        return torch.tensor([3.0, 0.5], **self.kind)

    def targets(self) -> Sequence[float]:
        return [1.0, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8]

    def target(self) -> float:
        return 1e-2

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return (-4.5, 4.5), (-4.5, 4.5)
