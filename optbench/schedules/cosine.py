"""The learning rate rises to its full value and falls along half a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import span


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
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

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        if isinstance(self.warmup, Tensor):
            w = torch.where(self.warmup > 0, span(self.warmup, steps), 0)
            angle = math.pi * (step - w) / (steps - w).clamp(min=1)
            fall = self.floor + (1 - self.floor) * 0.5 * (1 + torch.cos(angle))
            return torch.where(step < w, (step + 1) / w.clamp(min=1), fall)
        w = span(self.warmup, steps) if self.warmup > 0 else 0.0
        if step < w:
            return (step + 1) / w
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * (step - w) / (steps - w)))
