"""An oracle whose answers are another's, changed."""

from __future__ import annotations

from collections.abc import Callable

from ..interfaces import Loss, Oracle, Params, Rows

Change = Callable[[Params, Loss, Params, Rows | None], tuple[Loss, Params]]


class DerivedOracle(Oracle):
    """Asks the inner oracle and passes (params, loss, gradient, rows) through `change`; counting stays with the inner one."""

    def __init__(self, inner: Oracle, change: Change):
        self.inner, self.change = inner, change
        self.layout, self.fixed = inner.layout, inner.fixed

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        loss, grad = self.inner(params, rows)
        return self.change(params, loss, grad, rows)
