"""Exponential decay of the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..checks import setting
from ..interfaces import Hyper
from .span import Number
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class Exponential(Warmed):
    """The rate falls by the same factor at every step.

        factor(step) = e^(−rate · step / steps)

    The textbooks' k, in η = η₀ e^(−kt), is rate / steps: so one rate suits every budget.

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.
            The formula and all other times are about the steps after it.
        rate: decay over the whole run; the default ends near 1 % (e^−4.6).

    Raises:
        ValueError: rate is negative; the message names the trial.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 8.3.1. Same result as
    torch.optim.lr_scheduler.ExponentialLR with gamma = e^(−rate / steps).
    """

    rate: Hyper = setting(4.6, least=0)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        return math.e ** (-self.rate * (step / steps))
