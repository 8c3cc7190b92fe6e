"""Signum: the sign of the gradient's running mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along


class SignumState(NamedTuple):
    """m: running mean of the gradient, [trials, n]."""

    m: Params


@dataclass(frozen=True, kw_only=True)
class Signum(FirstOrder[SignumState]):
    """signSGD with momentum: every parameter moves by lr, up or down.

        m ← momentum · m + (1 − momentum) · g
        x ← x − lr · sign(m)

    Lion with both of its betas at `momentum` is the same rule.

    Args:
        lr: step length of every parameter, in units of the parameters.
        momentum: decay of the running mean, in [0, 1).

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Bernstein, Wang, Azizzadenesheli & Anandkumar, "signSGD: compressed optimisation for non-convex problems",
    ICML 2018, Algorithm 2, https://arxiv.org/abs/1802.04434. Same result as pytorch_optimizer.SignSGD, whose defaults
    these are.
    """

    family: ClassVar[str] = "sign"

    lr: Hyper = setting(1e-3, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> SignumState:
        return SignumState(torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: SignumState, lr: Hyper) -> tuple[Params, SignumState]:
        m = torch.lerp(state.m, grad, 1 - self.momentum)
        return along(params, lr, m.sign()), SignumState(m)
