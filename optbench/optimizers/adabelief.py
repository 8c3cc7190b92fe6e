"""AdaBelief: long steps where the gradient is as expected, short ones where it surprises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along_ratio


class AdaBeliefState(NamedTuple):
    """t: steps taken; m, s: running means of g and of (g − m)², each [trials, n]."""

    t: int
    m: Params
    s: Params


@dataclass(frozen=True, kw_only=True)
class AdaBelief(FirstOrder[AdaBeliefState]):
    """Adam that divides by the gradient's distance from its running mean, not by its size.

        m ← β₁ m + (1 − β₁) g                 s ← β₂ s + (1 − β₂)(g − m)² + eps
        x ← x − lr · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + eps)

    eps is added at both places, and what is added to s stays in it, as in Algorithm 2. The authors' code began with
    eps = 1e-8 and has 1e-16 since 0.1.0, which is the default here; since then it also has RAdam's rectification switched
    on, which the paper and we have not.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient and of its square alike.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients", NeurIPS 2020,
    Algorithm 2, https://arxiv.org/abs/2010.07468. Same result as pytorch_optimizer.AdaBelief.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-16, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdaBeliefState:
        return AdaBeliefState(0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdaBeliefState, lr: Hyper) -> tuple[Params, AdaBeliefState]:
        b1, b2 = self.betas
        t = state.t + 1
        m = torch.lerp(state.m, grad, 1 - b1)
        s = torch.lerp(state.s, (grad - m).square_(), 1 - b2).add_(self.eps)
        root = (s / (1 - b2**t)).sqrt_().add_(self.eps)
        return along_ratio(params, lr / (1 - b1**t), m, root), AdaBeliefState(t, m, s)
