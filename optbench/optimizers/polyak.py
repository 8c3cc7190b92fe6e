"""Polyak's step: as long as the distance of the loss from its minimum says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Optimizer, Oracle, Params


@dataclass(frozen=True, kw_only=True)
class Polyak(Optimizer[tuple[()]]):
    """Gradient descent with Polyak's step size.

        a = min(lr · (f(x) − minimum) / ‖g‖², longest)
        x ← x − a g

    On a convex function whose least value is `minimum`, no step with lr up to 2 leads away from a minimiser. A trial
    stays where its gradient is zero or its loss at or below `minimum`. With minibatches each batch's own loss and gradient
    are used, which fits where one point is least for all of them, as in networks that can learn their data by heart.

    Args:
        lr: multiple of Polyak's step; 1 in theory, 1 / c in the stochastic form.
        minimum: the least value f* of the loss that is minimised, penalties of modifiers included; a guess below it makes
            steps that are too long. Zero suits most landscapes and interpolating networks.
        longest: bound of a, in units of the parameters over units of the gradient; none by default.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Polyak, "Minimization of unsmooth functionals", USSR Computational Mathematics and Mathematical Physics 9
    (1969), 14-29, https://doi.org/10.1016/0041-5553(69)90061-5; with minibatches and `longest` it is SPS_max of Loizou,
    Vaswani, Laradji & Lacoste-Julien, "Stochastic Polyak step-size for SGD", AISTATS 2021, equation 3,
    https://arxiv.org/abs/2002.10542.
    """

    family: ClassVar[str] = "parameter-free"

    lr: Hyper = setting(1.0, least=0)
    minimum: Hyper = setting(0.0)
    longest: Hyper | None = setting(None, above=0, optional=True)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> tuple[()]:
        return ()

    def step(self, params: Params, state: tuple[()], oracle: Oracle, factor: Hyper) -> tuple[Params, tuple[()]]:
        loss, grad = oracle(params)
        gap = (loss[:, None] - self.minimum).clamp_(min=0)
        square = (grad * grad).sum(dim=1, keepdim=True)
        a = self.lr * factor * torch.where(square > 0, gap / square, 0)
        if self.longest is not None:
            a = a.clamp(max=self.longest)
        return params - a * grad, ()
