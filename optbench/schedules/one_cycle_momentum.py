"""The momentum of the 1cycle policy: low while the learning rate is high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .one_cycle import through


@dataclass(frozen=True, kw_only=True)
class OneCycleMomentum(Schedule):
    """A factor on the momentum that falls while the rate of `one_cycle` rises, and comes back.

        1 → low until p = pct_start · steps − 1,   low → 1 until steps − 1, or until 2p with three phases and 1 then
        a → b reads b + (a − b) · ½ (1 + cos πu), or linearly, u from 0 to 1

    The optimizer's momentum is the highest one, torch's max_momentum; low is base_momentum / max_momentum.

    Args:
        pct_start: part of the run in which it falls, in [0, 1].
        low: the lowest part of the momentum; the default takes 0.95 down to 0.85.
        anneal_strategy: cos or linear.
        three_phase: as in `one_cycle`.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Smith, "A disciplined approach to neural network hyper-parameters: part 1", 2018, section 4.3,
    https://arxiv.org/abs/1803.09820. Same result as the momentum of torch.optim.lr_scheduler.OneCycleLR.
    """

    pct_start: Hyper = setting(0.3, least=0, most=1)
    low: Hyper = setting(0.85 / 0.95, least=0, most=1)
    anneal_strategy: str = setting("cos", choices=("cos", "linear"))
    three_phase: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        heights = (1.0, self.low, 1.0, 1.0) if self.three_phase else (1.0, self.low, 1.0)
        return through(heights, self.pct_start, step, steps, self.anneal_strategy)
