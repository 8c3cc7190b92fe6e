"""AdaGrad: each parameter's rate falls with the squares of all its gradients so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import AT_START, check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along_ratio


class AdagradState(NamedTuple):
    """t: steps taken; r: sum of g² since the start, [trials, n]."""

    t: int
    r: Params


@dataclass(frozen=True, kw_only=True)
class Adagrad(FirstOrder[AdagradState]):
    """Adaptive subgradient method.

        r ← r + g²
        x ← x − lr / (1 + lr_decay · t) · g / (√r + eps)          t: steps taken before, 0 at first

    With eps_inside the denominator is √(r + eps), as some textbooks write it: the same as letting r begin at eps.

    Args:
        lr: length of the first step, in units of the parameters.
        eps: floor of the denominator, in units of the gradient; squared units where it stands inside the root.
        eps_inside: eps stands inside the root.
        lr_decay: fall of the rate beside that by r; after 1 / lr_decay steps the rate is half.
        initial_accumulator_value: r at the start, in squared units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    Journal of Machine Learning Research 12 (2011), 2121-2159, Figure 1 with a diagonal matrix,
    https://jmlr.org/papers/v12/duchi11a.html. Same result as torch.optim.Adagrad.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-2, least=0)
    eps: Hyper = setting(1e-10, least=0)
    eps_inside: bool = setting(False)
    lr_decay: Hyper = setting(0.0, least=0)
    initial_accumulator_value: Hyper = setting(0.0, least=0, no_schedule=AT_START)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdagradState:
        return AdagradState(0, torch.zeros_like(params).add_(self.initial_accumulator_value))

    def update(self, params: Params, grad: Params, state: AdagradState, lr: Hyper) -> tuple[Params, AdagradState]:
        r = state.r + grad * grad
        root = (r + self.eps).sqrt_() if self.eps_inside else r.sqrt().add_(self.eps)
        lr = lr / (1 + self.lr_decay * state.t)
        return along_ratio(params, lr, grad, root), AdagradState(state.t + 1, r)
