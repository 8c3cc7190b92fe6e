"""The learning rate falls as one over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import setting
from ..interfaces import Hyper
from .span import Number
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class Inverse(Warmed):
    """Decay as one over time: its sum diverges and the sum of its squares converges, as Robbins and Monro ask.

        factor(step) = 1 / (1 + rate · step / steps)

    The textbooks' k, in η = η₀ / (1 + kt), is rate / steps: so one rate suits every budget.

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.
            The formula and all other times are about the steps after it.
        rate: decay over the whole run; the default ends near 1/11.

    Raises:
        ValueError: rate is negative; the message names the trial.

    Source: Robbins & Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 (1951), 400-407,
    https://doi.org/10.1214/aoms/1177729586, conditions on their aₙ.
    """

    rate: Hyper = setting(10.0, least=0)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        return 1 / (1 + self.rate * (step / steps))
