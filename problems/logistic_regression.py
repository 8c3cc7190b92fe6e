"""Logistic regression: two classes, one plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from optbench.checks import Range, check_settings, setting
from optbench.data import Dataset, dataset
from optbench.data.minibatches import Minibatches
from optbench.data.splits import Part, Splits, split
from optbench.interfaces import FixedStream, Layout, Loss, Params, Problem, Stream
from optbench.randomness import Randomness


@dataclass(frozen=True, kw_only=True)
class LogisticRegression(Problem):
    """Two classes told apart by a plane, with an L2 term.

        f(w, b) = mean over the training samples of log(1 + e^(−s z)) + ½ l2 ‖w‖²,   z = w·x + b,   s = ±1 the class

    Data: breast_cancer, 569 samples of 30 measurements, standardised on the training part; 341 samples to train, 114 to
    validate, 114 to test. They are linearly separable: without the L2 term there is no minimum.

    Domain: ℝⁿ, 31 as set. Start: torch.nn.Linear's, U(±1/√m) with m inputs, by seed. Minimum: computed by Newton's method
    in float64 (gradient below 1e-12) and unique, as both classes occur and f is strictly convex in w. Targets:
    minimum + 10^p.

    Args:
        l2: factor λ of the penalty ½ λ ‖w‖² on the weights, the bias left out.
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

    family: ClassVar[str] = "learning"
    default_dtype: ClassVar[torch.dtype] = torch.float32
    judged_by: ClassVar[str] = "validation_loss"
    budget: ClassVar[int] = 500

    l2: float = setting(1e-3, above=0)
    data: str = "breast_cancer"
    batch_size: int | None = field(default=None, metadata={"range": Range(least=1, whole=True, optional=True)})
    split: int = setting(0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @cached_property
    def _dataset(self) -> Dataset:
        found = dataset(self.data)
        if found.task != "classes" or found.classes != 2 or found.tokens:
            kind = "tokens" if found.tokens else f"{found.classes} classes" if found.task == "classes" else found.task
            raise ValueError(f"LogisticRegression needs numbers of two classes, and {self.data} has {kind}")
        return found

    @cached_property
    def _inputs(self) -> int:
        return self._dataset.x[0].numel()

    @cached_property
    def _data(self) -> Splits:
        parts = split(self._dataset, self.split, **self.kind)
        return Splits(*(Part(part.x.flatten(1), part.y) for part in (parts.train, parts.validation, parts.test)))

    @property
    def layout(self) -> Layout:
        return Layout(("weight", "bias"), ((self._inputs,), (1,)), ("weight", "bias"))

    def start(self, seeds: Sequence[int]) -> Params:
        u = Randomness(seeds, "logistic_regression start", self.device).uniform(
            0, self.layout.n, dtype=self.kind["dtype"]
        )
        return (2 * u - 1) / math.sqrt(self._inputs)

    def stream(self, seeds: Sequence[int]) -> Stream:
        return FixedStream() if self.batch_size is None else Minibatches(seeds, self._data.train, self.batch_size)

    def scratch_bytes(self) -> int:
        samples, itemsize = self.batch_size or len(self._data.train), self.kind["dtype"].itemsize
        drawn = 0 if self.batch_size is None else self._inputs * itemsize + 8
        return super().scratch_bytes() + samples * (drawn + 6 * itemsize)  # logits and what softplus keeps of them

    def _logits(self, params: Params, x: Tensor) -> Tensor:
        return torch.baddbmm(params[:, None, self._inputs :], x, params[:, : self._inputs, None]).squeeze(2)

    def _shared(self, params: Params, part: Part) -> tuple[Tensor, Tensor]:
        """Logits and labels of one part for every trial."""
        logits = self._logits(params, part.x.expand(params.shape[0], -1, -1))
        return logits, part.y.expand(params.shape[0], -1)

    def loss(self, params: Params, batch: Any) -> Loss:
        if batch is None:
            logits, labels = self._shared(params, self._data.train)
        else:
            logits, labels = self._logits(params, batch[0]), batch[1]
        return _log_loss(logits, labels) + 0.5 * self.l2 * (params[:, : self._inputs] ** 2).sum(dim=1)

    def evaluate(self, params: Params, step: int) -> dict[str, Loss]:
        with torch.no_grad():
            logits, labels = self._shared(params, self._data.validation)
            return {
                "objective": self.loss(params, None),
                "validation_loss": _log_loss(logits, labels),
                "validation_accuracy": _accuracy(logits, labels),
            }

    def test(self, params: Params) -> dict[str, Loss]:
        with torch.no_grad():
            logits, labels = self._shared(params, self._data.test)
            return {"test_loss": _log_loss(logits, labels), "test_accuracy": _accuracy(logits, labels)}

    @cached_property
    def _solution(self) -> Float[Tensor, "n"]:
        """The minimiser in float64 on the CPU, by damped Newton steps from zero."""
        train = split(self._dataset, self.split, torch.float64, torch.device("cpu")).train
        x = torch.cat([train.x.flatten(1), torch.ones(len(train), 1, dtype=torch.float64)], dim=1)
        sign = 2.0 * train.y - 1
        penalty = torch.full((self._inputs + 1,), self.l2, dtype=torch.float64)
        penalty[-1] = 0

        def value(p: Tensor) -> Tensor:
            return F.softplus(-sign * (x @ p)).mean() + 0.5 * (penalty * p**2).sum()

        p = torch.zeros(self._inputs + 1, dtype=torch.float64)
        for _ in range(200):
            wrong = torch.sigmoid(-sign * (x @ p))
            gradient = penalty * p - x.T @ (sign * wrong) / len(train)
            hessian = (x.T * (wrong * (1 - wrong))) @ x / len(train) + penalty.diag()
            step = torch.linalg.solve(hessian, gradient)
            decrement = (gradient @ step).item()  # twice the distance of f from its minimum, near there
            if decrement < 1e-20:
                return p - step
            rate = 1.0
            while decrement > 1e-8 and value(p - rate * step) > value(p):  # closer in, full steps converge
                rate /= 2
            p = p - rate * step
        raise ValueError(f"LogisticRegression: Newton's method finds no minimum with l2 = {self.l2:g}; raise l2")

    @cached_property
    def _minimum(self) -> float:
        exact = LogisticRegression(data=self.data, l2=self.l2, split=self.split, dtype=torch.float64)
        return exact.loss(self._solution[None].expand(2, -1), None)[0].item()

    def minimum(self) -> float:
        return self._minimum

    def minimiser(self) -> Tensor:
        return self._solution.to(**self.kind)

    def targets(self) -> Sequence[float]:
        return [self._minimum + 10.0**p for p in (-1, -2, -3, -4, -5)]

    def target(self) -> float:
        return self._minimum + 1e-3


def _log_loss(logits: Tensor, labels: Tensor) -> Loss:
    """Mean of log(1 + e^(−s z)), one value a trial.

    Not by F.softplus: its kernel takes the last numbers of a tensor by another path, so bits change with the trials.
    """
    return -F.logsigmoid(torch.where(labels == 1, logits, -logits)).mean(dim=1)


def _accuracy(logits: Tensor, labels: Tensor) -> Loss:
    return ((logits > 0) == (labels == 1)).to(logits.dtype).mean(dim=1)
