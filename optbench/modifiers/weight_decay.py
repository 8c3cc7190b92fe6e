"""Decoupled weight decay, for any optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Params, Rate, UpdateModifier
from .derived import penalised


@dataclass(frozen=True, kw_only=True)
class WeightDecay(UpdateModifier):
    """Each step takes away a part of the parameters, whatever the optimizer does with the gradient.

        x_after ← x_after − lr · strength · x_before

    lr is the rate of the step, schedule included. On `adam` this is AdamW. Methods that find their rate themselves, such as
    `prodigy` and `dog`, decay with the rate found; where there is none but a first length to try, as with line searches, or a
    factor of one on the step (`polyak`, `cocob`), lr is that setting.

    Args:
        strength: part λ of the parameters that a step of lr = 1 takes away.
        biases: shrink biases and normalisation parameters too, not weights alone.

    Raises:
        ValueError: strength is negative; the message names the trial.

    Source: Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019, https://arxiv.org/abs/1711.05101;
    multiplied by lr as in torch.optim.AdamW, where the paper multiplies by the schedule's factor alone.
    """

    strength: Hyper = setting(1e-2, least=0)
    biases: bool = setting(True)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> Layout:
        return layout

    def apply(self, before: Params, after: Params, lr: Rate, state: Layout) -> tuple[Params, Layout]:
        return after - lr * self.strength * penalised(before, state, self.biases), state
