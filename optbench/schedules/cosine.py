"""The learning rate rises to its full value and falls along half a cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import setting
from ..interfaces import Hyper
from .span import Number, half_cosine
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class Cosine(Warmed):
    """Linear warm-up over w steps, then half a cosine down to the floor.

        factor(step) = (step + 1) / w                                              for step < w
        factor(step) = floor + (1 − floor) · ½ (1 + cos(π (step − w) / (steps − w)))     afterwards

    Args:
        warmup: the length w of the rise; 0 none, up to 1 a part of the run, above 1 a number of steps.
        floor: what is left of the rate at the end, in [0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5 without
    restarts, https://arxiv.org/abs/1608.03983; warm-up: Goyal et al., "Accurate, large minibatch SGD", 2017, section
    2.2, https://arxiv.org/abs/1706.02677. Same result as torch's CosineAnnealingLR, after LinearLR for the warm-up.
    """

    warmup: Hyper = setting(0.05, least=0)
    floor: Hyper = setting(0.0, least=0, most=1)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        return self.floor + (1 - self.floor) * half_cosine(step / steps)
