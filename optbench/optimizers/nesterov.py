"""Nesterov's momentum: the heavy ball that looks ahead before it corrects its course."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along


class NesterovState(NamedTuple):
    """v: decaying sum of gradients, or with look_ahead the last step; [trials, n]."""

    v: Params


@dataclass(frozen=True, kw_only=True)
class Nesterov(FirstOrder[NesterovState]):
    """Nesterov's accelerated gradient, in the form that asks for the gradient at the parameters themselves:

        v ← momentum · v + g
        x ← x − lr · (g + momentum · v)

    and with look_ahead in that of the textbooks, which take the gradient ahead of the ball:

        v ← momentum · v − lr · ∇f(x + momentum · v)
        x ← x + v

    Both are one method seen from two points: with a constant lr, the first form's x is the second form's look-ahead point
    x + momentum · v, and the second form's v is −lr times the first one's. Each asks for one gradient a step; the point
    judged is x. When a schedule lowers lr, the first form's step shrinks at once, the second's as old velocity is
    forgotten.

    Args:
        lr: step length for a gradient of length one, before it gathers speed.
        momentum: part of the velocity that is kept from step to step, in [0, 1).
        look_ahead: ask at x + momentum · v, as textbooks do, instead of at x.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k²)", Soviet
    Mathematics Doklady 27 (1983), 372-376; this form: Sutskever, Martens, Dahl & Hinton, "On the importance of
    initialization and momentum in deep learning", ICML 2013, equations 3 and 4 (look_ahead), under Bengio, Boulanger-
    Lewandowski & Pascanu's change of variable, https://arxiv.org/abs/1212.0901. Without look_ahead, same result as
    torch.optim.SGD(nesterov=True).
    """

    family: ClassVar[str] = "sgd"

    lr: Hyper = setting(1e-3, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)
    look_ahead: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> NesterovState:
        return NesterovState(torch.zeros_like(params))

    def asks_at(self, params: Params, state: NesterovState) -> Params:
        return params + self.momentum * state.v if self.look_ahead else params

    def update(self, params: Params, grad: Params, state: NesterovState, lr: Hyper) -> tuple[Params, NesterovState]:
        if self.look_ahead:
            v = (self.momentum * state.v).sub_(lr * grad)
            return params + v, NesterovState(v)
        v = (self.momentum * state.v).add_(grad)
        return along(params, lr, along(grad, -self.momentum, v)), NesterovState(v)
