"""Prodigy: Adam that finds its own rate from how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .powers import correction

Column = Float[Tensor, "trials 1"]


class ProdigyState(NamedTuple):
    """t: steps taken; x0: the start; m, v: running means of d g and d² g²; s: decaying sum of gradients, [trials, n]
    each; d: estimated distance to the solution; d_max: largest estimate so far; r: the estimate's numerator,
    [trials, 1] each."""

    t: int
    x0: Params
    m: Params
    v: Params
    s: Params
    d: Column
    d_max: Column
    r: Column


@dataclass(frozen=True, kw_only=True)
class Prodigy(FirstOrder[ProdigyState]):
    """Adam whose rate is an estimate d of the distance from start to solution. Products and norms are over all parameters.

        γ ← lr · d          (with use_bias_correction: times √(1 − β₂ᵗ) / (1 − β₁ᵗ))
        r ← β₃ r + (d/d0) γ gᵀ(x₀ − x)               s ← β₃ s + (d/d0) γ g   (with safeguard_warmup: d instead of γ)
        m ← β₁ m + (1 − β₁) d g                       v ← β₂ v + (1 − β₂) d² g²
        d̂ ← d_coef · r / ‖s‖₁,   d ← the largest d̂ so far, at most growth_rate · d
        x ← x − γ · (m / (√v + d · eps) + weight_decay · x)

    γ is made with d as it was, and only eps is multiplied by the new d. As long as d is d0, it takes the value of d̂ as it is,
    whatever growth_rate says.

    Args:
        lr: multiple of the estimated rate; 1 is the method. Schedules multiply it.
        betas: decay of the two running means, each in [0, 1).
        beta3: decay of r and s; null for √β₂.
        eps: floor of the denominator, in units of the gradient.
        weight_decay: part of the parameters that a step of γ = 1 takes away.
        d0: first estimate, in units of the parameters; small.
        d_coef: multiple of the estimate; the way to tune the method.
        growth_rate: most that the estimate grows by in one step once it is no longer d0; null for any growth.
        use_bias_correction: Adam's correction for the first steps.
        safeguard_warmup: leave the rate out of s, for schedules that warm up.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Mishchenko & Defazio, "Prodigy: an expeditiously adaptive parameter-free learner", ICML 2024, Algorithm 4,
    https://arxiv.org/abs/2306.06101. Same result as prodigyopt.Prodigy, which we follow where it goes beyond the paper:
    lr, d_coef, growth_rate and the d beside eps; with β₁ = 0 its step has the new d, ours the old one as in the paper.
    """

    family: ClassVar[str] = "parameter-free"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1.0, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    beta3: Hyper | None = setting(None, least=0, below=1, optional=True)
    eps: Hyper = setting(1e-8, above=0)
    weight_decay: Hyper = setting(0.0, least=0)
    d0: Hyper = setting(1e-6, above=0)
    d_coef: Hyper = setting(1.0, above=0)
    growth_rate: Hyper | None = setting(None, least=1, optional=True)
    use_bias_correction: bool = setting(False)
    safeguard_warmup: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> ProdigyState:
        nothing, column = torch.zeros_like(params), params.new_zeros(params.shape[0], 1)
        d = column + self.d0
        return ProdigyState(0, params.clone(), nothing, nothing.clone(), nothing.clone(), d, d.clone(), column)

    def update(self, params: Params, grad: Params, state: ProdigyState, lr: Hyper) -> tuple[Params, ProdigyState]:
        (b1, b2), d0, (t, x0, m, v, s, d, d_max, r) = self.betas, self.d0, state
        b3 = b2**0.5 if self.beta3 is None else self.beta3
        t = t + 1
        rate = self._gamma(lr, d, t)
        r = b3 * r + d / d0 * rate * (grad * (x0 - params)).sum(dim=1, keepdim=True)
        s = b3 * s + d / d0 * (d if self.safeguard_warmup else rate) * grad
        m = torch.lerp(m, d * grad, 1 - b1)
        v = torch.lerp(v, (d * grad).square_(), 1 - b2)

        length = s.abs().sum(dim=1, keepdim=True)
        estimate = torch.where(length != 0, self.d_coef * r / length, d)
        d_max = torch.maximum(d_max, estimate)
        if self.growth_rate is None:
            d = d_max
        else:
            d = torch.where(d == d0, torch.maximum(d, estimate), d)
            d = torch.minimum(d_max, d * self.growth_rate)

        step = m / v.sqrt().add_(d * self.eps)
        x = params - rate * step.add_(self.weight_decay * params)
        return x, ProdigyState(t, x0, m, v, s, d, d_max, r)

    def rate(self, before: ProdigyState, after: ProdigyState, factor: Hyper) -> Hyper:
        return self._gamma(self.lr * factor, before.d, after.t)

    def _gamma(self, lr: Hyper, d: Column, t: int) -> Column:
        return lr * d * correction(self.betas, t) if self.use_bias_correction else lr * d
