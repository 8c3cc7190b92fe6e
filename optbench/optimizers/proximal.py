"""Proximal gradient descent for L1: a gradient step, then every parameter moves towards zero and may stay there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class ProximalState(NamedTuple):
    """c: FISTA's sequence, 0 before the first step; last: the point before this one, [trials, n], None without
    acceleration."""

    c: float
    last: Params | None


@dataclass(frozen=True, kw_only=True)
class Proximal(FirstOrder[ProximalState]):
    """Iterative soft thresholding, for the least of f(x) + strength · ‖x‖₁.

        z = x − lr · g
        x ← sign(z) · max(|z| − lr · strength, 0)

    accelerated (FISTA), the gradient and the step are taken at y instead of x:

        c ← (1 + √(1 + 4 c²)) / 2                             from 0, so 1 in the first step
        y = x + (c_before − 1) / c · (x − x_before)

    Parameters become exactly zero, where gradient steps with an L1 penalty hover around it. The penalty is the rule's own:
    the loss that is reported is f without it. All parameters are penalised but moving statistics.

    Args:
        lr: step length for a gradient of length one; at most 1 / L, where L bounds the curvature of f, for a sure descent.
        strength: weight λ of the penalty.
        accelerated: FISTA instead of ISTA; its loss does not fall at every step, and the point before is kept, one number a
            parameter.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Beck & Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", SIAM Journal on
    Imaging Sciences 2 (2009), 183-202, https://doi.org/10.1137/080716542: ISTA with constant stepsize, equations 1.4 and
    1.5, and FISTA with constant stepsize, equations 4.1 to 4.3.
    """

    family: ClassVar[str] = "sgd"

    lr: Hyper = setting(1e-3, least=0)
    strength: Hyper = setting(1e-4, least=0)
    accelerated: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> ProximalState:
        return ProximalState(0.0, params.clone() if self.accelerated else None)

    def asks_at(self, params: Params, state: ProximalState) -> Params:
        if state.last is None:
            return params
        ahead = (state.c - 1) / _next(state.c)
        return params + ahead * (params - state.last)

    def update(self, params: Params, grad: Params, state: ProximalState, lr: Hyper) -> tuple[Params, ProximalState]:
        z = self.asks_at(params, state) - lr * grad
        shrunk = (z.abs() - lr * self.strength).clamp_(min=0)
        accelerated = state.last is not None
        return z.sign_().mul_(shrunk), ProximalState(_next(state.c), params) if accelerated else state


def _next(c: float) -> float:
    return (1 + math.sqrt(1 + 4 * c * c)) / 2
