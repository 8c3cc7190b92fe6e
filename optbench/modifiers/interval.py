"""Interval: parameters are held between two bounds by re-parametrisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Problem, ProblemModifier
from .reparametrised import MARGIN, Elementwise


@dataclass(frozen=True, kw_only=True)
class Interval(ProblemModifier):
    """The optimizer moves y, free on ℝⁿ; the problem sees x between the bounds.

        x = low + (high − low) σ(y),   σ(y) = 1/(1 + e^(−y))

    The start is y₀ = σ⁻¹((x₀ − low)/(high − low)); an x₀ outside, or nearer to a bound than 10⁻³ of the width, is first moved
    to that distance within. Everything is judged at x; the targets stay, whether they lie within reach or not.

    Args:
        low, high: the bounds, in units of the parameters; low < high.
        biases: bounds for biases and normalisation parameters too, not for weights and coordinates alone.

    Raises:
        ValueError: low is not below high.

    Source: Carpenter et al., "Stan: a probabilistic programming language", J. Stat. Software 76 (2017); Stan reference
    manual, "Lower and upper bounded scalar".
    """

    low: float = setting(-1.0)
    high: float = setting(1.0)
    biases: bool = setting(True)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.low >= self.high:
            raise ValueError(f"Interval: low must be less than high, got {self.low:g} and {self.high:g}")

    def change(self, problem: Problem) -> Problem:
        return WithinInterval(inner=problem, biases=self.biases, low=self.low, high=self.high)


@dataclass(frozen=True, kw_only=True)
class WithinInterval(Elementwise):
    """Parameters between bounds.

    Args:
        low, high: the bounds.
    """

    low: float
    high: float

    def map(self, y: Tensor) -> Tensor:
        # not by torch.sigmoid: its kernel takes the last numbers of a tensor by another path, so bits change with the trials
        return self.low + (self.high - self.low) * (0.5 + 0.5 * torch.tanh(0.5 * y))

    def inverse(self, x: Tensor) -> Tensor:
        return torch.logit(((x - self.low) / (self.high - self.low)).clamp(MARGIN, 1 - MARGIN))
