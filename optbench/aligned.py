"""Linear algebra whose bits for one trial do not depend on the others, whatever the sizes of its matrices.

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
"""[trials, rows, columns]"""


def filled(matrix: Matrices, diagonal: float | Float[Tensor, "trials"] = 0.0) -> Matrices:
    """With rows and columns of zeros after its own, if need be, and this on the diagonal of what was added."""
    rows, columns = matrix.shape[1:]
    more = -rows % MULTIPLE, -columns % MULTIPLE
    if not any(more):
        return matrix.contiguous()
    larger = F.pad(matrix, (0, more[1], 0, more[0]))
    if isinstance(diagonal, Tensor) or diagonal != 0:
        added = larger.diagonal(dim1=1, dim2=2)[:, rows:]
        added.copy_(diagonal[:, None].expand_as(added)) if isinstance(diagonal, Tensor) else added.fill_(diagonal)
    return larger


def product(a: Matrices, b: Matrices) -> Matrices:
    """The matrix product of each trial."""
    return torch.bmm(filled(a), filled(b))[:, : a.shape[1], : b.shape[2]]


def square(a: Matrices) -> Matrices:
    """aᵀ a of each trial."""
    whole = filled(a)
    return torch.bmm(whole.mT, whole)[:, : a.shape[2], : a.shape[2]]


def inverse(matrix: Matrices, damping: Float[Tensor, "trials 1"]) -> Matrices:
    """(matrix + damping I)⁻¹ of symmetric matrices; nan for a trial whose matrix is not finite or not positive."""
    n = matrix.shape[1]
    root, failed = torch.linalg.cholesky_ex(filled(matrix + torch.diag_embed(damping.expand(-1, n)), 1.0))
    good = ((failed == 0) & root.isfinite().all(dim=2).all(dim=1))[:, None, None]
    identity = torch.eye(root.shape[1], dtype=matrix.dtype, device=matrix.device)
    return torch.cholesky_inverse(root.where(good, identity))[:, :n, :n].where(good, torch.nan)


def check_solvable(dtype: torch.dtype) -> None:
    """Raise a ValueError, one line, unless torch solves with matrices of this type."""
    if dtype not in (torch.float32, torch.float64):
        name = str(dtype).removeprefix("torch.")
        raise ValueError(
            f"it solves with matrices, which torch does in float32 and float64, not in {name}; set dtype=float32"
        )


def eigen(symmetric: Matrices) -> tuple[Float[Tensor, "trials n"], Matrices]:
    """Eigenvalues, ascending, and eigenvectors in columns; nan for a trial whose matrix is not finite.

    The solver refuses a whole batch for one bad matrix, so that such a one is hidden from it. What is added to a matrix has
    a larger eigenvalue than any of its own, and so comes last.
    """
    n = symmetric.shape[1]
    finite = symmetric.isfinite().all(dim=2).all(dim=1)[:, None]
    identity = torch.eye(n, dtype=symmetric.dtype, device=symmetric.device)
    given = torch.where(finite[..., None], symmetric, identity)
    bound = 2 * given.abs().sum(dim=2).amax(dim=1) + 1
    values, columns = torch.linalg.eigh(filled(given, bound))
    values, columns = values[:, :n], columns[:, :n, :n]
    return torch.where(finite, values, torch.nan), torch.where(finite[..., None], columns, torch.nan)


def orthonormal(matrix: Matrices) -> Matrices:
    """Orthonormal columns that span what the columns of square matrices do, in their order: the Q of Q R."""
    n = matrix.shape[1]
    return torch.linalg.qr(filled(matrix, 1.0))[0][:, :n, :n]


def solved(triangle: Matrices, b: Matrices, *, upper: bool, left: bool = True) -> Matrices:
    """triangle⁻¹ b, or b triangle⁻¹, of triangular matrices."""
    found = torch.linalg.solve_triangular(filled(triangle, 1.0), filled(b), upper=upper, left=left)
    return found[:, : b.shape[1], : b.shape[2]]
