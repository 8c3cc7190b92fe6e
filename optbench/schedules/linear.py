"""The learning rate falls on a straight line, then stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import span


@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """A straight line from the full rate to its end value at step τ, constant afterwards.

        factor(step) = (1 − α) + α · end,   α = min(1, step / τ),   τ = until · steps

    Args:
        until: the time τ at which the line ends; up to 1 a part of the run, above 1 a number of steps.
        end: what is left of the rate from τ on; textbooks suggest 1 %.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), equation 8.14 (end = ε_τ / ε₀),
    https://www.deeplearningbook.org. Same result as torch.optim.lr_scheduler.LinearLR with start_factor = 1.
    """

    until: Hyper = setting(1.0, above=0)
    end: Hyper = setting(0.01, least=0)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        alpha = step / span(self.until, steps)
        alpha = alpha.clamp(max=1) if isinstance(alpha, Tensor) else min(1.0, alpha)
        return (1 - alpha) + alpha * self.end
