"""Adam: step sizes from running means of the gradient and of its square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class AdamState(NamedTuple):
    """t: steps taken; m, v: running means of g and g², each [trials, n]."""

    t: int
    m: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class Adam(FirstOrder[AdamState]):
    """Adaptive moment estimation.

        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        x ← x − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + eps)

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, Algorithm 1,
    https://arxiv.org/abs/1412.6980. Same result as torch.optim.Adam. Some textbooks write √(v̂ + eps) instead.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdamState:
        return AdamState(0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdamState, lr: Hyper) -> tuple[Params, AdamState]:
        b1, b2 = self.betas
        t = state.t + 1
        m = torch.lerp(state.m, grad, 1 - b1)
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        root = (v / (1 - b2**t)).sqrt_().add_(self.eps)
        return params - (lr / (1 - b1**t) * m).div_(root), AdamState(t, m, v)
