"""Tiger: the sign of the gradient's running mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


class TigerState(NamedTuple):
    """m: running mean of the gradient, [trials, n]; layout: where one layer ends and the next begins."""

    m: Params
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class Tiger(FirstOrder[TigerState]):
    """Lion with one decay in place of two: sign descent with momentum.

        m ← beta · m + (1 − beta) g
        x ← x − lr · (sign(m) + weight_decay · x)

    With `layerwise: true` the rate and the decay are each layer's own, as the author recommends for networks:

        biases and normalisation:  x ← x − ½ lr · sign(m)
        all else:                  x ← x − lr · RMS(x) · (sign(m) + weight_decay · x),    RMS(x) = √(mean of x²)

    The rate is then relative to the layer; a layer that starts at zero stays there. The author's code takes the RMS of
    each row of an embedding, his article and we that of the whole. Two more of his measures are left out: steps that
    gather gradients over several batches, and the shrinking of parameters whose gradient is NaN, a remedy for half
    precision.

    Args:
        lr: step length of every parameter, in units of the parameters; where layerwise, as a part of a layer's RMS.
        beta: decay of the running mean, in [0, 1); the author takes 0.965 for language, 0.945 for images.
        weight_decay: part of the parameters that a step of lr = 1 takes away.
        layerwise: rates that follow the size of each layer.

    Raises:
        TypeError: layerwise is neither true nor false.
        ValueError: a value lies outside its range; the message names the trial.

    Source: Su, "Tiger: a tight-fisted optimizer", 2023, https://kexue.fm/archives/9512 (in Chinese) and
    https://github.com/bojone/tiger. Same result as pytorch_optimizer.Tiger where not layerwise.
    """

    family: ClassVar[str] = "sign"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1e-3, least=0)
    beta: Hyper = setting(0.965, least=0, below=1)
    weight_decay: Hyper = setting(0.01, least=0)
    layerwise: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> TigerState:
        return TigerState(torch.zeros_like(params), layout)

    def update(self, params: Params, grad: Params, state: TigerState, lr: Hyper) -> tuple[Params, TigerState]:
        m = torch.lerp(state.m, grad, 1 - self.beta)
        state = TigerState(m, state.layout)
        if not self.layerwise:
            return params - lr * (m.sign() + self.weight_decay * params), state
        sizes = state.layout.sizes
        layers = zip(params.split(sizes, dim=1), m.split(sizes, dim=1), state.layout.roles, strict=True)
        return params - lr * torch.cat([self._of_layer(*layer) for layer in layers], dim=1), state

    def _of_layer(self, x: Tensor, m: Tensor, role: str) -> Tensor:
        """The step of one layer [trials, size] at lr = 1."""
        if role in ("bias", "norm"):
            return 0.5 * m.sign()
        rms = x.square().mean(dim=1, keepdim=True).sqrt_()
        return rms * (m.sign() + self.weight_decay * x)
