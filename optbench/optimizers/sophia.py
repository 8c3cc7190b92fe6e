"""Sophia: momentum divided by the Hessian's diagonal, and clipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Optimizer, Oracle, Params
from ..randomness import Randomness
from .curvature import check_curved


class SophiaState(NamedTuple):
    """t: steps taken; m, h: running means of g and of the estimated diagonal of the Hessian, each [trials, n]."""

    t: int
    m: Params
    h: Params


@dataclass(frozen=True, kw_only=True)
class Sophia(Optimizer[SophiaState]):
    """Second-order clipped stochastic optimization, with Hutchinson's estimator of the Hessian's diagonal.

        m ← β₁ m + (1 − β₁) g
        in steps 1, 1 + period, 1 + 2 · period, …, with a random u:
            h ← β₂ h + (1 − β₂) u ⊙ ∇²f(x) u
        x ← (1 − lr · weight_decay) · x − lr · clip(m / max(γ h, eps), −1, 1)

    This is the paper's Sophia-H. The product with the Hessian of the step's own batch is exact, and counts as two gradient
    evaluations more in each of these steps. The paper's Sophia-G, which estimates the Gauss–Newton matrix from labels drawn
    from the model, is not here.

    u is the same in all trials, and a function of `seed` and the step alone: a trial moves as it would by itself.

    Args:
        lr: longest step of a parameter, in units of the parameters; Newton's step where lr = γ.
        betas: decay of the two running means, each in [0, 1).
        gamma: factor on h; the larger, the fewer parameters are clipped.
        eps: least denominator, which clips where the curvature is negative.
        weight_decay: part of the parameters that a step of lr = 1 takes away.
        period: steps from one estimate of the Hessian's diagonal to the next.
        probe: distribution of u: "normal" as in the paper, or "rademacher" (±1), exact where the Hessian is diagonal.
        seed: which sequence of u is drawn.

    Raises:
        TypeError: period or seed is not whole, or differs between trials.
        ValueError: a value lies outside its range; the message names the trial. Or the Hessian cannot be told.

    Source: Liu et al., "Sophia: a scalable stochastic second-order optimizer for language model pre-training", ICLR
    2024, Algorithms 1 and 3, https://arxiv.org/abs/2305.14342. Same result as pytorch_optimizer.SophiaH with rate
    lr / γ, weight decay γ · weight_decay, clipping at γ and floor eps / γ, given the same estimates.
    """

    family: ClassVar[str] = "second order"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.96, 0.99), least=0, below=1)
    gamma: Hyper = setting(0.01, above=0)
    eps: Hyper = setting(1e-12, above=0)
    weight_decay: Hyper = setting(0.0, least=0)
    period: int = setting(10, least=1)
    probe: str = setting("normal", choices=("normal", "rademacher"))
    seed: int = setting(0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> SophiaState:
        return SophiaState(0, torch.zeros_like(params), torch.zeros_like(params))

    def check(self, params: Params, oracle: Oracle) -> None:
        check_curved("hessian", params, oracle)

    def step(self, params: Params, state: SophiaState, oracle: Oracle, factor: Hyper) -> tuple[Params, SophiaState]:
        b1, b2 = self.betas
        t, m, h = state
        lr = self.lr * factor
        if t % self.period == 0:
            _, grad, product = oracle.hessian(params)
            u = self.direction(t, params).expand_as(params)
            h = torch.lerp(h, u * product(u), 1 - b2)
        else:
            _, grad = oracle(params)
        m = torch.lerp(m, grad, 1 - b1)
        ratio = (m / (self.gamma * h).clamp_(min=self.eps)).clamp_(-1, 1)
        return (1 - lr * self.weight_decay) * params - lr * ratio, SophiaState(t + 1, m, h)

    def direction(self, t: int, params: Params) -> Float[Tensor, "1 n"]:
        """u of step t, one row for all trials."""
        draw = Randomness([self.seed], "sophia", params.device).normal(t, params.shape[1], dtype=params.dtype)
        return draw if self.probe == "normal" else torch.where(draw < 0, -1, 1).to(params.dtype)
