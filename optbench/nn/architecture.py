"""The choices that networks of several kinds share: activation, normalisation, initialisation, dropout."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

from ..checks import setting
from .initialisers import SCHEMES
from .learning import Learning

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
NORMALISATIONS = ("none", "batch", "layer", "group")
GROUPS = 4
"""Groups of a group normalisation, or the largest power of two below that divides the units and leaves two in each."""


@dataclass(frozen=True, kw_only=True)
class Architecture(Learning):
    """A learning problem whose network is built here, layer by layer.

    Args:
        activation: relu, leaky_relu (slope 0.01), gelu, silu, tanh or sigmoid.
        normalisation: none; batch, over the batch (and places of an image) for each unit; layer, over all units of a
            sample; group, over a group of them, of two or more (of an image's channels, and its places, also of one). It
            stands between a layer and its activation.
        initialisation: law of the weights at the start; torch: torch's own, U(±1/√m) with m inputs of a unit, biases
            alike; with any other, biases start at zero.
        input_dropout: probability that an input is set to zero in training.
        hidden_dropout: probability that a hidden unit is; after its activation.
    """

    activation: str = setting("relu", choices=ACTIVATIONS)
    normalisation: str = setting("none", choices=NORMALISATIONS)
    initialisation: str = setting("torch", choices=SCHEMES)
    input_dropout: float = setting(0.0, least=0, below=1)
    hidden_dropout: float = setting(0.0, least=0, below=1)

    @property
    def scheme(self) -> str:
        return self.initialisation

    def activate(self) -> list[nn.Module]:
        """The activation, and dropout where it is asked for."""
        layers = [ACTIVATIONS[self.activation]()]
        return [*layers, nn.Dropout(self.hidden_dropout)] if self.hidden_dropout else layers

    def first(self) -> list[nn.Module]:
        """Dropout of the inputs, where it is asked for."""
        return [nn.Dropout(self.input_dropout)] if self.input_dropout else []

    def dense(self, *sizes: int) -> list[nn.Module]:
        """Fully connected layers of these widths, inputs first; the last has neither normalisation nor activation."""
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes[:-1]):
            layers += [nn.Linear(before, after), *self.normalise(after), *self.activate()]
        return [*layers, nn.Linear(sizes[-2], sizes[-1])]

    def normalise(self, width: int, *, image: bool = False) -> list[nn.Module]:
        """The normalisation of so many units or channels; none is an empty list.

        Raises:
            ValueError: it is over a single number, of which only the bias would be left.
        """
        groups = math.gcd(GROUPS, width)
        if not image and groups == width:  # channels of an image may be groups of one, as they have many places
            groups = width // 2
        if not image and width == 1 and self.normalisation in ("layer", "group"):
            raise ValueError(
                f"{type(self).__name__}: normalisation={self.normalisation} needs two units or more in a layer, as of one "
                "nothing but its bias is left"
            )
        made = {
            "none": lambda: None,
            "batch": lambda: nn.BatchNorm2d(width) if image else nn.BatchNorm1d(width),
            "layer": lambda: nn.GroupNorm(1, width) if image else nn.LayerNorm(width),
            "group": lambda: nn.GroupNorm(groups, width),
        }[self.normalisation]()
        return [] if made is None else [made]


def widths(owner: str, name: str, value: object) -> tuple[int, ...]:
    """A list of layer widths.

    Raises:
        ValueError: it is no list of whole numbers of at least 1.
    """
    found: list[Any] = list(value) if isinstance(value, (tuple, list)) else [None]
    if any(isinstance(width, bool) or not isinstance(width, int) or width < 1 for width in found):
        raise ValueError(f"{owner}: {name} must hold whole numbers of at least 1, got {value!r}")
    return tuple(found)
