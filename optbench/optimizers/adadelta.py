"""AdaDelta: steps as long as recent steps, over gradients as long as recent gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along


class AdadeltaState(NamedTuple):
    """r, s: running means of g² and of the squared steps, each [trials, n]."""

    r: Params
    s: Params


@dataclass(frozen=True, kw_only=True)
class Adadelta(FirstOrder[AdadeltaState]):
    """Adaptive learning rates whose steps have the units of the parameters.

        r ← rho · r + (1 − rho) · g²
        u = √(s + eps) / √(r + eps) · g
        s ← rho · s + (1 − rho) · u²
        x ← x − lr · u

    s begins at zero, so eps sets the length of the first steps, √(eps / (1 − rho)): 0.003 by default, from which they
    have to grow. lr does not enter s.

    Args:
        lr: multiple of the step; 1 in the paper, which has no rate.
        rho: decay of the two running means, in [0, 1).
        eps: floor under both roots, in squared units of the parameters above and of the gradient below.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012, Algorithm 1, https://arxiv.org/abs/1212.5701;
    defaults of torch, where the paper has rho = 0.95. Same result as torch.optim.Adadelta.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1.0, least=0)
    rho: Hyper = setting(0.9, least=0, below=1)
    eps: Hyper = setting(1e-6, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdadeltaState:
        return AdadeltaState(torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdadeltaState, lr: Hyper) -> tuple[Params, AdadeltaState]:
        r = torch.lerp(state.r, grad * grad, 1 - self.rho)
        u = (state.s + self.eps).sqrt_().div_((r + self.eps).sqrt_()).mul_(grad)
        s = torch.lerp(state.s, u * u, 1 - self.rho)
        return along(params, lr, u), AdadeltaState(r, s)
