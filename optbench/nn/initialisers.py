"""How parameters start: torch's rule for each layer, and named schemes, as functions of uniform numbers of each trial."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import UsageError, near
from .laws import (
    Law,
    fan_out_normal,
    inputs_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    normal,
    orthogonal,
    uniform,
    xavier_normal,
    xavier_uniform,
)
from .layers import Position

Initialiser = Callable[[nn.Module, str, Tensor], Tensor]
"""(layer, parameter's own name, uniform numbers in (0, 1) `[trials, *shape]`) → values of the same shape."""

# ---------------------------------------------------------------------- the rules of torch's layers


def fan_in_uniform(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """U(±1/√m), m = inputs of a unit, for weights and biases alike.

    Source: torch.nn.Linear.reset_parameters and _ConvNd.reset_parameters: Kaiming-uniform with a = √5, which is
    √(6/((1 + a²) m)) = 1/√m.
    """
    m = math.prod(_weight(layer).shape[1:])
    return (2 * u - 1) / math.sqrt(m) if m else torch.zeros_like(u)


def bilinear(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """U(±1/√m), m = first inputs alone, for weights and biases. Source: torch.nn.Bilinear.reset_parameters."""
    return (2 * u - 1) / math.sqrt(_weight(layer).shape[1])


def recurrent(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """U(±1/√hidden) for weights and biases. Source: torch.nn.RNNBase.reset_parameters."""
    return (2 * u - 1) / math.sqrt(int(layer.hidden_size))  # type: ignore[arg-type] # a number in every layer of these kinds


def attention(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """Xavier: projections uniform, the learnt key and value (bias_k, bias_v) normal; other biases 0.

    Source: torch.nn.MultiheadAttention._reset_parameters.
    """
    if name in ("bias_k", "bias_v"):
        return xavier_normal(u)
    return torch.zeros_like(u) if name == "in_proj_bias" else xavier_uniform(u)


def attention_output(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """As every linear layer, but the bias 0. Source: torch.nn.MultiheadAttention._reset_parameters."""
    return torch.zeros_like(u) if name == "bias" else fan_in_uniform(layer, name, u)


def identity_norm(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """Scale 1, shift 0. Source: reset_parameters of torch's normalisation layers."""
    return torch.ones_like(u) if name == "weight" else torch.zeros_like(u)


def standard_normal(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """N(0, 1), the padding token 0. Source: torch.nn.Embedding.reset_parameters."""
    values, padding = torch.special.ndtri(u), getattr(layer, "padding_idx", None)
    if padding is not None:
        values[:, padding] = 0
    return values


def position(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """N(0, 0.02²). Source: as optbench.nn.layers.Position."""
    return normal(u, 0.02**2)


def quarter(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """Slope 0.25, or what the layer was made with. Source: torch.nn.PReLU.reset_parameters."""
    return torch.full_like(u, float(layer.init))  # type: ignore[arg-type] # a number in every layer of these kinds


INITIALISERS: dict[type[nn.Module], Initialiser] = {
    nn.Linear: fan_in_uniform,
    nn.modules.linear.NonDynamicallyQuantizableLinear: attention_output,
    nn.modules.conv._ConvNd: fan_in_uniform,
    nn.Bilinear: bilinear,
    nn.RNNBase: recurrent,
    nn.RNNCellBase: recurrent,
    nn.MultiheadAttention: attention,
    nn.Embedding: standard_normal,
    nn.EmbeddingBag: standard_normal,
    Position: position,
    nn.modules.batchnorm._NormBase: identity_norm,
    nn.LayerNorm: identity_norm,
    nn.GroupNorm: identity_norm,
    nn.RMSNorm: identity_norm,
    nn.PReLU: quarter,
}
"""Class of layers, derived ones included → torch's rule for it."""

NORMS = tuple(kind for kind, rule in INITIALISERS.items() if rule is identity_norm)
"""Normalisation layers; moving statistics or not."""
KEPT = (*NORMS, nn.Embedding, nn.EmbeddingBag, Position, nn.PReLU)
"""Layers whose start no scheme changes."""

# ---------------------------------------------------------------------- schemes


def torchs(layer: nn.Module, name: str, u: Tensor) -> Tensor:
    """torch's own rule for the layer, for weights and biases."""
    rule = _rule(layer)
    assert rule is not None  # `initialise` has made sure
    return INITIALISERS[rule](layer, name, u)


def by_law(law: Law) -> Initialiser:
    """Weights by this law, biases 0; layers of KEPT as torch starts them."""

    def initialiser(layer: nn.Module, name: str, u: Tensor) -> Tensor:
        if isinstance(layer, KEPT):
            return torchs(layer, name, u)
        return torch.zeros_like(u) if "bias" in name else law(u)

    return initialiser


SCHEMES: dict[str, Initialiser] = {
    "torch": torchs,
    "standard_normal": by_law(partial(normal, variance=1.0)),
    "small_normal": by_law(partial(normal, variance=1e-4)),
    "normal_0.1": by_law(partial(normal, variance=0.1)),
    "normal_0.01": by_law(partial(normal, variance=0.01)),
    "uniform_1": by_law(partial(uniform, low=-1.0, high=1.0)),
    "uniform_01": by_law(partial(uniform, low=0.0, high=1.0)),
    "uniform_half": by_law(partial(uniform, low=-0.5, high=0.5)),
    "fan_in_uniform": by_law(inputs_uniform),
    "xavier_uniform": by_law(xavier_uniform),
    "xavier_normal": by_law(xavier_normal),
    "kaiming_uniform": by_law(kaiming_uniform),
    "kaiming_normal": by_law(kaiming_normal),
    "lecun_normal": by_law(lecun_normal),
    "fan_out_normal": by_law(fan_out_normal),
    "orthogonal": by_law(orthogonal),
}
"""Name → how weights start. N(0, 1); 0.01·N(0, 1); N with variance 0.1 and 0.01; U(−1, 1), U(0, 1), U(−½, ½); and laws that
depend on the numbers m of inputs and n of outputs. All but "torch" start biases at 0; whatever the scheme, normalisation
starts as the identity, embeddings as N(0, 1), positions as N(0, 0.02²) and a PReLU's slope at 0.25."""

_NAMES = re.compile(r"(in_proj_|[qkv]_proj_)?(weight|bias)|bias_[kv]|(weight|bias)_(ih|hh|hr)(_l\d+(_reverse)?)?")
"""Own names of parameters for which the rules hold."""


def known(layer: nn.Module) -> bool:
    """Every parameter that is the layer's own has a rule.

    False for a class of layers that torch does not have, and for one derived from torch's that adds parameters or has a
    `reset_parameters` of its own: its constructor knows better.
    """
    kind = _rule(layer)
    if kind is None or not all(_NAMES.fullmatch(name) for name, _ in layer.named_parameters(recurse=False)):
        return False
    resets = ("reset_parameters", "_reset_parameters")
    ancestors = [c for c in type(layer).__mro__ if issubclass(c, kind) and not c.__module__.startswith("torch.nn")]
    return not any(name in vars(c) for c in ancestors for name in resets)


def initialise(layer: nn.Module, name: str, u: Tensor, scheme: str = "torch") -> Tensor:
    """The start of one parameter in each trial.

    Args:
        layer: whose parameter it is.
        name: the parameter's own name in its layer: "weight", "bias", "in_proj_weight".
        u: uniform numbers in (0, 1), `[trials, *shape]`.
        scheme: a key of SCHEMES.

    Returns:
        Values `[trials, *shape]`; row k depends on row k of u alone.

    Raises:
        UsageError: there is no scheme of this name.
        ValueError: no rule is known for the layer.
    """
    if scheme not in SCHEMES:
        raise UsageError(
            f"no initialisation is called {scheme!r}{near(scheme, SCHEMES)} (there are {', '.join(SCHEMES)})"
        )
    if not known(layer):
        kinds = ", ".join(kind.__name__.lstrip("_") for kind in INITIALISERS)
        raise ValueError(f"no initialiser for {type(layer).__name__}; known are {kinds}")
    return SCHEMES[scheme](layer, name, u)


def _rule(layer: nn.Module) -> type[nn.Module] | None:
    """The nearest ancestor of the layer's class that has a rule."""
    return next((kind for kind in type(layer).__mro__ if kind in INITIALISERS), None)


def _weight(layer: nn.Module) -> Tensor:
    """Its shape counts; it may be no parameter, as where torch.nn.utils.parametrize computes it."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight
