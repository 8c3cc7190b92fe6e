"""Products and factors of matrices whose bits for one trial do not depend on the others, whatever their sizes.

Kernels of linear algebra look at where in memory a matrix begins. Matrices of odd sizes, held one after the other, begin now
here and now there, and the last bit of a result with them. So rows and columns are filled up to 64 bytes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MULTIPLE = 16
"""Numbers in 64 bytes of float32."""

Matrices = Float[Tensor, "trials _ _"]


def product(a: Matrices, b: Matrices) -> Matrices:
    """The matrix product of each trial."""
    return torch.bmm(_filled(a), _filled(b))[:, : a.shape[1], : b.shape[2]]


def square(a: Matrices) -> Matrices:
    """aᵀ a of each trial."""
    filled = _filled(a)
    return torch.bmm(filled.transpose(1, 2), filled)[:, : a.shape[2], : a.shape[2]]


def inverse(matrix: Matrices, damping: Float[Tensor, "trials 1"]) -> Matrices:
    """(matrix + damping I)⁻¹ of symmetric matrices; nan for a trial whose matrix is not finite or not positive."""
    n = matrix.shape[1]
    filled = _filled(matrix)
    diagonal = filled.diagonal(dim1=1, dim2=2)
    diagonal[:, :n] += damping
    diagonal[:, n:] = 1
    root, failed = torch.linalg.cholesky_ex(filled)
    good = ((failed == 0) & root.isfinite().all(dim=2).all(dim=1))[:, None, None]
    identity = torch.eye(filled.shape[1], dtype=matrix.dtype, device=matrix.device)
    return torch.cholesky_inverse(root.where(good, identity))[:, :n, :n].where(good, torch.nan)


def _filled(matrix: Matrices) -> Matrices:
    """A copy with zeros after its rows and columns."""
    more = [-size % MULTIPLE for size in matrix.shape[1:]]
    return (
        F.pad(matrix, (0, more[1], 0, more[0])).contiguous()
        if any(more)
        else matrix.clone(memory_format=torch.contiguous_format)
    )
