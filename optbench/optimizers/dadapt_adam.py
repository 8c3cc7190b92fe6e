"""D-adapted Adam: Adam that estimates its rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import AT_START, check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .powers import correction

Column = Float[Tensor, "trials 1"]


class DAdaptAdamState(NamedTuple):
    """t: steps taken; m: running mean of the steps; v: running mean of g²; s: running mean of gradients times rates,
    [trials, n] each; d: estimated distance to the solution; r: the estimate's numerator, [trials, 1] each."""

    t: int
    m: Params
    v: Params
    s: Params
    d: Column
    r: Column


@dataclass(frozen=True, kw_only=True)
class DAdaptAdam(FirstOrder[DAdaptAdamState]):
    """Adam whose rate is an estimate d of the distance from start to solution. Products and norms are over all parameters.

        γ ← lr · d          (with use_bias_correction: times √(1 − β₂ᵗ) / (1 − β₁ᵗ))
        r ← √β₂ r + (1 − √β₂) γ gᵀ(s / (√v + eps))
        m ← β₁ m + (1 − β₁) γ g,   v ← β₂ v + (1 − β₂) g²,   s ← √β₂ s + (1 − √β₂) γ g
        d ← max(d, min(r / ((1 − √β₂) ‖s‖₁), growth_rate · d))
        x ← (1 − γ · weight_decay) x − m / (√v + eps)

    Args:
        lr: multiple of the estimated rate; 1 is the method. Schedules multiply it.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient.
        weight_decay: part of the parameters that a step of γ = 1 takes away.
        d0: first estimate, in units of the parameters; small.
        growth_rate: most that the estimate grows by in one step; null for any growth.
        use_bias_correction: Adam's correction for the first steps.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Defazio & Mishchenko, "Learning-rate-free learning by D-adaptation", ICML 2023, Algorithm 5,
    https://arxiv.org/abs/2301.07733. Same result as dadaptation.DAdaptAdam(decouple=True), which we follow where it goes
    beyond the paper: growth_rate and bias correction.
    """

    family: ClassVar[str] = "parameter-free"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1.0, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, above=0)
    weight_decay: Hyper = setting(0.0, least=0)
    d0: Hyper = setting(1e-6, above=0, no_schedule=AT_START)
    growth_rate: Hyper | None = setting(None, least=1, optional=True)
    use_bias_correction: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> DAdaptAdamState:
        nothing, column = torch.zeros_like(params), params.new_zeros(params.shape[0], 1)
        return DAdaptAdamState(0, nothing, nothing.clone(), nothing.clone(), column + self.d0, column)

    def update(self, params: Params, grad: Params, state: DAdaptAdamState, lr: Hyper) -> tuple[Params, DAdaptAdamState]:
        (b1, b2), (t, m, v, s, d, r) = self.betas, state
        b3, t = b2**0.5, t + 1
        rate = self._gamma(lr, d, t)
        product = (grad * s).div_(v.sqrt().add_(self.eps)).sum(dim=1, keepdim=True)
        r = b3 * r + (1 - b3) * rate * product
        m = torch.lerp(m, rate * grad, 1 - b1)
        v = torch.lerp(v, grad * grad, 1 - b2)
        s = torch.lerp(s, rate * grad, 1 - b3)

        length = (1 - b3) * s.abs().sum(dim=1, keepdim=True)
        estimate = torch.where(length != 0, r / length, d)
        if self.growth_rate is not None:
            estimate = torch.minimum(estimate, d * self.growth_rate)
        d = torch.maximum(d, estimate)
        x = (1 - rate * self.weight_decay) * params - m / v.sqrt().add_(self.eps)
        return x, DAdaptAdamState(t, m, v, s, d, r)

    def rate(self, before: DAdaptAdamState, after: DAdaptAdamState, factor: Hyper) -> Hyper:
        return self._gamma(self.lr * factor, before.d, after.t)

    def _gamma(self, lr: Hyper, d: Column, t: int) -> Column:
        return lr * d * correction(self.betas, t) if self.use_bias_correction else lr * d
