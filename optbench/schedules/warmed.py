"""Schedules that may begin with a warm-up."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import Number, at_least, span_or_none, where


@dataclass(frozen=True, kw_only=True)
class Warmed(Schedule):
    """A linear warm-up over w steps, then a course over the steps that are left.

        factor(step) = (step + 1) / w                        for step < w
        factor(step) = course(step − w, steps − w)           afterwards

    Concrete ones write `course`. The rise is that of torch's LinearLR(1 / w, 1, w − 1), and the whole that of its
    SequentialLR with w as the milestone. The schedule `warmup` is another kind: it multiplies one that goes on beneath it.

    Args:
        warmup: the length w of the rise; 0 none, up to 1 a part of the run, above 1 a number of steps.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2,
    https://arxiv.org/abs/1706.02677.
    """

    warmup: Hyper = setting(0.0, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @abc.abstractmethod
    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        """The factor after the warm-up: whole numbers of steps counted from its end, columns where its length is one."""

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        if isinstance(self.warmup, Tensor):
            w = span_or_none(self.warmup, steps)
            course = self.course(at_least(step - w, 0), at_least(steps - w, 1), state)
            return where(step < w, (step + 1) / at_least(w, 1), course)
        w = int(span_or_none(self.warmup, steps))
        return (step + 1) / w if step < w else self.course(step - w, steps - w, state)
