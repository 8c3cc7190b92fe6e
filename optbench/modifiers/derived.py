"""An oracle whose answers are another's, changed; and what the modifiers that use it share."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from ..interfaces import Hyper, Layout, Loss, Oracle, Params, Rows

Change = Callable[[Params, Loss, Params, Rows | None], tuple[Loss, Params]]


class DerivedOracle(Oracle):
    """Asks the inner oracle and passes (params, loss, gradient, rows) through `change`; the inner one counts."""

    def __init__(self, inner: Oracle, change: Change):
        self.inner, self.change = inner, change
        self.layout, self.fixed = inner.layout, inner.fixed

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        loss, grad = self.inner(params, rows)
        return self.change(params, loss, grad, rows)


def of_rows(value: Hyper, rows: Rows | None) -> float | Tensor:
    """The setting of these trials: a float is everyone's, a column has one value a trial."""
    return value[rows] if rows is not None and isinstance(value, Tensor) else value


def penalised(params: Params, layout: Layout, biases: bool) -> Params:
    """The parameters that a penalty sees: all of them, or with biases and normalisation parameters set to zero."""
    return params if biases else params * _weights(layout, params.dtype, params.device)


@lru_cache(maxsize=16)
def _weights(layout: Layout, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "n"]:
    """1 for weights and coordinates, 0 for biases and normalisation parameters."""
    kept = [float(role not in ("bias", "norm")) for role in layout.roles]
    return torch.tensor(kept, dtype=dtype, device=device).repeat_interleave(torch.tensor(layout.sizes, device=device))
