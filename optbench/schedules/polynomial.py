"""The learning rate falls as a power of the time that is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import setting
from ..interfaces import Hyper
from .span import Number, at_most, span
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class Polynomial(Warmed):
    """Polynomial decay to an end value at step τ, constant afterwards.

        factor(step) = end + (1 − end) · (1 − α)^power,   α = min(1, step / τ),   τ = until · steps

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.
            The formula and all other times are about the steps after it.
        until: the time τ at which the decay ends; up to 1 a part of the run, above 1 a number of steps.
        power: 1 is a straight line; larger ones fall sooner.
        end: what is left of the rate from τ on, in [0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Liu, Rabinovich & Berg, "ParseNet: looking wider to see better", 2015,
    https://arxiv.org/abs/1506.04579; Chen et al., "DeepLab", PAMI 40 (2018),
    https://arxiv.org/abs/1606.00915, where power 0.9 comes from. Same result as torch.optim.lr_scheduler.PolynomialLR,
    which ends at 0.
    """

    until: Hyper = setting(1.0, above=0)
    power: Hyper = setting(0.9, above=0)
    end: Hyper = setting(0.0, least=0, most=1)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        alpha = at_most(step / span(self.until, steps), 1.0)
        return self.end + (1 - self.end) * (1 - alpha) ** self.power
