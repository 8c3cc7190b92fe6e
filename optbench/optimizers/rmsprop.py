"""RMSProp: the gradient over a running root mean square of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .moves import along, along_ratio


class RMSPropState(NamedTuple):
    """v, m: running means of g² and of g, b: the buffer of momentum, each [trials, n]; None where there is no use for it."""

    v: Params
    m: Params | None
    b: Params | None


@dataclass(frozen=True, kw_only=True)
class RMSProp(FirstOrder[RMSPropState]):
    """Gradient descent with each parameter's gradient divided by its running root mean square.

        v ← alpha · v + (1 − alpha) · g²
        x ← x − lr · g / (√v + eps)

    With eps_inside the denominator is √(v + eps). Centred, v in it gives way to the gradient's variance:

        m ← alpha · m + (1 − alpha) · g
        x ← x − lr · g / (√(v − m²) + eps)

    With momentum the quotients gather speed: b ← momentum · b + g / (√v + eps), x ← x − lr · b.

    Args:
        lr: step length, in units of the parameters; the first step is lr / √(1 − alpha), ten times lr by default.
        alpha: decay of the running mean of g², in [0, 1).
        eps: floor of the denominator, in units of the gradient; squared units where it stands inside the root.
        eps_inside: eps stands inside the root.
        centered: divide by the standard deviation instead of the root mean square. A variance that rounding made
            negative counts as zero. Keeps m as well, one more number a parameter.
        momentum: part of the buffer that is kept from step to step, in [0, 1); 0: none. Above it, b is kept as
            well, one more number a parameter.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Tieleman & Hinton, "Lecture 6.5: rmsprop", COURSERA: Neural Networks for Machine Learning, 2012,
    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf; centred: Graves, "Generating
    sequences with recurrent neural networks", 2013, equations 38-45, https://arxiv.org/abs/1308.0850. Same result as
    torch.optim.RMSprop. Goodfellow, Bengio & Courville (2016), Algorithm 8.5, and TensorFlow have eps inside the root.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-2, least=0)
    alpha: Hyper = setting(0.99, least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)
    eps_inside: bool = setting(False)
    centered: bool = setting(False)
    momentum: Hyper = setting(0.0, least=0, below=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> RMSPropState:
        heavy = isinstance(self.momentum, Tensor) or self.momentum > 0
        m, b = torch.zeros_like(params) if self.centered else None, torch.zeros_like(params) if heavy else None
        return RMSPropState(torch.zeros_like(params), m, b)

    def update(self, params: Params, grad: Params, state: RMSPropState, lr: Hyper) -> tuple[Params, RMSPropState]:
        v = torch.lerp(state.v, grad * grad, 1 - self.alpha)
        m, b, square = state.m, state.b, v
        if m is not None:
            m = torch.lerp(m, grad, 1 - self.alpha)
            square = (v - m * m).clamp_(min=0)
        root = (square + self.eps).sqrt_() if self.eps_inside else square.sqrt().add_(self.eps)
        if b is None:
            return along_ratio(params, lr, grad, root), RMSPropState(v, m, b)
        b = (self.momentum * b).add_(grad / root)
        return along(params, lr, b), RMSPropState(v, m, b)
