"""Lion: the sign of a gradient mixed with its running mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class LionState(NamedTuple):
    """m: running mean of the gradient, [trials, n]."""

    m: Params


@dataclass(frozen=True, kw_only=True)
class Lion(FirstOrder[LionState]):
    """Evolved sign momentum: every parameter moves by lr, up or down.

        u ← sign(β₁ m + (1 − β₁) g)
        x ← x − lr · (u + weight_decay · x)
        m ← β₂ m + (1 − β₂) g

    Its rate is usually three to ten times smaller than Adam's, its weight decay as many times larger.

    Args:
        lr: step length of every parameter, in units of the parameters.
        betas: weight of the running mean in the sign, and the decay of that mean; each in [0, 1).
        weight_decay: part of the parameters that a step of lr = 1 takes away.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, Algorithm 2,
    https://arxiv.org/abs/2302.06675. Same result as lion_pytorch.Lion.
    """

    family: ClassVar[str] = "sign"

    lr: Hyper = setting(1e-4, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.99), least=0, below=1)
    weight_decay: Hyper = setting(0.0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> LionState:
        return LionState(torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: LionState, lr: Hyper) -> tuple[Params, LionState]:
        b1, b2 = self.betas
        u = torch.lerp(state.m, grad, 1 - b1).sign_()
        m = torch.lerp(state.m, grad, 1 - b2)
        return params - lr * (u + self.weight_decay * params), LionState(m)
