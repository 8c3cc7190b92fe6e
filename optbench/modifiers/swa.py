"""Stochastic weight averaging: judged is the plain average of the points of the last part of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import AT_START, check_settings, setting
from ..interfaces import AVERAGES, Hyper, Layout, Params, Rate, UpdateModifier
from ..times import whole_up
from .averages import with_statistics


class SWAState(NamedTuple):
    """t: steps made; first: steps before the first point averaged, by trial; mean: of the points; layout: of the parameters."""

    t: int
    first: Float[Tensor, "trials 1"]
    mean: Params
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class SWA(UpdateModifier):
    """An average in which all points count alike is judged; what the optimizer does stays as it is.

        mean of x_s, x_(s+c), x_(s+2c), …,   s = ⌈start · steps⌉,   c = every

    Before s steps are made, the parameters themselves are judged. The rate of that last part is a schedule's affair: the
    paper has a high constant one, or one that falls in cycles of c steps. Moving statistics are not averaged but those of
    the parameters. Under lookahead the points averaged are the fast weights, with which learning goes on.

    Args:
        start: part of the budget after which the average begins.
        every: steps from one point averaged to the next.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Izmailov, Podoprikhin, Garipov, Vetrov & Wilson, "Averaging weights leads to wider optima and better
    generalization", UAI 2018, Algorithm 1, https://arxiv.org/abs/1803.05407. Same result as
    torch.optim.swa_utils.AveragedModel, updated at these steps, its buffers copied.
    """

    turn: ClassVar[int] = AVERAGES

    start: Hyper = setting(0.75, least=0, below=1, no_schedule=AT_START)
    every: int = setting(1, least=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> SWAState:
        start = torch.as_tensor(self.start, dtype=torch.float64, device=params.device)
        first = torch.as_tensor(whole_up(start * steps))
        return SWAState(0, first.expand(len(params), 1), params, layout)

    def apply(self, before: Params, after: Params, lr: Rate, state: SWAState) -> tuple[Params, SWAState]:
        t, first, mean, layout = state.t + 1, state.first, state.mean, state.layout
        since = t - first
        counted = torch.where(since < 0, 0, (since / self.every).floor()).to(after.dtype)
        newest = torch.where(counted > 0, torch.lerp(mean, after, 1 / (counted + 1)), after)
        mean = torch.where((since < 0) | (since % self.every == 0), newest, mean)
        return after, SWAState(t, first, mean, layout)

    def judged(self, params: Params, state: SWAState) -> Params:
        return with_statistics(torch.where(state.t < state.first, params, state.mean), params, state.layout)
