"""Gradient penalty: steep places cost the square of their slope."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Batch, Loss, Params, Problem, ProblemModifier
from ..nn.attention import unfused_attention
from .derived_problem import DerivedProblem


@dataclass(frozen=True, kw_only=True)
class GradientPenalty(ProblemModifier):
    """The squared length of the gradient with respect to the parameters is added to the loss, which draws to flat places.

        f(x) ← f(x) + λ ‖∇f(x)‖²                g ← g + 2 λ H g

    on the batch of the step, by differentiating twice: a step costs about three gradients, and is counted as one.
    Barrett & Dherin divide by the number of parameters: their λ is n times this one.

    Args:
        strength: weight λ of the penalty; in units of the squared parameters over those of the loss.

    Raises:
        ValueError: strength is negative.

    Source: Barrett & Dherin, "Implicit gradient regularization", ICLR 2021, https://arxiv.org/abs/2009.11162: explicit
    gradient regularization.
    """

    strength: float = setting(1e-2, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def change(self, problem: Problem) -> Problem:
        return FlatPlaces(inner=problem, strength=self.strength)


@dataclass(frozen=True, kw_only=True)
class FlatPlaces(DerivedProblem):
    """Slopes are penalised.

    Args:
        strength: weight of the penalty.
    """

    strength: float

    def loss(self, params: Params, batch: Batch) -> Loss:
        with torch.enable_grad(), unfused_attention():
            at = params if params.requires_grad else params.detach().requires_grad_()
            loss = self.inner.loss(at, batch)
            (grad,) = torch.autograd.grad(loss.sum(), at, create_graph=True)
            total = loss + self.strength * (grad * self._moved).square().sum(dim=1)
        return total if params.requires_grad else total.detach()

    @cached_property
    def _moved(self) -> Float[Tensor, "n"]:
        """1 for parameters, 0 for moving statistics, whose gradient is none of the loss."""
        moved = [float(role != "buffer") for role in self.layout.roles]
        return torch.tensor(moved, **self.kind).repeat_interleave(torch.tensor(self.layout.sizes, device=self.device))

    def scratch_bytes(self) -> int:
        return 4 * self.inner.scratch_bytes()
