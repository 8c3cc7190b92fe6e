"""Adam: step sizes from running means of the gradient and of its square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along_ratio


class AdamState(NamedTuple):
    """t: steps taken; m, v: running means of g and g², each [trials, n]."""

    t: int
    m: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class Adam(FirstOrder[AdamState]):
    """Adaptive moment estimation.

        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        x ← x − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + eps)

    The paper starts at m = v = 0, and 1 − βᵗ takes out the bias towards zero that this brings. `bias_correction: false`
    leaves it in: with the default betas the first step is then 0.1 / √0.001 ≈ 3.2 times as long. `start: gradient` starts
    at m = g, v = g² of the first gradient: that has no such bias, so nothing is corrected then, whatever
    `bias_correction` says. `eps_inside: true` divides by √(v / (1 − β₂ᵗ) + eps), as some textbooks print it: the
    denominator's floor is then √eps.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient; of its square, in units of the squared gradient, where
            eps_inside.
        bias_correction: divide the running means that started at zero by 1 − βᵗ.
        start: the running means before the first step: "zero", or "gradient" for the first g and g².
        eps_inside: add eps under the root.

    Raises:
        TypeError: bias_correction or eps_inside is neither true nor false.
        ValueError: a value lies outside its range; the message names the trial.

    Source: Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, Algorithm 1,
    https://arxiv.org/abs/1412.6980. Same result as torch.optim.Adam; with betas (0, β₂), no bias correction and
    eps_inside false, as torch.optim.RMSprop.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)
    bias_correction: bool = setting(True)
    start: str = setting("zero", choices=("zero", "gradient"))
    eps_inside: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdamState:
        return AdamState(0, torch.zeros_like(params), torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: AdamState, lr: Hyper) -> tuple[Params, AdamState]:
        b1, b2 = self.betas
        t = state.t + 1
        from_zero = self.start == "zero"
        if from_zero or t > 1:
            m = torch.lerp(state.m, grad, 1 - b1)
            v = torch.lerp(state.v, grad * grad, 1 - b2)
        else:
            m, v = grad.clone(), grad * grad
        corrected = from_zero and self.bias_correction
        mean = v / (1 - b2**t) if corrected else v.clone()
        root = mean.add_(self.eps).sqrt_() if self.eps_inside else mean.sqrt_().add_(self.eps)
        length = lr / (1 - b1**t) if corrected else lr
        return along_ratio(params, length, m, root), AdamState(t, m, v)
