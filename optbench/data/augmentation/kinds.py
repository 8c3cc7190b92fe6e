"""What an augmentation is: a function of samples, a strength and the trial's own uniform numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from ...checks import Range

Draw = Callable[[int], Float[Tensor, "trials count"]]
"""So many uniform numbers in (0, 1) for each trial, float64; asked for once, so that they are not the same ones again."""


class Motion(NamedTuple):
    """How the pixels of each sample move: the value at place p of the result comes from place [[a, −b], [b, a]] (p − s).

    Places are (right, down) in pixels from the middle of the image; s = (right, down).
    """

    a: Float[Tensor, "trials batch"]
    b: Float[Tensor, "trials batch"]
    right: Float[Tensor, "trials batch"]
    down: Float[Tensor, "trials batch"]


@dataclass(frozen=True)
class Kind:
    """One augmentation of the table.

    Args:
        function: what it does.
        legal: strengths it takes.
        images: it needs images `[trials, batch, channels, height, width]`.
        within: the strength is a length in pixels, at most the smaller side of the image.
    """

    function: Callable[..., Any]
    legal: Range
    images: bool = True
    within: bool = False


class Move(Kind):
    """(motion, strength, draw) → motion: moves pixels; all motions are done together, so pixels are interpolated once."""


class Change(Kind):
    """(x, strength, draw) → x: changes the inputs."""


class Mix(Kind):
    """(x, y, strength, draw) → (x, y): changes inputs and targets; labels come as probabilities."""
