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

        factor(step) = gamma^⌊step / T₀⌋,   T₀ = every · steps

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.
            The formula and all other times are about the steps after it.
        every: the interval T₀; up to 1 a part of the run, above 1 a number of steps. The default ends at 1/16.
        gamma: what each interval leaves of the rate, in (0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 3.4, divide the
    rate by ten in the same way. Same result as torch.optim.lr_scheduler.StepLR with step_size = T₀.
    """

    every: Hyper = setting(0.2, above=0)
    gamma: Hyper = setting(0.5, above=0, most=1)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        return self.gamma ** (step // span(self.every, steps))
