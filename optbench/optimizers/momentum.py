"""Momentum: a heavy ball that gathers speed along directions on which gradients agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class MomentumState(NamedTuple):
    """v: decaying sum of gradients, [trials, n]."""

    v: Params


@dataclass(frozen=True, kw_only=True)
class Momentum(FirstOrder[MomentumState]):
    """Gradient descent with momentum, the heavy ball.

        v ← momentum · v + g
        x ← x − lr · v

    A steady gradient is followed with 1 / (1 − momentum) times the rate. Textbooks write v ← αv − lr·g, x ← x + v: the
    same points while lr is constant. When a schedule lowers lr, the step shrinks at once here, and there only as old
    velocity is forgotten.

    Args:
        lr: step length for a gradient of length one, before it gathers speed.
        momentum: part of the velocity that is kept from step to step, in [0, 1).

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics
    and Mathematical Physics 4 (1964), 1-17, https://doi.org/10.1016/0041-5553(64)90137-5.
    Same result as torch.optim.SGD(momentum=…).
    """

    family: ClassVar[str] = "sgd"

    lr: Hyper = setting(1e-3, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> MomentumState:
        return MomentumState(torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: MomentumState, lr: Hyper) -> tuple[Params, MomentumState]:
        v = self.momentum * state.v + grad
        return params - lr * v, MomentumState(v)
