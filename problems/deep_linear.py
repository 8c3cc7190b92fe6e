"""Deep linear network: a product of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from optbench.checks import setting
from optbench.nn import Learning
from optbench.nn.architecture import widths
from optbench.nn.initialisers import SCHEMES


@dataclass(frozen=True, kw_only=True)
class DeepLinear(Learning):
    """Values as a product of matrices of the inputs: linear in the inputs, far from it in the parameters.

        f(W₁, …, Wₖ) = mean over samples and outputs of (Wₖ ⋯ W₂ W₁ x − y)²

    Every stationary point that is no global minimum is a saddle, and the origin is one around which learning is slow. Data:
    sparse_regression, 100 inputs and one value; 300 samples to train, 100 to validate, 100 to test. 2,420 parameters as set
    (100-20-20-1).

    Domain: ℝⁿ. Start: torch's default, U(±1/√m) with m inputs of a unit, by seed. Minimum: exact, that of least squares
    without a constant, where no hidden layer is narrower than inputs and outputs both; else not computed. Targets: f* +
    10^p (f₀ − f*) for p = −1, −2, −3, where f₀ is the error of giving zero.

    Args:
        hidden: width of each hidden layer.
        initialisation: law of the weights at the start.
        data: name of a data set of values, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, the data have labels, or a hidden layer is too narrow.

    Source: Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks", ICLR 2014; minima and saddles Kawaguchi, "Deep learning without poor local minima", NeurIPS 2016.
    """

    budget: ClassVar[int] = 1000

    hidden: Sequence[int] = (20, 20)
    initialisation: str = setting("torch", choices=SCHEMES)
    data: str = "sparse_regression"
    batch_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        widths("DeepLinear", "hidden", self.hidden)

    @property
    def scheme(self) -> str:
        return self.initialisation

    def module(self) -> nn.Module:
        if self.task != "values":
            raise ValueError(f"DeepLinear needs values to predict, and {self.data} has labels")
        inputs = math.prod(self.shape)
        if min(self.hidden, default=inputs) < min(inputs, self.outputs):
            raise ValueError(f"DeepLinear: hidden layers must have at least {min(inputs, self.outputs)} units")
        sizes = (inputs, *self.hidden, self.outputs)
        return nn.Sequential(nn.Flatten(), *(nn.Linear(a, b, bias=False) for a, b in pairwise(sizes)))

    @cached_property
    def _solution(self) -> Tensor:
        """The matrix of least squares, `[inputs, outputs]`, in float64."""
        x, y = self.train.x.double().cpu().flatten(1), self.train.y.double().cpu()
        return torch.linalg.lstsq(x, y, driver="gelsd").solution

    @cached_property
    def _minimum(self) -> float:
        exact = replace(self, dtype=torch.float64, device="cpu")
        return exact.loss(self._factors[None].expand(2, -1), None)[0].item()

    @cached_property
    def _factors(self) -> Tensor:
        """One of the many points of the least error: the solution, then matrices that pass it on."""
        sizes = (*self.hidden, self.outputs)
        first = torch.zeros(sizes[0], len(self._solution), dtype=torch.float64)
        first[: self.outputs] = self._solution.T
        passed = [torch.eye(self.outputs, dtype=torch.float64)] * (len(sizes) - 1)
        rest = [
            F.pad(eye, (0, a - self.outputs, 0, b - self.outputs))
            for eye, (a, b) in zip(passed, pairwise(sizes), strict=True)
        ]
        return torch.cat([matrix.flatten() for matrix in (first, *rest)])

    @property
    def _wide(self) -> bool:
        return min(self.hidden, default=self.outputs) >= self.outputs

    def minimum(self) -> float | None:
        return self._minimum if self._wide else None

    def minimiser(self) -> Tensor | None:
        return self._factors.to(**self.kind) if self._wide else None

    def reference_loss(self) -> float:
        return float(self.train.y.double().square().mean())

    def targets(self) -> Sequence[float]:
        x, y = self.train.x.double().cpu().flatten(1), self.train.y.double().cpu()
        least = float((x @ self._solution - y).square().mean())
        return [least + 10.0**p * (self.reference_loss() - least) for p in (-1, -2, -3)]
