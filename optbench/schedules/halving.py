"""The learning rate is halved at even intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import span


@dataclass(frozen=True, kw_only=True)
class Halving(Schedule):
    """A staircase: half the rate after every interval.

        factor(step) = ½^⌊step / T₀⌋,   T₀ = every · steps

    Args:
        every: the interval T₀; up to 1 a part of the run, above 1 a number of steps. The default ends at 1/16.

    Raises:
        ValueError: every is not positive; the message names the trial.

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 3.4, divide the
    rate by ten in the same way. Same result as torch.optim.lr_scheduler.StepLR with step_size = T₀ and gamma = ½.
    """

    every: Hyper = setting(0.2, above=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        return 0.5 ** (step // span(self.every, steps))
