"""RAdam: Adam that waits until its denominator can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class RAdamState(NamedTuple):
    """t: steps taken; m, v: running means of g and g², each [trials, n]."""

    t: int
    m: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class RAdam(FirstOrder[RAdamState]):
    """Rectified Adam: momentum at first, then Adam with a factor that grows to one as v becomes sure.

        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        ρ∞ = 2 / (1 − β₂) − 1                 ρ = ρ∞ − 2t β₂ᵗ / (1 − β₂ᵗ)
        ρ > 5:  r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ))
                x ← x − lr · r · (m / (1 − β₁ᵗ)) · √(1 − β₂ᵗ) / (√v + eps)
        else:   x ← x − lr · m / (1 − β₁ᵗ)

    With β₂ = 0.999 the first five steps are momentum's, in units of the gradient. Where β₂ ≤ 2/3 all are, for ρ never
    passes 5. The paper switches at ρ > 4, torch at 5, as the authors' code does; we follow torch.

    Args:
        lr: step length, in units of the parameters once ρ > 5.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of √v, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020, Algorithm 2,
    https://arxiv.org/abs/1908.03265. Same result as torch.optim.RAdam.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> RAdamState:
        return RAdamState(0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: RAdamState, lr: Hyper) -> tuple[Params, RAdamState]:
        b1, b2 = self.betas
        t = state.t + 1
        m = torch.lerp(state.m, grad, 1 - b1)
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        step = lr / (1 - b1**t) * m
        b2 = b2.double() if isinstance(b2, Tensor) else b2  # ρ is a small difference of large numbers
        long, corrected = 2 / (1 - b2) - 1, 1 - b2**t
        rho = long - 2 * t * b2**t / corrected
        if isinstance(rho, Tensor):
            sure = rho > 5
            factor = _rectification(torch.where(sure, rho, 6), long) * corrected**0.5
            step = step * torch.where(sure, factor.to(v.dtype) / v.sqrt().add_(self.eps), 1)
        elif rho > 5:
            step.mul_(_rectification(rho, long) * corrected**0.5).div_(v.sqrt().add_(self.eps))
        return params - step, RAdamState(t, m, v)


def _rectification(rho: Hyper, long: Hyper) -> Hyper:
    """r of the formula above; ρ∞ > 5 wherever ρ is."""
    return ((rho - 4) * (rho - 2) * long / ((long - 4) * (long - 2) * rho)) ** 0.5
