"""Units: the numbers that lead into one neuron or one channel, as views of the rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..interfaces import Hyper, Layout, Params

Units = Float[Tensor, "trials _ _"]


def by_unit(params: Params, layout: Layout) -> list[Units]:
    """Each parameter tensor with one row for each entry of its first dimension; a vector is a single unit.

    In the weights of torch.nn's linear and convolution layers, a unit is what leads into one neuron or one channel.
    """
    shapes = [(shape[0] if len(shape) > 1 else 1) for shape in layout.shapes]
    parts = params.split(layout.sizes, dim=1)
    return [part.view(len(part), units, -1) for part, units in zip(parts, shapes, strict=True)]


def weights(layout: Layout, dimensions: int = 2) -> list[bool]:
    """Which tensors are weights of so many dimensions or more: matrices, or kernels of convolutions with three."""
    known = zip(layout.shapes, layout.roles, strict=True)
    return [role == "weight" and len(shape) >= dimensions for shape, role in known]


def joined(units: Sequence[Units]) -> Params:
    """The rows that `by_unit` took apart."""
    return torch.cat([part.flatten(1) for part in units], dim=1)


def lengths(units: Units) -> Float[Tensor, "trials _ 1"]:
    """Euclidean length of each unit."""
    return torch.linalg.vector_norm(units, dim=2, keepdim=True)


def of_units(value: Hyper) -> float | Float[Tensor, "trials 1 1"]:
    """A setting, ready to be multiplied with units."""
    return value[:, :, None] if isinstance(value, Tensor) else value
