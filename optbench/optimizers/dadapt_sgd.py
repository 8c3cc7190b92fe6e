"""D-adapted SGD: gradient descent that estimates how far the solution is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import AT_START, check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params

Column = Float[Tensor, "trials 1"]


class DAdaptSGDState(NamedTuple):
    """x0: the start; s: weighted sum of gradients, [trials, n] each; d: estimated distance to the solution; r: the
    estimate's numerator; g0: length of the first gradient, [trials, 1] each."""

    x0: Params
    s: Params
    d: Column
    r: Column
    g0: Column


@dataclass(frozen=True, kw_only=True)
class DAdaptSGD(FirstOrder[DAdaptSGDState]):
    """SGD whose rate is an estimate d of the distance from start to solution. Products and norms are over all parameters.

        λ ← lr · d / ‖g₁‖
        r ← r + λ gᵀs,   s ← s + λ g
        d ← max(d, min(2 r / ‖s‖, growth_rate · d))
        x ← momentum · x + (1 − momentum) (x₀ − s)

    Args:
        lr: multiple of the estimated rate; 1 is the method. Schedules multiply it.
        momentum: part of the old point in the new one, in [0, 1).
        d0: first estimate, in units of the parameters; small.
        growth_rate: most that the estimate grows by in one step; null for any growth.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Defazio & Mishchenko, "Learning-rate-free learning by D-adaptation", ICML 2023, Algorithm 4,
    https://arxiv.org/abs/2301.07733. Same result as dadaptation.DAdaptSGD, which fails where the first gradient is zero;
    here the first one that is not counts.
    """

    family: ClassVar[str] = "parameter-free"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1.0, least=0)
    momentum: Hyper = setting(0.0, least=0, below=1)
    d0: Hyper = setting(1e-6, above=0, no_schedule=AT_START)
    growth_rate: Hyper | None = setting(None, least=1, optional=True)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> DAdaptSGDState:
        nothing = params.new_zeros(params.shape[0], 1)
        return DAdaptSGDState(
            params.clone(), torch.zeros_like(params), nothing + self.d0, nothing.clone(), nothing.clone()
        )

    def update(self, params: Params, grad: Params, state: DAdaptSGDState, lr: Hyper) -> tuple[Params, DAdaptSGDState]:
        x0, s, d, r, g0 = state
        g0 = torch.where(g0 == 0, grad.norm(dim=1, keepdim=True), g0)
        rate = _lambda(lr, d, g0)

        r = r + rate * (grad * s).sum(dim=1, keepdim=True)
        s = s + rate * grad
        length = s.norm(dim=1, keepdim=True)
        estimate = torch.where(length != 0, 2 * r / length, d)
        if self.growth_rate is not None:
            estimate = torch.minimum(estimate, d * self.growth_rate)
        d = torch.maximum(d, estimate)
        return torch.lerp(params, x0 - s, 1 - self.momentum), DAdaptSGDState(x0, s, d, r, g0)

    def rate(self, before: DAdaptSGDState, after: DAdaptSGDState, factor: Hyper) -> Hyper:
        return _lambda(self.lr * factor, before.d, after.g0)


def _lambda(lr: Hyper, d: Column, g0: Column) -> Column:
    return torch.where(g0 != 0, lr * d / g0, 0)
