"""The learning rate rises to its full value and falls along half a cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import setting
from ..interfaces import Hyper
from .span import Number, at_most, half_cosine, span
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class Cosine(Warmed):
    """Linear warm-up over w steps, then half a cosine down to the floor, constant afterwards.

        factor(step) = (step + 1) / w                                for step < w
        factor(step) = floor + (1 − floor) · ½ (1 + cos(π α))        afterwards
        α = min(1, (step − w) / τ),   τ = until · (steps − w)

    Args:
        warmup: the length w of the rise; 0 none, up to 1 a part of the run, above 1 a number of steps.
        until: the time τ at which the half cosine ends, counted from the end of the warm-up; up to 1 a part of the steps
            left then, above 1 a number of steps.
        floor: what is left of the rate from then on, in [0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5 without
    restarts, https://arxiv.org/abs/1608.03983; warm-up: Goyal et al., "Accurate, large minibatch SGD", 2017, section
    2.2, https://arxiv.org/abs/1706.02677. Same result as torch's CosineAnnealingLR with T_max = τ,
    after LinearLR for the warm-up, up to its end; from there on torch's rises again.
    """

    warmup: Hyper = setting(0.05, least=0)
    until: Hyper = setting(1.0, above=0)
    floor: Hyper = setting(0.0, least=0, most=1)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        alpha = at_most(step / span(self.until, steps), 1.0)
        return self.floor + (1 - self.floor) * half_cosine(alpha)
