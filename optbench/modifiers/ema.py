"""EMA: judged is an average over the last steps, in which older ones count less and less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import AVERAGES, Hyper, Layout, Params, Rate, UpdateModifier
from .averages import with_statistics


class EMAState(NamedTuple):
    """t: steps made; weight: of all points in units of the last one's; m: the average; layout: of the parameters."""

    t: int
    weight: Hyper
    m: Params
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class EMA(UpdateModifier):
    """An exponential moving average of the parameters is judged; what the optimizer does stays as it is.

        m₁ = x₁,   mₜ = decay · mₜ₋₁ + (1 − decay) xₜ

    corrected: x₁ counts no more than what comes after it, and early averages are short ones:

        mₜ = Σᵢ decayᵗ⁻ⁱ xᵢ / Σᵢ decayᵗ⁻ⁱ,   i = 1 … t

    Moving statistics are not averaged but those of the parameters. Under lookahead the points averaged are the fast
    weights, with which learning goes on.

    Args:
        decay: what the average keeps of itself in a step; about 1/(1 − decay) steps count.
        corrected: the start is corrected.

    Raises:
        ValueError: decay lies outside [0, 1); the message names the trial.

    Source: Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control and Optimization
    30 (1992), 838-855; the exponential form and its correction: Kingma & Ba, "Adam", ICLR 2015, section 7.2,
    https://arxiv.org/abs/1412.6980. Not corrected, same result as torch.optim.swa_utils.AveragedModel with
    get_ema_avg_fn(decay), its buffers copied.
    """

    turn: ClassVar[int] = AVERAGES

    decay: Hyper = setting(0.999, least=0, below=1)
    corrected: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> EMAState:
        return EMAState(0, 0.0, params, layout)

    def apply(self, before: Params, after: Params, lr: Rate, state: EMAState) -> tuple[Params, EMAState]:
        t, m, layout = state.t + 1, state.m, state.layout
        weight = self.decay * state.weight + 1
        share = 1 / weight if self.corrected else 1 - self.decay
        m = after if t == 1 else torch.lerp(m, after, share)
        return after, EMAState(t, weight, m, layout)

    def judged(self, params: Params, state: EMAState) -> Params:
        return with_statistics(state.m, params, state.layout)
