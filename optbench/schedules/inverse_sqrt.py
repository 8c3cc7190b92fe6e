"""The learning rate rises to its full value and falls as one over the root of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import span_or_none


@dataclass(frozen=True, kw_only=True)
class InverseSqrt(Schedule):
    """The transformer's schedule: a linear warm-up over w steps, then decay as one over the root of the step's number.

        factor(step) = min(t / w, √(w / t)),   t = step + 1

    Without a warm-up, w = 1: the plain 1/√t. The paper multiplies it by 1 / √(d·w), d being the model's width; here that
    belongs to the rate, so that the rate is the highest one.

    Args:
        warmup: the length w of the rise; 0 none, up to 1 a part of the run, above 1 a number of steps.

    Raises:
        ValueError: warmup is negative; the message names the trial.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 3, https://arxiv.org/abs/1706.03762. Known
    as the Noam schedule.
    """

    warmup: Hyper = setting(0.05, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        t, w = step + 1, span_or_none(self.warmup, steps)
        if isinstance(w, Tensor):
            w = w.clamp(min=1)
            return (t / w).minimum((w / t).sqrt())
        w = max(1.0, w)
        return min(t / w, (w / t) ** 0.5)
