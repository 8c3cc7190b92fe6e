"""The learning rate goes up and down on straight lines, again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from ..times import ROUNDING
from .span import at_least, cycle_span, where


@dataclass(frozen=True, kw_only=True)
class Cyclic(Schedule):
    """Triangles between a floor and the full rate.

        factor(step) = floor + (1 − floor) · x · s,   x: from 0 up to 1 and down to 0 in each cycle

        triangular: s = 1      triangular2: s = ½ᵏ in cycle k = 0, 1, …      exp_range: s = e^(−rate · step / steps)

    The rate is the highest one, torch's max_lr; floor is base_lr / max_lr.

    Args:
        up: length of the rise; up to 1 a part of the run, above 1 a number of steps. The default gives five cycles.
        down: length of the fall, in the same units; null: as the rise.
        floor: the lowest part of the rate, in [0, 1].
        mode: triangular, triangular2 or exp_range.
        rate: decay of the triangles over the whole run, in mode exp_range; torch's gamma is e^(−rate / steps).
        inverted: 1 where the rate would be floor and the other way round, which is what momentum does meanwhile.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017, https://arxiv.org/abs/1506.01186,
    section 3 (floor a third to a quarter of the rate, at least three cycles). Same result as
    torch.optim.lr_scheduler.CyclicLR.
    """

    up: Hyper = setting(0.1, above=0)
    down: Hyper | None = setting(None, above=0, optional=True)
    floor: Hyper = setting(0.25, least=0, most=1)
    mode: str = setting("triangular", choices=("triangular", "triangular2", "exp_range"))
    rate: Hyper = setting(3.0, least=0, only={"mode": ("exp_range",)})
    inverted: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        up = cycle_span(self.up, steps)
        down = up if self.down is None else cycle_span(self.down, steps)
        cycle = (step + ROUNDING) // (up + down)
        at = at_least(step - cycle * (up + down), 0.0)
        x = where(at <= up, at / up, (up + down - at) / down)
        if self.mode == "triangular2":
            x = x * 0.5**cycle
        elif self.mode == "exp_range":
            x = x * math.e ** (-self.rate * (step / steps))
        return 1 - (1 - self.floor) * x if self.inverted else self.floor + (1 - self.floor) * x
