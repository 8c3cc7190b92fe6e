"""Schedule-free SGD: an average of the iterates that needs no schedule to settle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .averaging import between, share


class ScheduleFreeSGDState(NamedTuple):
    """t: steps taken; e: z − x, where z is the point that takes the steps, [trials, n]; lr_max: largest rate so far; weights: sum of the
    weights of the average, [trials, 1] each; layout: where the layers lie."""

    t: int
    e: Params
    lr_max: Float[Tensor, "trials 1"]
    weights: Float[Tensor, "trials 1"]
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeSGD(FirstOrder[ScheduleFreeSGDState]):
    """SGD whose average is judged, and whose gradient is taken between the average and the last iterate.

        y ← (1 − momentum) z + momentum · x,      g at y, with weight_decay · y added
        z ← z − lrₜ · g,      lrₜ = lr · min(1, t / warmup_steps)
        c ← wₜ / (w₁ + … + wₜ),      wₜ = tʳ · (max lr₁ … lrₜ)^weight_lr_power
        x ← (1 − c) x + c z

    Moving statistics of normalisation layers are those gathered at y, as in the reference. What a modifier does to x after the
    step (weight decay, say) moves z as far.

    Args:
        lr: step length of z for a gradient of length one. A schedule multiplies it but should not be needed.
        momentum: weight of the average in the point where the gradient is taken, in [0, 1].
        weight_decay: strength of the penalty at y, in units of gradient per parameter.
        warmup_steps: steps over which the rate rises to lr.
        r: power of t in the weights of the average.
        weight_lr_power: power of the largest rate in the weights of the average, so that warm-up counts less.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Defazio et al., "The road less scheduled", NeurIPS 2024, equations 3 to 5, https://arxiv.org/abs/2405.15682.
    Same result as schedulefree.SGDScheduleFree, whose evaluation mode shows x and whose default rate is 1.
    """

    family: ClassVar[str] = "averaged"

    lr: Hyper = setting(1e-3, least=0)
    momentum: Hyper = setting(0.9, least=0, most=1)
    weight_decay: Hyper = setting(0.0, least=0)
    warmup_steps: int = setting(0, least=0)
    r: Hyper = setting(0.0)
    weight_lr_power: Hyper = setting(2.0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> ScheduleFreeSGDState:
        nothing = params.new_zeros(params.shape[0], 1)
        return ScheduleFreeSGDState(0, torch.zeros_like(params), nothing, nothing.clone(), layout)

    def asks_at(self, params: Params, state: ScheduleFreeSGDState) -> Params:
        return between(params, state.e, self.momentum, state.layout)

    def update(
        self, params: Params, grad: Params, state: ScheduleFreeSGDState, lr: Hyper
    ) -> tuple[Params, ScheduleFreeSGDState]:
        t = state.t + 1
        lr = lr * min(1.0, t / max(self.warmup_steps, 1))
        y = params + (1 - self.momentum) * state.e
        z = params + state.e - lr * (grad + self.weight_decay * y)
        c, lr_max, weights = share(t, lr, state.lr_max, state.weights, self.r, self.weight_lr_power)
        x = torch.lerp(params, z, c)
        return x, ScheduleFreeSGDState(t, z - x, lr_max, weights, state.layout)
