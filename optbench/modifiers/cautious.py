"""Cautious updates: what moves against the gradient does not move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import check_settings
from ..interfaces import Factors, Loss, Matrix, Oracle, Params, Product, Rate, Rows, UpdateModifier


@dataclass(frozen=True, kw_only=True)
class Cautious(UpdateModifier):
    """Of the step that the optimizer proposes, only those elements are made that go down the present gradient.

        u = x_before − x_after,   m = 1 where u g > 0, else 0
        x_after ← x_before − u ⊙ m / max(mean(m), 0.001)

    with the mean over each parameter tensor, so that a step stays about as long as it was. g is the first gradient that the
    optimizer is told in the step, with all that modifiers do to it, wherever it asked: one that looks ahead is compared
    with what it saw there. Methods that search for the length of their steps are refused. Meant for methods with momentum:
    gradient descent is left as it is. Name it before `weight_decay`, which it would mask too; decay within an optimizer, as
    in `adamw`, is masked.

    Raises:
        TypeError: it is given a setting; it has none.

    Source: Liang, Chen, Liu & Liu, "Cautious optimizers: improving training with one line of code" (2024),
    https://arxiv.org/abs/2411.16085. The paper divides by (number of ones + 1) / n in place of max(mean, 0.001); ours is as
    in the authors' code.
    """

    def __post_init__(self) -> None:
        check_settings(self)

    def wrap(self, oracle: Oracle, state: Any, step: int) -> tuple[Oracle, Any]:
        listening = Listening(oracle)
        return listening, listening

    def apply(self, before: Params, after: Params, lr: Rate, state: Any) -> tuple[Params, Any]:
        heard: Listening = state
        u = before - after
        parts = zip(
            u.split(heard.layout.sizes, dim=1), heard.first(before).split(heard.layout.sizes, dim=1), strict=True
        )
        return before - torch.cat([_masked(step, grad) for step, grad in parts], dim=1), ()


def _masked(u: Tensor, g: Tensor) -> Tensor:
    mask = (u.sign() * g.sign() > 0).to(u.dtype)  # of the signs, since the product of small numbers may be zero
    return u * (mask / mask.mean(dim=1, keepdim=True).clamp(min=1e-3))


class Listening(Oracle):
    """Passes questions on and remembers the answers, up to the first that all trials are given.

    Methods that know the gradient from the step before would be heard at their probes alone, and are refused.
    """

    matched = False

    def __init__(self, inner: Oracle):
        self.inner, self.layout = inner, inner.layout
        self.fixed = inner.fixed
        self.answers: list[tuple[Rows | None, Params]] = []

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        loss, grad = self.inner(params, rows)
        self._hear(rows, grad)
        return loss, grad

    def curved(self, matrix: Matrix, params: Params, rows: Rows | None = None) -> tuple[Loss, Params, Product]:
        loss, grad, product = self.inner.curved(matrix, params, rows)
        self._hear(rows, grad)
        return loss, grad, product

    def kronecker(self, params: Params) -> dict[str, Factors]:
        return self.inner.kronecker(params)

    def _hear(self, rows: Rows | None, grad: Params) -> None:
        if not (self.answers and self.answers[-1][0] is None):
            self.answers.append((rows, grad))

    def first(self, like: Params) -> Params:
        """The first gradient that each trial was given; zero for those that were given none."""
        grad = torch.zeros_like(like)
        for rows, answer in reversed(self.answers):
            grad = answer if rows is None else grad.index_copy(0, rows, answer)
        return grad
