"""AdEMAMix: Adam with a second, far slower momentum beside the first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class AdEMAMixState(NamedTuple):
    """t: steps taken; m, slow: fast and slow running mean of g; v: running mean of g²; each [trials, n]."""

    t: int
    m: Params
    slow: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class AdEMAMix(FirstOrder[AdEMAMixState]):
    """AdamW with a mixture of a fast and a slow running mean of the gradient.

        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        slow ← β₃(t) slow + (1 − β₃(t)) g
        x ← (1 − lr · weight_decay) · x − lr · (m / (1 − β₁ᵗ) + α(t) · slow) / (√(v / (1 − β₂ᵗ)) + eps)

        α(t) = α · min(t / alpha_steps, 1)
        1 / ln β₃(t) = (1 − τ) / ln β₁ + τ / ln β₃,    τ = min(t / beta3_steps, 1),    β₃(t) at most β₃

    The slow mean's half-life, some 7,000 steps with β₃ = 0.9999, so grows evenly from that of β₁; its bias towards zero is
    not corrected. The paper sets both numbers of steps to the length of the run. The authors' code adds 1e-8 to β under
    the logarithm, the paper and pytorch_optimizer do not, nor do we.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the fast mean, of the mean square and of the slow mean, each in [0, 1).
        eps: floor of the denominator, in units of the gradient.
        alpha: weight of the slow mean.
        alpha_steps: steps in which α(t) rises from 0 to alpha; 0: it is alpha from the first step.
        beta3_steps: steps in which β₃(t) rises from β₁ to β₃; 0: it is β₃ from the first step.
        weight_decay: part of the parameters that a step of lr = 1 takes away.

    Raises:
        TypeError: a number of steps is not whole, or differs between trials.
        ValueError: a value lies outside its range; the message names the trial.

    Source: Pagliardini, Ablin & Grangier, "The AdEMAMix optimizer: better, faster, older", ICLR 2025, Algorithm 1 and
    section 3, https://arxiv.org/abs/2409.03137. Same result as pytorch_optimizer.AdEMAMix.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper, Hyper] = setting((0.9, 0.999, 0.9999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)
    alpha: Hyper = setting(5.0, least=0)
    alpha_steps: int = setting(0, least=0)
    beta3_steps: int = setting(0, least=0)
    weight_decay: Hyper = setting(0.0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdEMAMixState:
        return AdEMAMixState(0, torch.zeros_like(params), torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdEMAMixState, lr: Hyper) -> tuple[Params, AdEMAMixState]:
        b1, b2, b3 = self.betas
        t = state.t + 1
        alpha = self.alpha * min(t / self.alpha_steps, 1.0) if self.alpha_steps else self.alpha
        if t < self.beta3_steps:
            b3 = _between(b1, b3, t / self.beta3_steps)
        m = torch.lerp(state.m, grad, 1 - b1)
        slow = torch.lerp(state.slow, grad, 1 - b3)
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        root = (v / (1 - b2**t)).sqrt_().add_(self.eps)
        step = (lr / (1 - b1**t) * m).add_(lr * alpha * slow).div_(root)
        return (1 - lr * self.weight_decay) * params - step, AdEMAMixState(t, m, slow, v)


def _between(first: Hyper, last: Hyper, tau: float) -> Hyper:
    """β at τ of the way, 1 / ln β evenly spaced; never above the last. 1 / ln 0 counts as 0."""
    beta = last ** (1 / ((1 - tau) * _log(last) / _log(first) + tau))
    if isinstance(beta, Tensor):
        return torch.fmin(beta, torch.as_tensor(last, dtype=beta.dtype, device=beta.device))
    return min(last, beta)


def _log(beta: Hyper) -> Hyper:
    if isinstance(beta, Tensor):
        return beta.log()
    return math.log(beta) if beta > 0 else -math.inf
