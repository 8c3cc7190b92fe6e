"""Averaged SGD: the mean of the points that gradient descent passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along


class ASGDState(NamedTuple):
    """t: steps taken; e: x − a, how far the moving point lies from the average, [trials, n]."""

    t: int
    e: Params


@dataclass(frozen=True, kw_only=True)
class ASGD(FirstOrder[ASGDState]):
    """Averaged stochastic gradient descent; the point judged is the average a, gradients are asked at x.

        η ← lr / (1 + lambd · lr · t)^alpha             t: steps taken before, 0 at first
        x ← (1 − η · lambd) x − η g(x)
        a ← a + (x − a) / max(1, t − t0)

    Until t0 + 2 steps are taken a is x itself; then it is the mean of all points from there on, and the noise that keeps x
    hovering around a minimum is averaged away. torch's t0 of a million is kept as the default: shorter runs with it never
    average, so set t0 to a part of the run. (lr is that of `sgd`; torch has 0.01.) The rule lowers its rate itself and is
    meant for a constant schedule. What a modifier does to a after the step (weight decay, say) moves x as far.

    Args:
        lr: step length for a gradient of length one, before it falls.
        lambd: weight decay, and with lr how fast the rate falls; per unit of lr.
        alpha: power of the fall; 0 keeps the rate.
        t0: steps before the average begins.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and
    Optimization 30 (1992), 838-855, https://doi.org/10.1137/0330046; the rate: Xu, "Towards optimal one pass large scale
    learning with averaged stochastic gradient descent", 2011, https://arxiv.org/abs/1107.2490. The average a has the
    same values as `ax` in the state of torch.optim.ASGD, which leaves x in the parameters.
    """

    family: ClassVar[str] = "averaged"

    lr: Hyper = setting(1e-3, least=0)
    lambd: Hyper = setting(1e-4, least=0)
    alpha: Hyper = setting(0.75, least=0)
    t0: Hyper = setting(1e6, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> ASGDState:
        return ASGDState(0, torch.zeros_like(params))

    def asks_at(self, params: Params, state: ASGDState) -> Params:
        return params + state.e

    def update(self, params: Params, grad: Params, state: ASGDState, lr: Hyper) -> tuple[Params, ASGDState]:
        x, late = params + state.e, state.t - self.t0
        eta = lr / (1 + self.lambd * lr * state.t) ** self.alpha
        mu = 1 / (late.clamp(min=1) if isinstance(late, Tensor) else max(late, 1.0))
        x = along((1 - eta * self.lambd) * x, eta, grad)
        a = torch.lerp(params, x, mu)
        return a, ASGDState(state.t + 1, x.sub_(a))
