"""Methods that come to an end on a fixed objective: a trial that has converged is asked nothing more."""

from __future__ import annotations

import abc
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.utils._pytree import tree_map

from ..interfaces import Hyper, Loss, Matrix, Optimizer, Oracle, Params, Product, Rows, State, select
from .curvature import chosen, rate


class Converging(Optimizer[State]):
    """A method that writes `search`: the step of the trials that have not converged.

    Its state holds for each trial `f`, the loss where it stands, and `done`: the objective is fixed, and no later step would
    move the trial either. Such a trial is neither evaluated nor moved again.
    """

    lr: Hyper
    gtol: Hyper

    @abc.abstractmethod
    def search(self, params: Params, state: State, oracle: Oracle, factor: Hyper) -> tuple[Params, State]:
        """A step, and the state with `done` as it is after it.

        The oracle is first asked for all trials at `params`, or told the losses there by `begin`.
        """

    def check(self, params: Params, oracle: Oracle) -> None:
        if not oracle.matched:
            raise ValueError(
                "it compares losses, whose gradients it needs as they are; leave out modifiers that change the gradient "
                "alone, such as clip_norm, gradient_noise and sam"
            )

    def step(self, params: Params, state: State, oracle: Oracle, factor: Hyper) -> tuple[Params, State]:
        known: Any = state
        if not bool(known.done.any()):
            return self.search(params, state, oracle, factor)
        rows, losses = chosen(~known.done, len(params)), known.f
        after = params
        if len(rows):
            some = _Some(oracle, rows)
            factor = factor[rows] if isinstance(factor, Tensor) else factor
            moved, made = select(self, rows).search(params[rows], self.select(state, rows), some, factor)
            after, losses = params.index_copy(0, rows, moved), losses.index_copy(0, rows, some.losses)
            state = tree_map(lambda old, new: _merged(old, new, rows), state, made)
        oracle.begin(params, losses)
        return after, state

    def rests(self, before: Params, after: Params, oracle: Oracle, factor: Hyper) -> Bool[Tensor, "trials"]:
        """The trials whose step, of a method that looks at nothing but the present point, left them where they were."""
        if not oracle.fixed:
            return torch.zeros_like(before[:, 0], dtype=torch.bool)
        return (after == before).all(dim=1) & (rate(self.lr * factor, before)[:, 0] > 0)

    def flat(self, grad: Params, oracle: Oracle) -> Bool[Tensor, "trials"]:
        """The trials whose gradient lies within gtol."""
        if not oracle.fixed:
            return torch.zeros_like(grad[:, 0], dtype=torch.bool)
        return grad.abs().amax(dim=1) <= rate(self.gtol, grad)[:, 0]


def _merged(old: Any, new: Any, rows: Rows) -> Any:
    return old.index_copy(0, rows, new) if isinstance(old, Tensor) else new


class _Some(Oracle):
    """The oracle of these trials alone."""

    def __init__(self, inner: Oracle, rows: Rows):
        self.inner, self.rows = inner, rows
        self.layout, self.fixed, self.matched = inner.layout, inner.fixed, inner.matched
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
