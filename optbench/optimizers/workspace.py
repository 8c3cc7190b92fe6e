"""The tensors on which instances of a torch optimizer step: views of the rows of their trials, or copies of several."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..interfaces import Layout, Oracle, Params


class Shared:
    """An instance, the trials it serves and the parameters it steps on: `[*shape]` of one trial, `[trials, *shape]` of more.

    Args:
        optimizer: the instance.
        trials: the rows it serves.
        parameters: one a layer.
        settings: what it was built with.
        rates: of each parameter group, before any schedule; not given: those it has now.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        trials: Sequence[int],
        parameters: list[nn.Parameter],
        settings: dict[str, Any],
        rates: list[Any] | None = None,
    ):
        self.optimizer, self.trials, self.parameters, self.settings = optimizer, list(trials), parameters, settings
        self.rates = [group.get("lr") for group in optimizer.param_groups] if rates is None else rates


class Workspace:
    """Points and gradients of all trials. The parameters of a trial alone are views of its row, those of several copies.

    Args:
        params: where the trials stand, copied.
        layout: the tensors in a row.
    """

    def __init__(self, params: Params, layout: Layout):
        self.layout, self.shares = layout, list[Shared]()
        self._points, self._grads = params.clone(), torch.zeros_like(params)
        self._x, self._g = ([*layout.split(rows).values()] for rows in (self._points, self._grads))

    def room(self, trials: int) -> list[nn.Parameter]:
        """Parameters for so many trials."""
        return [
            nn.Parameter(self._points.new_empty(shape if trials == 1 else (trials, *shape)))
            for shape in self.layout.shapes
        ]

    def add(self, shared: Shared) -> None:
        """Let this instance step on its trials' rows."""
        self.shares.append(shared)
        for parameter, x, g in zip(shared.parameters, self._x, self._g, strict=True):
            if len(shared.trials) == 1:
                parameter.data, parameter.grad = x[shared.trials[0]], g[shared.trials[0]]
            else:
                parameter.data.copy_(x[shared.trials])
                parameter.grad = torch.zeros_like(parameter)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """The instances."""
        return [shared.optimizer for shared in self.shares]

    def __deepcopy__(self, memo: dict[int, Any]) -> Workspace:
        """Copied parameters step on the copied rows: Python's own way would cut them off from those."""
        memo[id(self)] = new = Workspace(self.points(), self.layout)
        for shared in self.shares:
            optimizer, tensors = copy.deepcopy((shared.optimizer, shared.parameters), memo)
            new.add(Shared(optimizer, shared.trials, tensors, shared.settings, shared.rates))
        return new

    def fill(self, params: Params) -> None:
        """Put the trials there."""
        self._points.copy_(params)
        for parameter, x, _, trials in self._copies():
            parameter.data.copy_(x[trials])

    def give(self, grad: Params) -> None:
        """Let these be the gradients."""
        self._grads.copy_(grad)
        for parameter, _, g, trials in self._copies():
            assert parameter.grad is not None
            parameter.grad.copy_(g[trials])

    def points(self) -> Params:
        """Where the trials are now."""
        for parameter, x, _, trials in self._copies():
            x[trials] = parameter.data
        return self._points.clone()

    def _copies(self) -> Iterator[tuple[nn.Parameter, Tensor, Tensor, list[int]]]:
        for shared in self.shares:
            if len(shared.trials) > 1:
                for parameter, x, g in zip(shared.parameters, self._x, self._g, strict=True):
                    yield parameter, x, g, shared.trials

    def closure(self, shared: Shared, asked: Params, loss: Tensor, oracle: Oracle) -> Callable[[], Tensor]:
        """What a torch optimizer may call for the loss and fresh gradients at the present point of its parameters."""
        if len(shared.trials) > 1:
            return lambda: loss[shared.trials].sum()  # asked once, and of no use to a class that treats elements apart
        (trial,) = shared.trials
        point, grad = self._points[trial], self._grads[trial]
        rows = torch.tensor([trial], device=asked.device)
        fresh = True

        def evaluate() -> Tensor:
            nonlocal fresh
            if fresh and torch.equal(point, asked[trial]):
                fresh = False
                return loss[trial]
            fresh = False
            new_loss, new_grad = oracle(point[None].clone(), rows)
            grad.copy_(new_grad[0])
            return new_loss[0]

        return evaluate
