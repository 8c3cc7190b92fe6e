"""AdaBound: Adam that turns into gradient descent with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class AdaBoundState(NamedTuple):
    """t: steps taken; m, v: running means of g and g², each [trials, n]."""

    t: int
    m: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class AdaBound(FirstOrder[AdaBoundState]):
    """Adam whose rate of each parameter is held between bounds that close in on one rate for all.

        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        low = final_lr · (1 − 1 / (γ t + 1))                 high = final_lr · (1 + 1 / (γ t))
        x ← x − clip(lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) / (√v + eps), low, high) · m

    A schedule multiplies final_lr as it multiplies lr. The paper's Algorithm 2 divides by √t and corrects no bias; this is
    the authors' code, with which their experiments were made.

    Args:
        lr: step length at the start, in units of the parameters.
        final_lr: rate of the gradient descent at the end, in units of the parameters per gradient.
        betas: decay of the two running means, each in [0, 1).
        gamma: speed with which the bounds close in, per step.
        eps: floor of √v, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Luo et al., "Adaptive gradient methods with dynamic bound of learning rate", ICLR 2019, Algorithm 2 and
    section 4, https://arxiv.org/abs/1902.09843, and https://github.com/Luolc/AdaBound. Same result as
    pytorch_optimizer.AdaBound without the 1e-15 that it adds to v.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    final_lr: Hyper = setting(0.1, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    gamma: Hyper = setting(1e-3, above=0, below=1)
    eps: Hyper = setting(1e-8, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdaBoundState:
        return AdaBoundState(0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdaBoundState, lr: Hyper) -> tuple[Params, AdaBoundState]:
        b1, b2 = self.betas
        t = state.t + 1
        m = torch.lerp(state.m, grad, 1 - b1)
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        # The schedule's factor; where lr is 0 it cannot be told, and nothing moves.
        final = self.final_lr * (lr / (self.lr + (self.lr == 0)))
        final = final * grad.new_ones(len(grad), 1)  # a tensor, as compiled kernels take changing bounds only so
        low, high = final * (1 - 1 / (self.gamma * t + 1)), final * (1 + 1 / (self.gamma * t))
        rate = lr * (1 - b2**t) ** 0.5 / (1 - b1**t) / v.sqrt().add_(self.eps)
        return params - rate.clamp_(low, high).mul_(m), AdaBoundState(t, m, v)
