"""AdaGrad: each parameter's rate falls with the squares of all its gradients so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class AdagradState(NamedTuple):
    """r: sum of g² since the start, [trials, n]."""

    r: Params


@dataclass(frozen=True, kw_only=True)
class Adagrad(FirstOrder[AdagradState]):
    """Adaptive subgradient method.

        r ← r + g²
        x ← x − lr · g / (√r + eps)

    Args:
        lr: length of the first step, in units of the parameters.
        eps: floor of the denominator, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    Journal of Machine Learning Research 12 (2011), 2121-2159, Figure 1 with a diagonal matrix,
    https://jmlr.org/papers/v12/duchi11a.html. Same result as torch.optim.Adagrad. Some textbooks write √(r + eps).
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-2, least=0)
    eps: Hyper = setting(1e-10, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdagradState:
        return AdagradState(torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdagradState, lr: Hyper) -> tuple[Params, AdagradState]:
        r = state.r + grad * grad
        return params - lr * grad / (r.sqrt() + self.eps), AdagradState(r)
