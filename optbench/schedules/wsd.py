"""Warm-up, a long plateau, and a decay at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import at_least, at_most, half_cosine, span_or_none, where


@dataclass(frozen=True, kw_only=True)
class WSD(Schedule):
    """Warm-up–stable–decay: linear warm-up over w steps, the full rate, then decay over the last d steps.

        factor(step) = min( (step + 1) / w,  floor + (1 − floor) · f(u) ),   u = max(0, (step − steps + d) / d)

        linear: f(u) = 1 − u        cosine: f(u) = ½ (1 + cos πu)        sqrt: f(u) = 1 − √u

    Where the rise is given as a number of steps, nothing depends on the budget until the decay begins: one run can then be
    branched into several budgets.

    Args:
        warmup: the length w of the rise; 0 none, up to 1 a part of the run, above 1 a number of steps.
        decay: the length d of the fall, in the same units.
        form: of the fall: linear, cosine or sqrt (1 − √u).
        floor: what is left of the rate at the end, in [0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Hu et al., "MiniCPM: unveiling the potential of small language models", 2024,
    https://arxiv.org/abs/2404.06395; Hägele et al., "Scaling laws and compute-optimal training beyond fixed training
    durations", NeurIPS 2024 (1 − √u, and 20 % of the run as its length), https://arxiv.org/abs/2405.18392.
    """

    warmup: Hyper = setting(0.05, least=0)
    decay: Hyper = setting(0.2, least=0)
    form: str = setting("sqrt", choices=("linear", "cosine", "sqrt"))
    floor: Hyper = setting(0.0, least=0, most=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        w, d = at_least(span_or_none(self.warmup, steps), 1.0), at_least(span_or_none(self.decay, steps), 1.0)
        u = at_least((step - steps + d) / d, 0.0)
        left = half_cosine(u) if self.form == "cosine" else 1 - (u**0.5 if self.form == "sqrt" else u)
        fall, rise = self.floor + (1 - self.floor) * left, at_most((step + 1) / w, 1.0)
        return where(rise < fall, rise, fall)
