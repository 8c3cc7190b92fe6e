"""Adamax: Adam with the largest recent gradient in place of the root of the mean square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along_ratio


class AdamaxState(NamedTuple):
    """t: steps taken; m: running mean of g; u: decaying maximum of |g|; each [trials, n]."""

    t: int
    m: Params
    u: Params


@dataclass(frozen=True, kw_only=True)
class Adamax(FirstOrder[AdamaxState]):
    """Adam in the infinity norm.

        m ← β₁ m + (1 − β₁) g                 u ← max(β₂ u, |g| + eps)
        x ← x − lr · (m / (1 − β₁ᵗ)) / u

    A maximum that starts at zero has no bias, so u is not corrected. The paper has no eps and divides by zero where a
    gradient has always been zero; this is torch's form.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the running mean and of the maximum, each in [0, 1).
        eps: added to |g|, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, Algorithm 2,
    https://arxiv.org/abs/1412.6980. Same result as torch.optim.Adamax.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(2e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdamaxState:
        return AdamaxState(0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdamaxState, lr: Hyper) -> tuple[Params, AdamaxState]:
        b1, b2 = self.betas
        t = state.t + 1
        m = torch.lerp(state.m, grad, 1 - b1)
        u = torch.maximum(b2 * state.u, grad.abs().add_(self.eps))
        return along_ratio(params, lr / (1 - b1**t), m, u), AdamaxState(t, m, u)
