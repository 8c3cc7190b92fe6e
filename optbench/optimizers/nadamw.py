"""NAdamW: NAdam with weight decay that its denominator does not touch."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import setting
from ..interfaces import Hyper, Params
from .nadam import NAdam, NAdamState


@dataclass(frozen=True, kw_only=True)
class NAdamW(NAdam):
    """NAdam with decoupled weight decay.

        μₜ = β₁ · (1 − ½ · 0.96^(t · momentum_decay))
        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        n = (1 − μₜ) / (1 − μ₁ … μₜ) · g + μₜ₊₁ / (1 − μ₁ … μₜ₊₁) · m
        x ← (1 − lr · weight_decay) · x − lr · n / (√(v / (1 − β₂ᵗ)) + eps)

    The modifier `weight_decay` on `nadam` gives the same.

    Args:
        lr: step length, in units of the parameters.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient.
        momentum_decay: speed with which μ rises, per step; 0 keeps it at β₁ / 2.
        weight_decay: part of the parameters that a step of lr = 1 takes away.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016 workshop,
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, with the decay of Loshchilov & Hutter, "Decoupled weight decay
    regularization", ICLR 2019, Algorithm 2, https://arxiv.org/abs/1711.05101.
    Same result as torch.optim.NAdam(decoupled_weight_decay=True).
    """

    weight_decay: Hyper = setting(1e-2, least=0)

    def update(self, params: Params, grad: Params, state: NAdamState, lr: Hyper) -> tuple[Params, NAdamState]:
        return super().update((1 - lr * self.weight_decay) * params, grad, state, lr)
