"""Linear regression by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn

from optbench.checks import Range
from optbench.data.splits import split
from optbench.nn import Learning


@dataclass(frozen=True, kw_only=True)
class LinearRegression(Learning):
    """Values as a linear function of the inputs, by least squares.

        f(W, b) = mean over samples and outputs of (W x + b − y)²

    Data: diabetes, 442 patients, 10 measurements and the value standardised on the training part; 265 to train, 89 to
    validate, 88 to test.

    Domain: ℝⁿ, 11 as set. Start: torch.nn.Linear's, U(±1/√m) with m inputs, by seed. Minimum: exact, by least squares in
    float64. Targets: f* + 10^p (f₀ − f*) for p = −1 … −4, where f₀ is the error of the best constant.

    Args:
        data: name of a data set of values, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them, so that every step sees the same objective.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, the data have labels, or the batch is larger than the training part.

    Source: Legendre, "Nouvelles méthodes pour la détermination des orbites des comètes" (1805), appendix. Data: Efron,
    Hastie, Johnstone & Tibshirani, Annals of Statistics 32 (2004), https://doi.org/10.1214/009053604000000067.
    """

    cheap: ClassVar[bool] = True
    budget: ClassVar[int] = 500

    data: str = "diabetes"
    batch_size: int | None = field(default=None, metadata={"range": Range(least=1, whole=True, optional=True)})

    def module(self) -> nn.Module:
        if self.task != "values":
            raise ValueError(f"LinearRegression needs values to predict, and {self.data} has labels")
        return nn.Sequential(nn.Flatten(), nn.Linear(self.train.x[0].numel(), self.outputs))

    @cached_property
    def _solution(self) -> Tensor:
        """Weights and bias of the least error as one row, by the pseudoinverse in float64."""
        options = {name: getattr(self, name) for name in ("fraction", "label_noise", "random_labels", "imbalance")}
        train = split(self.dataset, self.split, torch.float64, torch.device("cpu"), **options).train
        x = torch.cat([train.x.flatten(1), torch.ones(len(train), 1, dtype=torch.float64)], dim=1)
        solution = torch.linalg.lstsq(x, train.y, driver="gelsd").solution
        return torch.cat([solution[:-1].T.flatten(), solution[-1]])

    @cached_property
    def _minimum(self) -> float:
        exact = LinearRegression(
            **{
                name: getattr(self, name)
                for name in ("data", "split", "fraction", "label_noise", "random_labels", "imbalance")
            },
            dtype=torch.float64,
        )
        return exact.objective(self._solution[None].expand(2, -1), 0)[0].item()

    def minimum(self) -> float:
        return self._minimum

    def minimiser(self) -> Tensor:
        return self._solution.to(**self.kind)

    def targets(self) -> Sequence[float]:
        return [self._minimum + 10.0**p * (self.reference_loss() - self._minimum) for p in (-1, -2, -3, -4)]

    def target(self) -> float:
        return self.targets()[1]
