"""LAMB: Adam's direction, with a step in each layer as long as the layer's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from .layerwise import ALWAYS_LEFT_OUT, BIASES_AND_NORMS, layer_norms, layers_but, spread, trust_ratios
from .powers import power


class LAMBState(NamedTuple):
    """t: steps taken; m, v: running means of g and g², each [trials, n]; layout: where the layers lie."""

    t: int
    m: Params
    v: Params
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class LAMB(FirstOrder[LAMBState]):
    """Layer-wise adaptive moments for batch training. For the parameters x of each layer:

        m ← β₁ m + (1 − β₁) g                 v ← β₂ v + (1 − β₂) g²
        u ← (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + eps) + weight_decay · x
        x ← x − lr · (φ(‖x‖) / ‖u‖) · u,   φ(‖x‖) = min(‖x‖, longest); the ratio is 1 where ‖x‖ or ‖u‖ is 0

    Layers that are left out take Adam's step: ratio 1, no decay.

    Args:
        lr: length of a step as a part of the layer's length.
        betas: decay of the two running means, each in [0, 1).
        eps: floor of the denominator, in units of the gradient.
        weight_decay: part of the parameters that is added to Adam's direction.
        bias_correction: divide by 1 − βᵗ. The paper's third version and many codes do not.
        longest: bound on ‖x‖ in the ratio, in units of the parameters; null for none. pytorch_optimizer has 10.
        scaled: `weights` leaves biases and the scales and shifts of norms out, as is the practice; `all` scales every layer.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020,
    Algorithm 2, https://arxiv.org/abs/1904.00962. Same result as pytorch_optimizer.Lamb(weight_decouple=False,
    adam_debias=True) where eps is tiny, with no bias correction, longest 10 and every layer scaled: its eps is also in the
    ratio's denominator.
    """

    family: ClassVar[str] = "adaptive"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1e-3, least=0)
    betas: tuple[Hyper, Hyper] = setting((0.9, 0.999), least=0, below=1)
    eps: Hyper = setting(1e-6, least=0)
    weight_decay: Hyper = setting(1e-2, least=0)
    bias_correction: bool = setting(True)
    longest: Hyper | None = setting(None, above=0, optional=True)
    scaled: str = setting("weights", choices=("weights", "all"))

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> LAMBState:
        return LAMBState(0, torch.zeros_like(params), torch.zeros_like(params), layout)

    def update(self, params: Params, grad: Params, state: LAMBState, lr: Hyper) -> tuple[Params, LAMBState]:
        (b1, b2), layout, t = self.betas, state.layout, state.t + 1
        m = torch.lerp(state.m, grad, 1 - b1)
        v = torch.lerp(state.v, grad * grad, 1 - b2)
        left1, left2 = (1 - power(b1, float(t)), 1 - power(b2, float(t))) if self.bias_correction else (1.0, 1.0)
        u = (m / left1).div_((v / left2).sqrt_().add_(self.eps))

        left_out = BIASES_AND_NORMS if self.scaled == "weights" else ALWAYS_LEFT_OUT
        chosen = layers_but(left_out, layout, params)
        u = u + self.weight_decay * spread(chosen, layout) * params
        length = layer_norms(params, layout)
        if self.longest is not None:
            length = length.clamp(max=self.longest)
        ratio = spread(trust_ratios(1.0, length, layer_norms(u, layout), chosen), layout)
        return params - lr * ratio * u, LAMBState(t, m, v, layout)
