"""Nesterov's momentum: the heavy ball that looks ahead before it corrects its course."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class NesterovState(NamedTuple):
    """v: decaying sum of gradients, [trials, n]."""

    v: Params


@dataclass(frozen=True, kw_only=True)
class Nesterov(FirstOrder[NesterovState]):
    """Nesterov's accelerated gradient, in the form that asks for the gradient at the parameters themselves.

        v ← momentum · v + g
        x ← x − lr · (g + momentum · v)

    Textbooks take the gradient ahead of the ball: u ← αu − lr·∇f(θ + αu), θ ← θ + u. Both are one method seen from two
    points: with a constant lr, x is their look-ahead point θ + αu, and u = −lr·v.

    Args:
        lr: step length for a gradient of length one, before it gathers speed.
        momentum: part of the velocity that is kept from step to step, in [0, 1).

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k²)", Soviet
    Mathematics Doklady 27 (1983), 372-376; this form: Sutskever, Martens, Dahl & Hinton, "On the importance of
    initialization and momentum in deep learning", ICML 2013, equations 3 and 4, under Bengio, Boulanger-Lewandowski &
    Pascanu's change of variable, https://arxiv.org/abs/1212.0901. Same result as torch.optim.SGD(nesterov=True).
    """

    family: ClassVar[str] = "sgd"

    lr: Hyper = setting(1e-3, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> NesterovState:
        return NesterovState(torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: NesterovState, lr: Hyper) -> tuple[Params, NesterovState]:
        v = self.momentum * state.v + grad
        return params - lr * (grad + self.momentum * v), NesterovState(v)
