"""What the methods that solve with a matrix of second derivatives share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ..aligned import check_solvable, filled
from ..errors import one_line
from ..interfaces import Hyper, Loss, Matrix, Oracle, Params, Product, Rows
from .line_search import Rowwise

LIMIT = 2000
"""Most parameters of a method that holds a whole matrix a trial [2,000: 32 MB in float64, 2,000 products and some seconds]."""
Dense = Float[Tensor, "rows n n"]


def check_curved(matrix: Matrix, params: Params, oracle: Oracle, limit: int | None = None) -> None:
    """Ask once for a product with the matrix.

    Args:
        matrix: which one the optimizer needs.
        params: start of one trial.
        oracle: what is asked.
        limit: most parameters; None: any number.

    Raises:
        ValueError: there are too many parameters, or the matrix cannot be told; one line that says what is needed.
    """
    n = params.shape[1]
    if limit is not None:
        check_solvable(params.dtype)
    if limit is not None and n > limit:
        raise ValueError(
            f"it holds a matrix of all parameters, for at most {limit:,} of them, not {n:,}; take hessian_free or trust_region"
        )
    _, _, product = oracle.curved(matrix, params)
    try:
        product(torch.zeros_like(params))
    except (RuntimeError, NotImplementedError) as error:
        raise ValueError(f"its second derivatives cannot be found: {one_line(error)}") from error


def searching(grad: Params) -> Rows:
    """The trials with a gradient that is finite and not zero, as `chosen` gives them."""
    return chosen(grad.isfinite().all(dim=1) & (grad != 0).any(dim=1), len(grad))


def chosen(truth: Bool[Tensor, "_"], trials: int) -> Rows:
    """Where it is true. One place among several trials is named twice: sums over a single row have other bits than over two."""
    rows = truth.nonzero().squeeze(1)
    return rows.expand(2) if len(rows) == 1 and trials > 1 else rows


def rate(lr: Hyper, like: Params) -> Float[Tensor, "trials 1"]:
    """The rate of each trial as a column."""
    return torch.as_tensor(lr, dtype=like.dtype, device=like.device).reshape(-1, 1).expand(len(like), 1)


def dense(product: Product, grad: Params, rows: Rows) -> Dense:
    """The matrices of these trials, from the columns of the identity.

    What the loss does not depend on, such as moving statistics, has neither curvature nor gradient; it gets the curvature 1.
    """
    n = grad.shape[1]
    identity = torch.eye(n, dtype=grad.dtype, device=grad.device)
    made = product(identity.expand(len(rows), n, n), rows)
    made = 0.5 * (made + made.mT)
    unused = (made == 0).all(dim=2) & (grad[rows] == 0)
    return made + torch.diag_embed(unused.to(made.dtype))


def dense_bytes(params: Params) -> int:
    """What the matrix of one trial takes, with its parts and copies."""
    return 6 * params.shape[1] ** 2 * params.element_size()


def aligned(
    matrix: Dense, v: Float[Tensor, "rows n"], diagonal: float
) -> tuple[Float[Tensor, "rows m m"], Float[Tensor, "rows m"]]:
    """A and v, filled up to a multiple of 16 numbers: by this diagonal, and by zeros.

    LAPACK takes matrices that begin at a multiple of 64 bytes by other paths, and where one begins would depend on the trials
    before it.
    """
    larger = filled(matrix, diagonal)
    return larger, F.pad(v, (0, larger.shape[1] - v.shape[1]))


def times(matrix: Dense, v: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
    """A v; as sums over the last dimension, whose bits do not depend on the number of rows."""
    return (matrix * v[:, None, :]).sum(dim=2)


def downhill(matrix: Dense, grad: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
    """−A⁻¹ g by Cholesky's factors; nan for a trial whose matrix is not positive definite."""
    n, (matrix, grad) = grad.shape[1], aligned(matrix, grad, 1.0)
    factor, info = torch.linalg.cholesky_ex(matrix)
    fits = (info == 0)[:, None] & factor.diagonal(dim1=1, dim2=2).isfinite().all(dim=1, keepdim=True)
    identity = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    found = torch.cholesky_solve(-grad[..., None], factor.where(fits[..., None], identity))[..., 0]
    return found.where(fits, torch.nan)[:, :n]


def gain(before: Loss, after: Loss, promised: Rowwise) -> Rowwise:
    """What a step gained over what the quadratic model promised: 1 where both drown in rounding, −∞ where it promised a rise.

    Source: Conn, Gould & Toint, "Trust-region methods" (2000), section 17.4.2.
    """
    slack = 10 * torch.finfo(before.dtype).eps * before.abs()
    return torch.where(promised + slack > 0, (before - after + slack) / (promised + slack), -torch.inf)
