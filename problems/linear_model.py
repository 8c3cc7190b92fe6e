"""What linear regression and logistic regression have in common: one linear layer and a minimum that can be computed."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from torch import Tensor, nn

from optbench.checks import Range
from optbench.interfaces import Loss, Params
from optbench.nn import Learning


@dataclass(frozen=True, kw_only=True)
class LinearModel(Learning):
    """A linear layer on the numbers of an input; the L2 term is part of the objective."""

    budget: ClassVar[int] = 500

    batch_size: int | None = field(default=None, metadata={"range": Range(least=1, whole=True, optional=True)})

    @abc.abstractmethod
    def solve(self) -> tuple[Tensor, float]:
        """The minimiser as one row, and the minimum, in float64."""

    @cached_property
    def solution(self) -> tuple[Tensor, float]:
        return self.solve()

    def linear(self, outputs: int) -> list[nn.Module]:
        return [nn.Flatten(), nn.Linear(self.train.x[0].numel(), outputs)]

    def _penalised(self, error: Loss, params: Params) -> Loss:
        return error + 0.5 * self.l2 * (params * self._weights).square().sum(dim=1) if self.l2 else error

    def objective(self, params: Params, step: int) -> Loss:
        return self._penalised(super().objective(params, step), params.detach())

    def evaluate(self, params: Params, step: int) -> dict[str, Loss]:
        metrics = super().evaluate(params, step)
        return {**metrics, "objective": self._penalised(metrics["objective"], params.detach())}

    def minimum(self) -> float:
        return self.solution[1]

    def minimiser(self) -> Tensor:
        return self.solution[0].to(**self.kind)
