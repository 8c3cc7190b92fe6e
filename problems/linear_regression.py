"""Linear regression by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from optbench.checks import setting

from .linear_model import LinearModel


@dataclass(frozen=True, kw_only=True)
class LinearRegression(LinearModel):
    """Values as a linear function of the inputs, by least squares.

        f(W, b) = mean over samples and outputs of (W x + b − y)² + ½ l2 ‖W‖²

    Data: diabetes, 442 patients, 10 measurements and the value standardised on the training part; 265 to train, 89 to
    validate, 88 to test.

    Domain: ℝⁿ, 11 as set. Start: torch.nn.Linear's, U(±1/√m) with m inputs, by seed. Minimum: exact, by least squares in
    float64. Targets: f* + 10^p (f₀ − f*) for p = −1 … −4, where f₀ is the error of the best constant.

    Args:
        l2: factor λ of ½ λ ‖W‖², here a part of the objective, so that the minimum stays exact; the bias left out.
        data: name of a data set of values, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them, so that every step sees the same objective.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, the data have labels, or the batch is larger than the training part.

    Source: Legendre, "Nouvelles méthodes pour la détermination des orbites des comètes" (1805), appendix. Data: Efron,
    Hastie, Johnstone & Tibshirani, Annals of Statistics 32 (2004), https://doi.org/10.1214/009053604000000067.
    """

    cheap: ClassVar[bool] = True

    l2: float = setting(0.0, least=0)
    data: str = "diabetes"

    def module(self) -> nn.Module:
        if self.task != "values":
            raise ValueError(f"LinearRegression needs values to predict, and {self.data} has labels")
        return nn.Sequential(*self.linear(self.outputs))

    def solve(self) -> tuple[Tensor, float]:
        x, y = self.train.x.flatten(1).double().cpu(), self.train.y.double().cpu()
        (samples, inputs), outputs = x.shape, y.shape[1]
        # the penalty as further samples without bias: their squared errors add up to samples · outputs · ½ l2 ‖W‖²
        penalty = (0.5 * self.l2 * samples * outputs) ** 0.5 * torch.eye(inputs, inputs + 1, dtype=torch.float64)
        x = torch.cat([torch.cat([x, x.new_ones(samples, 1)], dim=1), penalty])
        y = torch.cat([y, y.new_zeros(inputs, outputs)])
        found = torch.linalg.lstsq(x, y, driver="gelsd").solution
        least = (x @ found - y).square().sum() / (samples * outputs)
        return torch.cat([found[:-1].T.flatten(), found[-1]]), float(least)

    def targets(self) -> Sequence[float]:
        least = self.minimum()
        return [least + 10.0**p * (self.reference_loss() - least) for p in (-1, -2, -3, -4)]

    def target(self) -> float:
        return self.targets()[1]
