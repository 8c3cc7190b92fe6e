"""A problem whose parameters are x = g(y): the optimizer moves y, and everything is judged at x."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..interfaces import Batch, Loss, Outputs, Params
from .derived_problem import DerivedProblem

MARGIN = 1e-3
"""How far within the range a start lies at least, as a share of its width, or in units of the parameters."""


@dataclass(frozen=True, kw_only=True)
class Reparametrised(DerivedProblem):
    """f(g(y)) in place of f(x); the start is y₀ = g⁻¹(x₀). Concrete ones write `forth` and `back`.

    Objective, metrics, targets and pictures are those of the inner problem, at x = g(y).
    """

    @abc.abstractmethod
    def forth(self, y: Params) -> Params:
        """x = g(y)."""

    @abc.abstractmethod
    def back(self, x: Params) -> Params:
        """y with g(y) = x, or for an x outside the range of g with g(y) near it."""

    def start(self, seeds: Sequence[int]) -> Params:
        return self.back(self.inner.start(seeds))

    def loss(self, params: Params, batch: Batch) -> Loss:
        return self.inner.loss(self.forth(params), batch)

    def decomposed(self, params: Params, batch: Batch) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        return self.inner.decomposed(self.forth(params), batch)

    def objective(self, params: Params, step: int) -> Loss:
        return self.inner.objective(self._judged(params), step)

    def evaluate(self, params: Params, step: int) -> dict[str, Loss]:
        return self.inner.evaluate(self._judged(params), step)

    def test(self, params: Params) -> dict[str, Loss]:
        return self.inner.test(self._judged(params))

    def point(self, params: Params) -> Params:
        return self.inner.point(self._judged(params))

    def minimum(self) -> float | None:
        """That of the inner problem where its minimiser is within reach, else it is unknown."""
        return None if self.minimiser() is None else self.inner.minimum()

    def minimiser(self) -> Float[Tensor, "n"] | None:
        x = self.inner.minimiser()
        if x is None:
            return None
        y = self.back(x[None])
        tolerance = 64 * torch.finfo(x.dtype).eps
        return y[0] if torch.allclose(self.forth(y)[0], x, rtol=tolerance, atol=tolerance) else None

    def _judged(self, params: Params) -> Params:
        with torch.no_grad():
            return self.forth(params)


@dataclass(frozen=True, kw_only=True)
class Elementwise(Reparametrised):
    """Each parameter is a function of one number. Concrete ones write `map` and `inverse`.

    Args:
        biases: biases and normalisation parameters are mapped too, not weights and coordinates alone.
    """

    biases: bool

    @abc.abstractmethod
    def map(self, y: Tensor) -> Tensor:
        """x of y, number by number; finite at 0."""

    @abc.abstractmethod
    def inverse(self, x: Tensor) -> Tensor:
        """y of x, where x is first moved into the interior of the range."""

    def forth(self, y: Params) -> Params:
        # what is not mapped goes through the map as 0, so that an overflow there is no NaN in the gradient
        return torch.where(self._mapped, self.map(torch.where(self._mapped, y, 0)), y)

    def back(self, x: Params) -> Params:
        return torch.where(self._mapped, self.inverse(x), x)

    @cached_property
    def _mapped(self) -> Bool[Tensor, "n"]:
        """Which parameters are mapped; moving statistics never are."""
        free = ("buffer",) if self.biases else ("buffer", "bias", "norm")
        mapped = torch.tensor([role not in free for role in self.layout.roles], device=self.device)
        return mapped.repeat_interleave(torch.tensor(self.layout.sizes, device=self.device))
