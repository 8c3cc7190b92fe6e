"""The learning rate follows a straight line, then stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import setting
from ..interfaces import Hyper
from .span import Number, at_most, span
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class Linear(Warmed):
    """A straight line from the start value to the end value at step τ, constant afterwards.

        factor(step) = (1 − α) · start + α · end,   α = min(1, step / τ),   τ = until · steps

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.
            The formula and all other times are about the steps after it.
        until: the time τ at which the line ends; up to 1 a part of the run, above 1 a number of steps.
        start: the part of the rate with which it starts; below end the line rises.
        end: what is left of the rate from τ on; textbooks suggest 1 %.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), equation 8.14 (start = 1, end = ε_τ / ε₀),
    https://www.deeplearningbook.org. Same result as torch.optim.lr_scheduler.LinearLR.
    """

    until: Hyper = setting(1.0, above=0)
    start: Hyper = setting(1.0, least=0)
    end: Hyper = setting(0.01, least=0)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        alpha = at_most(step / span(self.until, steps), 1.0)
        return (1 - alpha) * self.start + alpha * self.end
