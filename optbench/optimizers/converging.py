"""Methods that come to an end on a fixed objective: a trial that has converged is asked nothing more."""

from __future__ import annotations

import abc
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.utils._pytree import tree_map

from ..checks import setting
from ..interfaces import Hyper, Loss, Matrix, Optimizer, Oracle, Params, Product, Rows, State, select
from .curvature import chosen, rate
from .line_search import Rowwise


def gradient_tolerance() -> Any:
    """The setting gtol."""
    return setting(0.0, least=0, no_schedule="it tells when a trial has converged")


class Converging(Optimizer[State]):
    """A method that writes `search`: the step of the trials that have not converged.

    Its state holds for each trial `x`, the point where it stands, `f`, the loss there, and `rest`: the largest factor of a
    schedule with which no later step would move it from there, −∞ where it goes on. A trial that has converged is neither
    evaluated nor moved again, unless a modifier moves it or a schedule lengthens its steps. Where a schedule changes other
    settings of the method, only those trials rest whose gradient lies within gtol.
    """

    lr: Hyper
    gtol: Hyper

    @abc.abstractmethod
    def search(self, params: Params, state: State, oracle: Oracle, factor: Hyper) -> tuple[Params, State]:
        """A step, and the state after it.

        The oracle is first asked for all trials at `params`, or told the losses there by `begin`.
        """

    def check(self, params: Params, oracle: Oracle) -> None:
        if not oracle.matched:
            raise ValueError(
                "it compares losses, whose gradients it needs as they are; leave out modifiers that change the gradient "
                "alone or ask it about the step, such as clip_norm, gradient_noise, sam and cautious"
            )

    def step(self, params: Params, state: State, oracle: Oracle, factor: Hyper) -> tuple[Params, State]:
        known: Any = state
        done = (rate(factor, params)[:, 0] <= known.rest) & (params == known.x).all(dim=1)
        if not bool(done.any()):
            return self.search(params, state, oracle, factor)
        rows, losses = chosen(~done, len(params)), known.f
        after = params
        if len(rows):
            some = _Some(oracle, rows)
            factor = factor[rows] if isinstance(factor, Tensor) else factor
            moved, made = select(self, rows).search(params[rows], self.select(state, rows), some, factor)
            after, losses = params.index_copy(0, rows, moved), losses.index_copy(0, rows, some.losses)
            state = tree_map(lambda old, new: _merged(old, new, rows), state, made)
        oracle.begin(params, losses)
        return after, state

    def going(self, grad: Params, oracle: Oracle) -> Rows:
        """The trials with a finite gradient beyond gtol, as `chosen` gives them."""
        return chosen(grad.isfinite().all(dim=1) & ~self.flat(grad, oracle), len(grad))

    def rests(self, still: Bool[Tensor, "trials"], grad: Params, oracle: Oracle, factor: Hyper) -> Rowwise:
        """`rest` after a step.

        Args:
            still: the trials that the step, which looked at nothing but the present point, left where they were.
            grad: where they are now.
            oracle, factor: of the step.
        """
        never = torch.full_like(grad[:, 0], -torch.inf)
        if not oracle.fixed:
            return never
        still = still & (rate(self.lr * factor, grad)[:, 0] > 0) & oracle.steady
        return torch.where(still, rate(factor, grad)[:, 0], never).where(~self.flat(grad, oracle), torch.inf)

    def flat(self, grad: Params, oracle: Oracle) -> Bool[Tensor, "trials"]:
        """The trials whose gradient lies within gtol, or is zero."""
        largest = grad.abs().amax(dim=1)
        return largest <= rate(self.gtol, grad)[:, 0] if oracle.fixed else largest == 0


def _merged(old: Any, new: Any, rows: Rows) -> Any:
    return old.index_copy(0, rows, new) if isinstance(old, Tensor) else new


class _Some(Oracle):
    """The oracle of these trials alone."""

    def __init__(self, inner: Oracle, rows: Rows):
        self.inner, self.rows = inner, rows
        self.layout, self.fixed, self.matched, self.steady = inner.layout, inner.fixed, inner.matched, inner.steady
        self.losses: Any = None
        """Where the step began."""

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        loss, grad = self.inner(params, self._whose(rows))
        if rows is None:
            self.begin(params, loss)
        return loss, grad

    def curved(self, matrix: Matrix, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        loss, grad, product = self.inner.curved(matrix, params, self._whose(rows))
        if rows is None:
            self.begin(params, loss)
        return loss, grad, product

    def begin(self, params: Params, loss: Loss | None) -> None:
        if self.losses is None:
            self.losses = loss

    def _whose(self, rows: Rows | None) -> Rows:
        return self.rows if rows is None else self.rows[rows]
