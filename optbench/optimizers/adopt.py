"""ADOPT: Adam that divides each gradient by what was known before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along


class ADOPTState(NamedTuple):
    """t: gradients seen; m: running mean of the scaled gradient; v: of g², each [trials, n]."""

    t: int
    m: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class ADOPT(FirstOrder[ADOPTState]):
    """Adam with the denominator of the step before, inside the momentum.

        first step:     v ← g², and x stays where it is
        step t = 1, 2, … after it:
        c ← clip(g / max(√v, eps), −t^¼, t^¼)
        m ← β₁ m + (1 − β₁) c                 x ← x − lr · m
        v ← β₂ v + (1 − β₂) g²

    As g and its denominator are independent, it converges for every β₂. pytorch_optimizer counts the first step as
    well when it clips, by (t + 1)^¼; we follow the paper and its authors' code.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: least denominator, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Taniguchi et al., "ADOPT: modified Adam can converge with any β₂ with the optimal rate", NeurIPS 2024,
    the clipped form, Algorithm 2, https://arxiv.org/abs/2411.02853.
    Same result as pytorch_optimizer.ADOPT(clip_lambda=lambda t: (t - 1) ** 0.25).
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.9999), least=0, below=1)
    eps: Hyper = setting(1e-6, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> ADOPTState:
        return ADOPTState(0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: ADOPTState, lr: Hyper) -> tuple[Params, ADOPTState]:
        t, m, v = state
        if t == 0:
            return params, ADOPTState(1, m, grad * grad)
        b1, b2 = self.betas
        limit = t**0.25 * grad.new_ones(len(grad), 1)  # a tensor, as compiled kernels take changing bounds only so
        c = (grad / v.sqrt().clamp_(min=self.eps)).clamp_(-limit, limit)
        m = torch.lerp(m, c, 1 - b1)
        return along(params, lr, m), ADOPTState(t + 1, m, torch.lerp(v, grad * grad, 1 - b2))
