"""LARS: momentum whose step in each layer is a given part of that layer's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .layerwise import ALWAYS_LEFT_OUT, BIASES_AND_NORMS, layer_norms, layers_but, spread, trust_ratios


class LARSState(NamedTuple):
    """v: decaying sum of the scaled gradients, [trials, n]; layout: where the layers lie."""

    v: Params
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class LARS(FirstOrder[LARSState]):
    """Layer-wise adaptive rate scaling. For the parameters x and gradient g of each layer:

        q ← trust_coefficient · ‖x‖ / (‖g‖ + weight_decay · ‖x‖),   1 where ‖x‖ or the denominator is 0
        v ← momentum · v + q · (g + weight_decay · x)
        x ← x − lr · v

    Layers that are left out take plain momentum steps, q = 1, without decay. The paper multiplies by lr before the
    velocity gathers, as textbooks do for momentum: the same points while lr is constant.

    Args:
        lr: multiple of each layer's own rate.
        momentum: part of the velocity that is kept from step to step, in [0, 1).
        weight_decay: strength of the penalty, in units of gradient per parameter.
        trust_coefficient: length of a step at lr = 1 as a part of the layer's length.
        scaled: `weights` leaves biases and the scales and shifts of norms out, as is the practice; `all` scales every layer.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: You, Gitman & Ginsburg, "Large batch training of convolutional networks", 2017, Algorithm 1,
    https://arxiv.org/abs/1708.03888. Same result as pytorch_optimizer.LARS, which leaves every vector out.
    """

    family: ClassVar[str] = "sgd"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1.0, least=0)
    momentum: Hyper = setting(0.9, least=0, below=1)
    weight_decay: Hyper = setting(5e-4, least=0)
    trust_coefficient: Hyper = setting(1e-3, least=0)
    scaled: str = setting("weights", choices=("weights", "all"))

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> LARSState:
        return LARSState(torch.zeros_like(params), layout)

    def update(self, params: Params, grad: Params, state: LARSState, lr: Hyper) -> tuple[Params, LARSState]:
        layout, decay = state.layout, self.weight_decay
        left_out = BIASES_AND_NORMS if self.scaled == "weights" else ALWAYS_LEFT_OUT
        chosen = layers_but(left_out, layout, params)
        length = layer_norms(params, layout)
        update = layer_norms(grad, layout) + decay * length
        q = spread(trust_ratios(self.trust_coefficient, length, update, chosen), layout)
        decayed = grad + decay * spread(chosen, layout) * params
        v = self.momentum * state.v + q * decayed
        return params - lr * v, LARSState(v, layout)
