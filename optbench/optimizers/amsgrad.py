"""AMSGrad: Adam whose denominator never shrinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along_ratio


class AMSGradState(NamedTuple):
    """t: steps taken; m, v: running means of g and g²; largest: the largest v so far; each [trials, n]."""

    t: int
    m: Params
    v: Params
    largest: Params


@dataclass(frozen=True, kw_only=True)
class AMSGrad(FirstOrder[AMSGradState]):
    """Adam with the largest running mean of g² so far in place of the present one.

        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²                 largest ← max(largest, v)
        x ← x − lr · (m / (1 − β₁ᵗ)) / (√(largest / (1 − β₂ᵗ)) + eps)

    A rare large gradient is not forgotten; Adam fails to converge on some convex problems because it lengthens the steps
    again after one. The paper corrects no bias, so that no step is ever lengthened there, and has no eps; this is torch's
    form, which has both: while 1 − β₂ᵗ still grows, steps grow with its root.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Reddi, Kale & Kumar, "On the convergence of Adam and beyond", ICLR 2018, Algorithm 2,
    https://arxiv.org/abs/1904.09237. Same result as torch.optim.Adam(amsgrad=True).
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AMSGradState:
        return AMSGradState(0, torch.zeros_like(params), torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AMSGradState, lr: Hyper) -> tuple[Params, AMSGradState]:
        b1, b2 = self.betas
        t = state.t + 1
        m = torch.lerp(state.m, grad, 1 - b1)
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        largest = torch.maximum(state.largest, v)
        root = (largest / (1 - b2**t)).sqrt_().add_(self.eps)
        return along_ratio(params, lr / (1 - b1**t), m, root), AMSGradState(t, m, v, largest)
