"""Schedule-free AdamW: AdamW's steps, averaged so that no schedule is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .averaging import between, share
from .powers import power


class ScheduleFreeAdamWState(NamedTuple):
    """t: steps taken; e: z − x, where z is the point that takes the steps; v: running mean of g², [trials, n] each; lr_max: largest rate
    so far; weights: sum of the weights of the average, [trials, 1] each; layout: where the layers lie."""

    t: int
    e: Params
    v: Params
    lr_max: Float[Tensor, "trials 1"]
    weights: Float[Tensor, "trials 1"]
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeAdamW(FirstOrder[ScheduleFreeAdamWState]):
    """AdamW whose average is judged, and whose gradient is taken between the average and the last iterate.

        y ← (1 − β₁) z + β₁ x,      g at y
        v ← β₂ v + (1 − β₂) g²
        z ← z − lrₜ · (g / (√(v / (1 − β₂ᵗ)) + eps) + weight_decay · y),      lrₜ = lr · min(1, t / warmup_steps)
        c ← wₜ / (w₁ + … + wₜ),      wₜ = tʳ · (max lr₁ … lrₜ)^weight_lr_power
        x ← (1 − c) x + c z

    Moving statistics of normalisation layers are those gathered at y, as in the reference. What a modifier does to x after the
    step (weight decay, say) moves z as far.

    Args:
        lr: step length of z, in units of the parameters. A schedule multiplies it but should not be needed.
        betas: weight of the average in the point where the gradient is taken, and decay of the running mean.
        eps: floor of the denominator, in units of the gradient.
        weight_decay: part of y that a step of lr = 1 takes away.
        warmup_steps: steps over which the rate rises to lr.
        r: power of t in the weights of the average.
        weight_lr_power: power of the largest rate in the weights of the average, so that warm-up counts less.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Defazio et al., "The road less scheduled", NeurIPS 2024, Algorithm 1, https://arxiv.org/abs/2405.15682. The
    algorithm puts the bias correction √(1 − β₂ᵗ) into the rate. Same result as schedulefree.AdamWScheduleFree, which
    corrects v as above and whose evaluation mode shows x.
    """

    family: ClassVar[str] = "averaged"

    lr: Hyper = setting(2.5e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-8, least=0)
    weight_decay: Hyper = setting(0.0, least=0)
    warmup_steps: int = setting(0, least=0)
    r: Hyper = setting(0.0)
    weight_lr_power: Hyper = setting(2.0)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> ScheduleFreeAdamWState:
        nothing = params.new_zeros(params.shape[0], 1)
        return ScheduleFreeAdamWState(
            0, torch.zeros_like(params), torch.zeros_like(params), nothing, nothing.clone(), layout
        )

    def asks_at(self, params: Params, state: ScheduleFreeAdamWState) -> Params:
        return between(params, state.e, self.betas[0], state.layout)

    def update(
        self, params: Params, grad: Params, state: ScheduleFreeAdamWState, lr: Hyper
    ) -> tuple[Params, ScheduleFreeAdamWState]:
        (b1, b2), t = self.betas, state.t + 1
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        root = (v / (1 - power(b2, float(t)))).sqrt_().add_(self.eps)
        lr = lr * min(1.0, t / max(self.warmup_steps, 1))
        y = params + (1 - b1) * state.e
        z = params + state.e - lr * (grad / root).add_(self.weight_decay * y)
        c, lr_max, weights = share(t, lr, state.lr_max, state.weights, self.r, self.weight_lr_power)
        x = torch.lerp(params, z, c)
        return x, ScheduleFreeAdamWState(t, z - x, v, lr_max, weights, state.layout)
