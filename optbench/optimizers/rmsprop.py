"""RMSProp: the gradient over a running root mean square of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class RMSPropState(NamedTuple):
    """v: running mean of g², [trials, n]."""

    v: Params


@dataclass(frozen=True, kw_only=True)
class RMSProp(FirstOrder[RMSPropState]):
    """Gradient descent with each parameter's gradient divided by its running root mean square.

        v ← alpha · v + (1 − alpha) · g²
        x ← x − lr · g / (√v + eps)

    Args:
        lr: step length, in units of the parameters; the first step is lr / √(1 − alpha), ten times lr by default.
        alpha: decay of the running mean of g², in [0, 1).
        eps: floor of the denominator, in units of the gradient.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Tieleman & Hinton, "Lecture 6.5: rmsprop", COURSERA: Neural Networks for Machine Learning, 2012,
    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf. Same result as torch.optim.RMSprop.
    Goodfellow, Bengio & Courville (2016), Algorithm 8.5, and TensorFlow write √(v + eps), with eps inside the root.
    """

    family: ClassVar[str] = "adaptive"

    lr: Hyper = setting(1e-2, least=0)
    alpha: Hyper = setting(0.99, least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> RMSPropState:
        return RMSPropState(torch.zeros_like(params))

    def update(self, params: Params, grad: Params, state: RMSPropState, lr: Hyper) -> tuple[Params, RMSPropState]:
        v = self.alpha * state.v + (1 - self.alpha) * (grad * grad)
        return params - lr * grad / (v.sqrt() + self.eps), RMSPropState(v)
