"""The learning rate is halved at even intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import setting
from ..interfaces import Hyper
from .span import Number, span
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class Halving(Warmed):
    """A staircase: half the rate, or another part of it, after every interval.

        factor(step) = gamma^⌊step / T₀⌋,   T₀ = every · steps, rounded to whole steps, at least one

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.
            The formula and all other times are about the steps after it.
        every: the interval T₀; up to 1 a part of the run, above 1 a number of steps. The default ends at 1/16
            in all but the shortest runs.
        gamma: what each interval leaves of the rate, in (0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Tan & Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019, section 5.2,
    https://arxiv.org/abs/1905.11946, who keep 0.97 of the rate every 2.4 epochs. Same result as
    torch.optim.lr_scheduler.StepLR with step_size = T₀.
    """

    every: Hyper = setting(0.2, above=0)
    gamma: Hyper = setting(0.5, above=0, most=1)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        return self.gamma ** (step // span(self.every, steps))
