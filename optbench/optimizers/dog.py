"""DoG: the distance gone over the gradients met is the step length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import AT_START, check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params, Rate
from .layerwise import ALWAYS_LEFT_OUT, layer_norms, layers_but, spread


class DoGState(NamedTuple):
    """x0: the start, [trials, n]; r: largest distance from it so far; G: sum of squared gradient lengths, [trials, 1], or
    [trials, layers] each; layout: where the layers lie."""

    x0: Params
    r: Float[Tensor, "trials parts"]
    G: Float[Tensor, "trials parts"]
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class DoG(FirstOrder[DoGState]):
    """Distance over gradients.

        r ← max(r, ‖x − x₀‖),   G ← G + ‖g‖²,       begun with r = reps_rel · (1 + ‖x₀‖), G = eps
        x ← x − lr · (r / √G) · g

    Norms are over all parameters of a trial, moving statistics left out, or over each layer (LDoG). The authors judge an
    average of the iterates; take a modifier that averages for that.

    Args:
        lr: multiple of the step length; 1 is the method.
        reps_rel: first step's length relative to 1 + ‖x₀‖; small. The authors use 1e-4 with batch normalisation.
        eps: first value of G, in units of the gradient squared.
        layerwise: distances, gradients and step lengths for each layer by itself.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Ivgi, Hinder & Carmon, "DoG is SGD's best friend: a parameter-free dynamic step size schedule", ICML 2023,
    equation 1, https://arxiv.org/abs/2302.12022. Same result as dog.DoG and dog.LDoG.
    """

    family: ClassVar[str] = "parameter-free"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1.0, least=0)
    reps_rel: Hyper = setting(1e-6, above=0, no_schedule=AT_START)
    eps: Hyper = setting(1e-8, above=0, no_schedule=AT_START)
    layerwise: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> DoGState:
        length = self._norms(params, layout)
        return DoGState(params.clone(), self.reps_rel * (1 + length), torch.zeros_like(length) + self.eps, layout)

    def update(self, params: Params, grad: Params, state: DoGState, lr: Hyper) -> tuple[Params, DoGState]:
        x0, r, G, layout = state
        r = torch.maximum(r, self._norms(params - x0, layout))
        G = G + self._norms(grad, layout).square()
        after = DoGState(x0, r, G, layout)
        return params - self._length(lr, after) * grad, after

    def rate(self, before: DoGState, after: DoGState, factor: Hyper) -> Rate:
        return self._length(self.lr * factor, after)

    def _length(self, lr: Hyper, state: DoGState) -> Rate:
        ratio = state.r / state.G.sqrt()
        return lr * (spread(ratio, state.layout) if self.layerwise else ratio)

    def _norms(self, params: Params, layout: Layout) -> Float[Tensor, "trials parts"]:
        norms = layer_norms(params, layout)
        if self.layerwise:
            return norms
        return (norms * layers_but(ALWAYS_LEFT_OUT, layout, params)).norm(dim=1, keepdim=True)
