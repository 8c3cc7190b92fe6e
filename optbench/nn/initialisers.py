"""torch's default initialisation of each layer, as a function of uniform numbers, so that it can be drawn per trial."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Initialiser = Callable[[nn.Module, str, Tensor], Tensor]
"""(layer, parameter's own name, uniform numbers in (0, 1) `[trials, *shape]`) → values of the same shape."""


def fan_in_uniform(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """U(±1/√m), m = inputs of a unit, for weights and biases alike.

    Source: torch.nn.Linear.reset_parameters and _ConvNd.reset_parameters: Kaiming-uniform with a = √5, which is
    √(6/((1 + a²) m)) = 1/√m.
    """
    weight = layer.get_parameter("weight")
    return (2 * u - 1) / math.sqrt(math.prod(weight.shape[1:]))


def identity_norm(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """Scale 1, shift 0. Source: reset_parameters of torch's normalisation layers."""
    return torch.ones_like(u) if name == "weight" else torch.zeros_like(u)


def standard_normal(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """N(0, 1). Source: torch.nn.Embedding.reset_parameters."""
    return torch.special.ndtri(u)


INITIALISERS: dict[type[nn.Module], Initialiser] = {
    nn.Linear: fan_in_uniform,
    nn.Conv1d: fan_in_uniform,
    nn.Conv2d: fan_in_uniform,
    nn.LayerNorm: identity_norm,
    nn.GroupNorm: identity_norm,
    nn.Embedding: standard_normal,
}

NORMS = (nn.LayerNorm, nn.GroupNorm)
