"""NAdam: Adam with Nesterov's look-ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class NAdamState(NamedTuple):
    """t: steps taken; product: μ₁ · … · μₜ; m, v: running means of g and g², each [trials, n]."""

    t: int
    product: Hyper
    m: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class NAdam(FirstOrder[NAdamState]):
    """Adam that mixes the present gradient with where the running mean will be one step later.

        μₜ = β₁ · (1 − ½ · 0.96^(t · momentum_decay))
        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        n = (1 − μₜ) / (1 − μ₁ … μₜ) · g + μₜ₊₁ / (1 − μ₁ … μₜ₊₁) · m
        x ← x − lr · n / (√(v / (1 − β₂ᵗ)) + eps)

    The momentum μ rises from about β₁ / 2 to β₁. Dozat's first note takes the mean m with decay μₜ too; this is torch's
    form, in which only the weights of g and m follow μ.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient.
        momentum_decay: speed with which μ rises, per step; 0 keeps it at β₁ / 2.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016 workshop,
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. Same result as torch.optim.NAdam.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(2e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)
    momentum_decay: Hyper = setting(4e-3, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> NAdamState:
        return NAdamState(0, 1.0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: NAdamState, lr: Hyper) -> tuple[Params, NAdamState]:
        b1, b2 = self.betas
        t = state.t + 1
        mu = b1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))
        mu_next = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * self.momentum_decay))
        product = mu * state.product
        m = torch.lerp(state.m, grad, 1 - b1)
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        root = (v / (1 - b2**t)).sqrt_().add_(self.eps)
        step = (lr * (1 - mu) / (1 - product) * grad).add_(lr * mu_next / (1 - mu_next * product) * m)
        return params - step.div_(root), NAdamState(t, product, m, v)
