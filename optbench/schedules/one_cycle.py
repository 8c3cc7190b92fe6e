"""The 1cycle policy: the learning rate rises, falls, and vanishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import check_settings, setting
from ..interfaces import Hyper, Schedule
from .span import half_cosine, where


@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """From a low rate up to the full one, then down to nearly nothing, over exactly one run.

        two phases:    1/div_factor → 1 until p = pct_start · steps − 1,   1 → low until steps − 1
        three phases:  1/div_factor → 1 until p,   1 → 1/div_factor until 2p,   1/div_factor → low until steps − 1
        low = 1 / (div_factor · final_div_factor);   a → b reads b + (a − b) · ½ (1 + cos πu), or linearly, u from 0 to 1

    The rate is the highest one, torch's max_lr. The momentum that goes with it is the schedule `one_cycle_momentum`.

    Args:
        pct_start: part of the run in which the rate rises, in [0, 1].
        div_factor: how many times lower the rate starts.
        final_div_factor: how many times lower still it ends.
        anneal_strategy: cos or linear.
        three_phase: the fall mirrors the rise, and the rate vanishes in a third phase.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Smith & Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018,
    https://arxiv.org/abs/1708.07120 (three phases, linear); fastai's form is two phases of cosines. Same result as
    torch.optim.lr_scheduler.OneCycleLR, which divides by zero where pct_start · steps is 1.
    """

    pct_start: Hyper = setting(0.3, least=0, most=1)
    div_factor: Hyper = setting(25.0, least=1)
    final_div_factor: Hyper = setting(1e4, least=1)
    anneal_strategy: str = setting("cos", choices=("cos", "linear"))
    three_phase: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def factor(self, step: int, steps: int, state: Any) -> Hyper:
        start = 1 / self.div_factor
        low = start / self.final_div_factor
        heights = (start, 1.0, start, low) if self.three_phase else (start, 1.0, low)
        return through(heights, self.pct_start, step, steps, self.anneal_strategy)


def through(heights: Sequence[Hyper], pct_start: Hyper, step: int, steps: int, anneal_strategy: str) -> Hyper:
    """The height at this step, on the way through two or three phases."""
    rise = pct_start * steps - 1
    ends = (rise, steps - 1) if len(heights) == 3 else (rise, 2 * rise, steps - 1)
    begins, factor = (0, *ends), heights[-1]
    for k in reversed(range(len(ends))):
        length = ends[k] - begins[k]
        u = where(length == 0, 1.0, (step - begins[k]) / where(length == 0, 1.0, length))
        here = _between(heights[k], heights[k + 1], u, anneal_strategy)
        factor = here if k == len(ends) - 1 else where(step <= ends[k], here, factor)
    return factor


def _between(start: Hyper, end: Hyper, u: Hyper, anneal_strategy: str) -> Hyper:
    if anneal_strategy == "linear":
        return start + (end - start) * u
    return end + (start - end) * half_cosine(u)
