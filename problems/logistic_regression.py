"""Logistic regression: two classes, one plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from optbench.checks import setting
from optbench.nn.layers import AgainstZero

from .linear_model import LinearModel


@dataclass(frozen=True, kw_only=True)
class LogisticRegression(LinearModel):
    """Two classes told apart by a plane, with an L2 term.

        f(w, b) = mean over the training samples of log(1 + e^(−s z)) + ½ l2 ‖w‖²,   z = w·x + b,   s = ±1 the class

    Data: breast_cancer, 569 samples of 30 measurements, standardised on the training part; 341 samples to train, 114 to
    validate, 114 to test. They are linearly separable: without the L2 term there is no minimum.

    Domain: ℝⁿ, 31 as set. Start: torch.nn.Linear's, U(±1/√m) with m inputs, by seed. Minimum: computed by Newton's method
    in float64 (gradient below 1e-12) and unique, as both classes occur and f is strictly convex in w. Targets:
    minimum + 10^p.

    Args:
        l2: factor λ of ½ λ ‖w‖², part of the objective, without which there may be no minimum; the bias left out.
        data: name of a data set of two classes, or where a function that gives one is: pkg.function, ./mine.py:function.
        batch_size: samples in a minibatch; null for all of them, so that every step sees the same objective.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, the data have not two classes, or the batch is larger than the
            training part.

    Source: Cox, "The regression analysis of binary sequences", J. R. Statist. Soc. B 20 (1958), 215–242. Data: Street,
    Wolberg & Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993,
    https://doi.org/10.24432/C5DW2B.
    """

    l2: float = setting(1e-3, above=0)
    data: str = "breast_cancer"

    def module(self) -> nn.Module:
        found = self.dataset
        if found.task != "classes" or found.classes != 2 or found.tokens:
            kind = "tokens" if found.tokens else f"{found.classes} classes" if found.task == "classes" else found.task
            raise ValueError(f"LogisticRegression needs numbers of two classes, and {self.data} has {kind}")
        return nn.Sequential(*self.linear(1), AgainstZero())

    def solve(self) -> tuple[Tensor, float]:
        """By damped Newton steps from zero."""
        x, y = self.train.x.flatten(1).double().cpu(), self.train.y.cpu()
        samples, inputs = x.shape
        x = torch.cat([x, x.new_ones(samples, 1)], dim=1)
        sign = 2.0 * y - 1
        penalty = torch.full((inputs + 1,), self.l2, dtype=torch.float64)
        penalty[-1] = 0

        def value(p: Tensor) -> Tensor:
            return F.softplus(-sign * (x @ p)).mean() + 0.5 * (penalty * p**2).sum()

        p = x.new_zeros(inputs + 1)
        for _ in range(200):
            wrong = torch.sigmoid(-sign * (x @ p))
            gradient = penalty * p - x.T @ (sign * wrong) / samples
            hessian = (x.T * (wrong * (1 - wrong))) @ x / samples + penalty.diag()
            step = torch.linalg.solve(hessian, gradient)
            decrement = (gradient @ step).item()  # twice the distance of f from its minimum, near there
            if decrement < 1e-20:
                return p - step, value(p - step).item()
            rate = 1.0
            while decrement > 1e-8 and value(p - rate * step) > value(p):  # closer in, full steps converge
                rate /= 2
            p = p - rate * step
        raise ValueError(f"LogisticRegression: Newton's method finds no minimum with l2 = {self.l2:g}; raise l2")

    def targets(self) -> Sequence[float]:
        return [self.minimum() + 10.0**p for p in (-1, -2, -3, -4, -5)]

    def target(self) -> float:
        return self.minimum() + 1e-3
