"""The layers' matrices as views of the rows, for the methods that act on matrices."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ..aligned import Matrices, check_solvable
from ..interfaces import Layout, Oracle, Params

Vectors = Float[Tensor, "trials _"]


def is_matrix(shape: tuple[int, ...]) -> bool:
    """At least two rows and two columns; a convolution's kernels are rows of all that one output sees."""
    return len(shape) > 1 and shape[0] > 1 and any(size > 1 for size in shape[1:])


def check_matrices(params: Params, oracle: Oracle) -> None:
    """Raise a ValueError, one line, where the layers have matrices of a type that torch does not solve with."""
    if any(map(is_matrix, oracle.layout.shapes)):
        check_solvable(params.dtype)


def matrices(params: Params, layout: Layout) -> dict[str, Matrices]:
    """Views [trials, rows, columns] of the layers that are matrices, by name."""
    parts = zip(layout.names, layout.shapes, params.split(layout.sizes, dim=1), strict=True)
    return {name: part.view(len(params), shape[0], -1) for name, shape, part in parts if is_matrix(shape)}


def vectors(params: Params, layout: Layout) -> Vectors:
    """Everything else, in one row."""
    parts = zip(layout.shapes, params.split(layout.sizes, dim=1), strict=True)
    rest = [part for shape, part in parts if not is_matrix(shape)]
    return torch.cat(rest, dim=1) if rest else params[:, :0]


def joined(found: dict[str, Matrices], rest: Vectors, layout: Layout) -> Params:
    """The rows whose matrices and other parameters these are."""
    sizes = [size for shape, size in zip(layout.shapes, layout.sizes, strict=True) if not is_matrix(shape)]
    others = iter(rest.split(sizes, dim=1) if sizes else ())
    parts = zip(layout.names, layout.shapes, strict=True)
    return torch.cat([found[name].flatten(1) if is_matrix(shape) else next(others) for name, shape in parts], dim=1)


def mapped(params: Params, layout: Layout, change: Callable[[str, Matrices], Matrices]) -> Params:
    """The rows with `change(name, matrix)` in place of each matrix."""
    found = {name: change(name, matrix) for name, matrix in matrices(params, layout).items()}
    return joined(found, vectors(params, layout), layout)
