"""Half cosines one after the other, each from the full learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import setting
from ..interfaces import Hyper
from ..times import ROUNDING
from .span import Number, cycle_span, half_cosine
from .warmed import Warmed


@dataclass(frozen=True, kw_only=True)
class CosineRestarts(Warmed):
    """SGDR: the rate falls along half a cosine and jumps back to its full value, in cycles that may grow.

        factor(step) = floor + (1 − floor) · ½ (1 + cos(π t / T))

    t: steps since the last restart; T: length of the present cycle, t_0 at first and t_mult times longer after each.

    Args:
        warmup: length of a linear rise before it; 0 none, up to 1 a part of the run, above 1 a number of steps.
            The formula and all other times are about the steps after it.
        t_0: length of the first cycle; up to 1 a part of the run, above 1 a number of steps. With the default, 1/7, three
            cycles fill the run.
        t_mult: growth of the cycles, at least 1.
        floor: what is left of the rate before each restart, in [0, 1].

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5,
    https://arxiv.org/abs/1608.03983. Same result as torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, which takes
    whole numbers for t_mult alone.
    """

    t_0: Hyper = setting(1 / 7, above=0)
    t_mult: Hyper = setting(2.0, least=1)
    floor: Hyper = setting(0.0, least=0, most=1)

    def course(self, step: Number, steps: Number, state: Any) -> Hyper:
        first, grow = cycle_span(self.t_0, steps), self.t_mult
        if isinstance(first, Tensor) or isinstance(grow, Tensor) or isinstance(step, Tensor):
            part = _part_of_columns(step, first, grow)
        else:
            part = _part(step, first, grow)
        return self.floor + (1 - self.floor) * half_cosine(part)


def _part(step: int | float, first: float, grow: float) -> float:
    """t / T of one trial."""
    if grow == 1:
        begin, length = (step + ROUNDING) // first * first, first
    else:
        begin, length = 0.0, first
        while step + ROUNDING >= begin + length:
            begin, length = begin + length, length * grow
    return max(0.0, step - begin) / length


def _part_of_columns(step: Number, first: Hyper, grow: Hyper) -> Tensor:
    """t / T of each trial; the cycle's number by a logarithm, mended where that is off by rounding."""
    like = next(x for x in (first, grow, step) if isinstance(x, Tensor))
    step, first, grow = (torch.as_tensor(x, dtype=like.dtype, device=like.device) for x in (step, first, grow))
    equal = grow == 1
    ratio = torch.where(equal, 2, grow)

    def begin(cycle: Tensor) -> Tensor:
        return torch.where(equal, cycle * first, first * (ratio**cycle - 1) / (ratio - 1))

    cycle = torch.where(equal, step / first, torch.log1p(step / first * (ratio - 1)) / torch.log(ratio)).floor()
    cycle = cycle + (step >= begin(cycle + 1) - ROUNDING).to(like.dtype)
    cycle = cycle - (step < begin(cycle) - ROUNDING).to(like.dtype)
    return (step - begin(cycle)).clamp(min=0) / (first * torch.where(equal, 1, ratio**cycle))
