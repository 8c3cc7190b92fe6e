"""Adversarial training: the loss is also that of the inputs, moved to where it hurts."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..checks import check_settings, setting
from ..data.batch import Batch
from ..interfaces import Loss, Params, Problem, ProblemModifier
from .derived_problem import DerivedProblem, learning


@dataclass(frozen=True, kw_only=True)
class Adversarial(ProblemModifier):
    """Half of the loss is taken at inputs that are moved by a step of the sign of their gradient.

        x' = x + ε sign(∇ₓ f(x)),   f ← α f(x) + (1 − α) f(x')

    x' is held fixed when the parameters' gradient is taken. Both passes have the same dropout masks. A step costs about
    twice as much and is counted as one gradient evaluation. Inputs are not held within the range of pixels.

    Args:
        eps: step ε of each input, in units of the standardised inputs.
        alpha: share α of the loss at the inputs as they are, in [0, 1].

    Raises:
        ValueError: a value lies outside its range, or the inputs are tokens.

    Source: Goodfellow, Shlens & Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, section 6,
    https://arxiv.org/abs/1412.6572, there with α = 0.5.
    """

    eps: float = setting(0.1, least=0)
    alpha: float = setting(0.5, least=0, most=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def change(self, problem: Problem) -> Problem:
        inner = learning(problem, "adversarial")
        if not inner.train.x.is_floating_point():
            raise ValueError(f"adversarial needs inputs that are numbers, and those of {inner.data} are tokens")
        return AdversarialInputs(inner=problem, eps=self.eps, alpha=self.alpha)


@dataclass(frozen=True, kw_only=True)
class AdversarialInputs(DerivedProblem):
    """Learns from inputs as they are and moved.

    Args:
        eps: step of each input.
        alpha: share of the loss at the inputs as they are.
    """

    eps: float
    alpha: float

    def loss(self, params: Params, batch: Batch) -> Loss:
        wanted = params.requires_grad and torch.is_grad_enabled()
        with torch.enable_grad():
            x = batch.x.detach().requires_grad_()
            loss = self.inner.loss(params, batch._replace(x=x))
            (slope,) = torch.autograd.grad(loss.sum(), x, retain_graph=wanted)
        near = (x + self.eps * slope.sign()).detach()
        if not wanted:
            loss = loss.detach()
        return self.alpha * loss + (1 - self.alpha) * self.inner.loss(params, batch._replace(x=near, watch=None))
