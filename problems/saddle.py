"""Saddle: a strict saddle point between two minima."""

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
class Saddle(Problem):
    """A strict saddle point at the origin between two minima; the start lies almost on the line that leads into it.

        f(x, y) = ½ u² + ⅛ (v² − 2)²,   u = (x + y)/√2,   v = (x − y)/√2

    Hessian at the origin in (u, v): diag(1, −1), so the saddle is strict; its stable manifold is the line x = y.
    Gradient descent leaves it by a factor 1 + lr a step, so escaping takes time. The diagonal axes keep methods that
    scale each coordinate by itself from leaving at once; a sign method sees equal signs and may never leave.
    f(0, 0) = ½; f is bounded below by 0 and grows in all directions.

    Domain: ℝ², drawn on [−2, 2]². Start: u = √2 · U(1, 1.5), v = ± distance · U(1, 2), by seed; f between 1.5 and 2.75.
    Minimum: 0 at (1, −1) and (−1, 1). Condition number of the Hessian at the minima, diag(1, 2) in (u, v): 2.

    Args:
        distance: least distance of the start from the stable manifold; the time to escape grows with −log distance.

    Source: the shape is an example of Lee, Simchowitz, Jordan & Recht, "Gradient descent only converges to
    minimizers", COLT 2016, https://arxiv.org/abs/1602.04915 (½x² + ¼y⁴ − ½y²), turned by 45°, stretched along v and
    raised so that its minimum is 0.
    """

    budget: ClassVar[int] = 500

    distance: float = setting(1e-6, above=0, most=0.1)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def layout(self) -> Layout:
        return Layout.point(2)

    def start(self, seeds: Sequence[int]) -> Params:
        draws = Randomness(seeds, "saddle start", self.device).uniform(0, 3, dtype=self.kind["dtype"])
        middle = 1 + 0.5 * draws[:, 0]
        aside = self.distance * (1 + draws[:, 1]) * torch.where(draws[:, 2] < 0.5, -1, 1) / math.sqrt(2)
        return torch.stack([middle + aside, middle - aside], dim=1)

    def loss(self, params: Params, batch: Any) -> Loss:
        x, y = params.unbind(dim=1)
        return 0.25 * (x + y) ** 2 + 0.125 * (0.5 * (x - y) ** 2 - 2) ** 2

    def minimum(self) -> float:
        return 0.0

    def minimiser(self) -> Tensor:
        return torch.tensor([1.0, -1.0], **self.kind)

    def targets(self) -> Sequence[float]:
        return [0.4, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8]

    def target(self) -> float:
        return 1e-4

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return (-2.0, 2.0), (-2.0, 2.0)
