"""The learning rate rises on a straight line, stays, and falls on a straight line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import at_least, at_most, span_or_none, where


@dataclass(frozen=True, kw_only=True)
class Trapezoid(Schedule):
    """Linear warm-up over w steps, the full rate, and a linear fall to zero over the last d steps.

        factor(step) = min(1, (step + 1) / w, (steps − step) / d)

    It is `wsd` with form linear and no floor, by the defaults of those who call it so.

    Args:
        warmup: the length w of the rise; 0 none, up to 1 a part of the run, above 1 a number of steps.
        decay: the length d of the fall, in the same units; 0 none.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Xing, Arpit, Tsirigotis & Bengio, "A walk with SGD", 2018, https://arxiv.org/abs/1802.08770; Zhai,
    Kolesnikov, Houlsby & Beyer, "Scaling vision transformers", CVPR 2022, section 3.5 (cooldown),
    https://arxiv.org/abs/2106.04560.
    """

    warmup: Hyper = setting(0.05, least=0)
    decay: Hyper = setting(0.4, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        rise = (step + 1) / at_least(span_or_none(self.warmup, steps), 1.0)
        fall = (steps - step) / at_least(span_or_none(self.decay, steps), 1.0)
        return at_most(where(rise < fall, rise, fall), 1.0)
