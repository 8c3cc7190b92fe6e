"""Rprop: each parameter has a step length of its own, raised while its gradient keeps its sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import check_ordered, check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class RpropState(NamedTuple):
    """g: the last gradient, 0 where it was not followed; d: step lengths, in units of the parameters; each [trials, n]."""

    g: Params
    d: Params


@dataclass(frozen=True, kw_only=True)
class Rprop(FirstOrder[RpropState]):
    """Resilient backpropagation.

        d ← d · etas₁ where g · g_before > 0,  d · etas₀ where g · g_before < 0,  kept within step_sizes
        g ← 0 where g · g_before < 0
        x ← x − d · sign(g)

    All d begin at lr. Only signs are used, so that a gradient's scale does not matter; with minibatches signs change by
    chance and the lengths fall to nothing. A schedule multiplies the steps taken and leaves d as it is.

    Args:
        lr: length of the first step of every parameter, in units of the parameters.
        etas: factors by which a length shrinks, below 1, and grows, above 1.
        step_sizes: least and greatest length, in units of the parameters.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Riedmiller & Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm", IEEE
    International Conference on Neural Networks (1993), 586-591, https://doi.org/10.1109/ICNN.1993.298623. There a step
    that changed the sign is taken back; this is the form that stays and skips one step, iRprop⁻ of Igel & Hüsken,
    "Improving the Rprop learning algorithm", NC 2000. Same result as torch.optim.Rprop.
    """

    family: ClassVar[str] = "sign"

    lr: Hyper = setting(1e-2, least=0)
    etas: tuple[Hyper, Hyper] = setting((0.5, 1.2), above=0)
    step_sizes: tuple[Hyper, Hyper] = setting((1e-6, 50.0), above=0)

    def __post_init__(self) -> None:
        check_settings(self)
        check_ordered(self, "etas must hold the smaller number first", *self.etas)
        check_ordered(self, "step_sizes must hold the smaller number first", *self.step_sizes)

    def init(self, params: Params, layout: Layout) -> RpropState:
        return RpropState(torch.zeros_like(params), torch.zeros_like(params).add_(self.lr))

    def update(self, params: Params, grad: Params, state: RpropState, lr: Hyper) -> tuple[Params, RpropState]:
        (shrink, grow), (least, most) = self.etas, self.step_sizes
        product = grad * state.g
        turned = product < 0
        d = torch.where(turned, state.d * shrink, torch.where(product > 0, state.d * grow, state.d))
        d = d.clamp(min=least).clamp(max=most)
        g = grad.masked_fill(turned, 0)
        tiny = torch.finfo(params.dtype).tiny
        part = lr / (self.lr.clamp(min=tiny) if isinstance(self.lr, Tensor) else max(self.lr, tiny))
        return params - part * d * g.sign(), RpropState(g, d)
