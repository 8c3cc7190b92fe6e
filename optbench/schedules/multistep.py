"""The learning rate falls by a factor at each milestone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..checks import setting
from ..interfaces import Hyper
from .span import Number, at_least, at_most, lengths, span
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class MultiStep(Warmed):
    """A staircase with its steps at given times.

        factor(step) = gamma^(number of milestones m with m ≤ step)

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.
            The formula and all other times are about the steps after it.
        milestones: list of times; up to 1 a part of the run, above 1 a number of steps. One that stands there twice counts
            twice.
        gamma: what each milestone leaves of the rate, in (0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2, who divide the
    rate by ten at 32,000 and 48,000 of 64,000 steps: the defaults. Same result as torch.optim.lr_scheduler.MultiStepLR.
    """

    milestones: tuple[Number, ...] = field(default=(0.5, 0.75))
    gamma: Hyper = setting(0.1, above=0, most=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        lengths("MultiStep", "milestones", self.milestones)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        passed = 0.0
        for milestone in self.milestones:
            passed = passed + at_least(at_most(step - span(milestone, steps) + 1, 1.0), 0.0)
        return self.gamma**passed
