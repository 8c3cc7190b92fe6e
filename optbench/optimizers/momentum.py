"""Momentum: a heavy ball that gathers speed along directions on which gradients agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along


class MomentumState(NamedTuple):
    """t: steps taken; v: decaying sum of gradients, [trials, n]."""

    t: int
    v: Params


@dataclass(frozen=True, kw_only=True)
class Momentum(FirstOrder[MomentumState]):
    """Gradient descent with momentum, the heavy ball.

        v ← momentum · v + (1 − dampening) · g                    v ← g in the first step
        x ← x − lr · v

    A steady gradient is followed with (1 − dampening) / (1 − momentum) times the rate; dampening = momentum
    makes v a running mean. Textbooks write v ← αv − lr·g, x ← x + v: the
    same points while lr is constant. When a schedule lowers lr, the step shrinks at once here, and there only as old
    velocity is forgotten.

    Args:
        lr: step length for a gradient of length one, before it gathers speed.
        momentum: part of the velocity that is kept from step to step, in [0, 1).
        dampening: part of the gradient that does not enter the velocity, in [0, 1]; all of the first one enters.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics
    and Mathematical Physics 4 (1964), 1-17, https://doi.org/10.1016/0041-5553(64)90137-5.
    Same result as torch.optim.SGD(momentum=…, dampening=…).
    """

    family: ClassVar[str] = "sgd"

    lr: Hyper = setting(1e-3, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)
    dampening: Hyper = setting(0.0, least=0, most=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> MomentumState:
        return MomentumState(0, torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: MomentumState, lr: Hyper) -> tuple[Params, MomentumState]:
        damped = state.t > 0 and (isinstance(self.dampening, Tensor) or self.dampening > 0)
        v = (self.momentum * state.v).add_((1 - self.dampening) * grad if damped else grad)
        return along(params, lr, v), MomentumState(state.t + 1, v)
