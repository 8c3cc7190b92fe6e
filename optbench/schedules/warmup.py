"""A warm-up alone: the learning rate rises to its full value and stays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import at_least, at_most, span


@dataclass(frozen=True, kw_only=True)
class Warmup(Schedule):
    """The rate rises over w steps; in a `product` it damps the beginning of any other schedule.

        factor(step) = start + (1 − start) · r(t),   t = step + 1

        linear:       r(t) = min(1, t / w)
        exponential:  r(t) = 1 − e^(−2 t / w)
        constant:     r(t) = 0 for t ≤ w, 1 afterwards

    Linear and exponential take about the same sum off the factors, (w − 1) / 2: the published rule of thumb is w = 2 / (1 − β₂)
    for both. A schedule with a setting `warmup` begins when the rise is over; here it goes on beneath it.

    Args:
        over: the length w; up to 1 a part of the run, above 1 a number of steps.
        form: linear, exponential or constant.
        start: the part of the rate with which it starts, in [0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Ma & Yarats, "On the adequacy of untuned warmup for adaptive optimization", AAAI 2021 (linear and
    exponential), https://arxiv.org/abs/1910.04209; Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2
    (linear and constant), https://arxiv.org/abs/1706.02677. With form constant the same result as
    torch.optim.lr_scheduler.ConstantLR.
    """

    over: Hyper = setting(0.05, above=0)
    form: str = setting("linear", choices=("linear", "exponential", "constant"))
    start: Hyper = setting(0.0, least=0, most=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        t, w = step + 1, span(self.over, steps)
        if self.form == "constant":
            rise = at_least(at_most(t - w, 1.0), 0.0)
        elif self.form == "linear":
            rise = at_most(t / w, 1.0)
        else:
            rise = 1 - math.e ** (-2 * t / w)
        return self.start + (1 - self.start) * rise
