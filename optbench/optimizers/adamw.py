"""AdamW: Adam with weight decay that its denominator does not touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along_ratio


class AdamWState(NamedTuple):
    """t: steps taken; m, v: running means of g and g², each [trials, n]."""

    t: int
    m: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class AdamW(FirstOrder[AdamWState]):
    """Adam with decoupled weight decay.

        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        x ← (1 − lr · weight_decay) · x − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + eps)

    The decay is multiplied by lr as in torch; the paper multiplies it by the schedule's factor alone. The modifier
    `weight_decay` on `adam` gives the same.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient.
        weight_decay: part of the parameters that a step of lr = 1 takes away.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019, Algorithm 2,
    https://arxiv.org/abs/1711.05101. Same result as torch.optim.AdamW.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)
    weight_decay: Hyper = setting(1e-2, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdamWState:
        return AdamWState(0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdamWState, lr: Hyper) -> tuple[Params, AdamWState]:
        b1, b2 = self.betas
        t = state.t + 1
        m = torch.lerp(state.m, grad, 1 - b1)
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        root = (v / (1 - b2**t)).sqrt_().add_(self.eps)
        return along_ratio((1 - lr * self.weight_decay) * params, lr / (1 - b1**t), m, root), AdamWState(t, m, v)
