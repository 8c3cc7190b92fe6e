"""MARS: AdamW on gradients from which the change since the last step takes out variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class MARSState(NamedTuple):
    """t: steps taken; m, v: running means of c and c²; last: the gradient before; each [trials, n]."""

    t: int
    m: Params
    v: Params
    last: Params
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class MARS(FirstOrder[MARSState]):
    """MARS-AdamW in its approximate form: one gradient a step, compared with that of the step before.

        c = g + γ · β₁ / (1 − β₁) · (g − last),    c ← c / max(1, ‖c‖₂) in each layer,    last ← g
        m ← β₁ m + (1 − β₁) c                 v ← β₂ v + (1 − β₂) c²
        x ← (1 − lr · weight_decay) · x − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + eps)

    The exact form evaluates the last point anew on the present batch; this one takes the gradient that was seen there, as
    the authors advise. The paper writes the norm over all parameters and starts with c = g; the authors' code, which we
    follow, takes the norm of each parameter tensor and starts with last = 0. That code also leaves vectors to AdamW
    unless it is told `optimize_1d`; here every tensor is treated alike.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the clipped gradient.
        gamma: strength of the correction; 0 is AdamW on clipped gradients.
        weight_decay: part of the parameters that a step of lr = 1 takes away.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Yuan et al., "MARS: unleashing the power of variance reduction for training large models", ICML 2025,
    Algorithms 1 and 2, https://arxiv.org/abs/2411.10438. Same result as pytorch_optimizer.MARS(optimize_1d=True) where
    eps is 0, which stands elsewhere there, but for the 1e-15 that it adds to v.
    """

    family: ClassVar[str] = "adaptive"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(3e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.95, 0.99), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)
    gamma: Hyper = setting(0.025, least=0)
    weight_decay: Hyper = setting(0.0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> MARSState:
        zeros = torch.zeros_like(params)
        return MARSState(0, zeros, zeros.clone(), zeros.clone(), layout)

    def update(self, params: Params, grad: Params, state: MARSState, lr: Hyper) -> tuple[Params, MARSState]:
        b1, b2 = self.betas
        t = state.t + 1
        c = (self.gamma * (b1 / (1 - b1)) * (grad - state.last)).add_(grad)
        for layer in c.split(state.layout.sizes, dim=1):
            layer.div_(layer.norm(dim=1, keepdim=True).clamp_(min=1.0))
        m = torch.lerp(state.m, c, 1 - b1)
        v = torch.lerp(state.v, c * c, 1 - b2)
        root = (v / (1 - b2**t)).sqrt_().add_(self.eps)
        step = (lr / (1 - b1**t) * m).div_(root)
        return (1 - lr * self.weight_decay) * params - step, MARSState(t, m, v, grad.clone(), state.layout)
