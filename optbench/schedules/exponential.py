"""Exponential decay of the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """The rate falls by the same factor at every step.

        factor(step) = e^(−rate · step / steps)

    The textbooks' k, in η = η₀ e^(−kt), is rate / steps: so one rate suits every budget.

    Args:
        rate: decay over the whole run; the default ends near 1 % (e^−4.6).

    Raises:
        ValueError: rate is negative; the message names the trial.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 8.3.1. Same result as
    torch.optim.lr_scheduler.ExponentialLR with gamma = e^(−rate / steps).
    """

    rate: Hyper = setting(4.6, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return math.e ** (-self.rate * (step / steps))
