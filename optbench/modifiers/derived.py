"""An oracle whose answers are another's, changed; and what the modifiers that use it share."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from ..interfaces import Factors, Hyper, Layout, Loss, Matrix, Oracle, Params, Product, Rows, Vectors

Change = Callable[[Params, Loss, Params, Rows | None], tuple[Loss, Params]]
Bend = Callable[[Params, Rows | None], Params]


class DerivedOracle(Oracle):
    """Asks the inner oracle and passes (params, loss, gradient, rows) through `change`; the inner one counts.

    Args:
        inner: the oracle whose answers are changed.
        change: gives the loss and gradient that are told.
        bend: (v, rows) → B v, where the loss is changed so that its curvature grows by B; None: curvature stays, as where only
            the gradient is changed.
        matched: what is told is a loss and its gradient, as before.
    """

    def __init__(self, inner: Oracle, change: Change, bend: Bend | None = None, *, matched: bool = True):
        self.inner, self.change, self.bend = inner, change, bend
        self.layout, self.fixed, self.matched = inner.layout, inner.fixed, matched and inner.matched

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        loss, grad = self.inner(params, rows)
        return self.change(params, loss, grad, rows)

    def curved(self, matrix: Matrix, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        loss, grad, product = self.inner.curved(matrix, params, rows)
        loss, grad = self.change(params, loss, grad, rows)
        bend, asked = self.bend, rows
        if bend is None:
            return loss, grad, product

        def bent(v: Params | Vectors, rows: Rows | None = None) -> Tensor:
            whose = rows if asked is None else asked if rows is None else asked[rows]
            if v.ndim == 3:
                whose = torch.arange(len(v), device=v.device) if whose is None else whose
                whose = whose.repeat_interleave(v.shape[1])
            return product(v, rows) + bend(v.reshape(-1, v.shape[-1]), whose).view(v.shape)

        return loss, grad, bent

    def begin(self, params: Params, loss: Loss | None) -> None:
        self.inner.begin(params, None)

    def kronecker(self, params: Params) -> dict[str, Factors]:
        """Those of the loss itself; a penalty has none."""
        return self.inner.kronecker(params)


def of_rows(value: Hyper, rows: Rows | None) -> float | Tensor:
    """The setting of these trials: a float is everyone's, a column has one value a trial."""
    return value[rows] if rows is not None and isinstance(value, Tensor) else value


def penalised(params: Params, layout: Layout, biases: bool) -> Params:
    """The parameters that a penalty sees, the others set to zero; moving statistics are none, as nothing is learnt there.

    Args:
        params: of the trials.
        layout: their roles.
        biases: biases and normalisation parameters are seen too.
    """
    if biases and "buffer" not in layout.roles:
        return params
    return params * _seen(layout, biases, params.dtype, params.device)


@lru_cache(maxsize=16)
def _seen(layout: Layout, biases: bool, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "n"]:
    """1 for parameters that are seen, 0 for the others."""
    hidden = ("buffer",) if biases else ("buffer", "bias", "norm")
    kept = [float(role not in hidden) for role in layout.roles]
    return torch.tensor(kept, dtype=dtype, device=device).repeat_interleave(torch.tensor(layout.sizes, device=device))
