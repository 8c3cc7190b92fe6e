"""Orthogonal: weight matrices are held orthogonal by re-parametrisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..aligned import check_solvable
from ..interfaces import Params, Problem, ProblemModifier
from .derived_problem import core
from .reparametrised import Reparametrised


@dataclass(frozen=True, kw_only=True)
class Orthogonal(ProblemModifier):
    """Each weight matrix is a rotation; the optimizer moves V, free on ℝⁿ.

        W = expm(V − Vᵀ),   so WᵀW = I and det W = 1

    A matrix [r, c] that is not square has a V of its own shape, filled up with zeros to a square; W is the first c columns,
    or rows, of the exponential: its columns are orthonormal where r > c, its rows where r < c. Biases, kernels of
    convolutions and all else stay free. V starts with the numbers of W₀, since a matrix that is drawn is hardly ever a
    rotation: W starts at expm(W₀ − W₀ᵀ). Everything is judged at W. An exponential of each matrix is computed in each step,
    by trial: about ten products of matrices of its larger side.

    Raises:
        ValueError: the problem has no matrix among its weights, or its numbers are neither float32 nor float64.

    Source: Lezcano-Casado & Martínez-Rubio, "Cheap orthogonal constraints in neural networks", ICML 2019,
    https://arxiv.org/abs/1901.08428. Same as torch.nn.utils.parametrizations.orthogonal with
    orthogonal_map="matrix_exp" but for the start, and that V there has zeros on and above the diagonal.
    """

    def change(self, problem: Problem) -> Problem:
        try:
            check_solvable(problem.kind["dtype"])
        except ValueError as error:
            raise ValueError(f"orthogonal: {error}") from error
        changed = Rotations(inner=problem)
        if not changed.matrices:
            raise ValueError(
                f"orthogonal needs a problem with weight matrices, and {type(core(problem)).__name__} has none"
            )
        return changed


@dataclass(frozen=True, kw_only=True)
class Rotations(Reparametrised):
    """Weight matrices are orthogonal."""

    @property
    def matrices(self) -> tuple[str, ...]:
        """The names of the weights that are matrices."""
        layout = self.layout
        known = zip(layout.names, layout.shapes, layout.roles, strict=True)
        return tuple(name for name, shape, role in known if role == "weight" and len(shape) == 2)

    def forth(self, y: Params) -> Params:
        parts = self.layout.split(y)
        for name in self.matrices:
            parts[name] = torch.stack([rotation(v) for v in parts[name].unbind()])
        return torch.cat([part.flatten(1) for part in parts.values()], dim=1)

    def back(self, x: Params) -> Params:
        return x


def rotation(v: Float[Tensor, "r c"]) -> Float[Tensor, "r c"]:
    """expm(V − Vᵀ), of one trial: for several at once the kernel chooses by their norms which to take together, and bits
    would depend on a trial's company."""
    r, c = v.shape
    square = F.pad(v, (0, max(r - c, 0), 0, max(c - r, 0)))
    return torch.linalg.matrix_exp(square - square.T)[:r, :c]
