"""The tensors on which instances of a torch optimizer step: views of the rows of their trials, or copies of several."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from ..interfaces import Layout, Loss, Oracle, Params


class Shared:
    """An instance, the trials it serves and the parameters it steps on: `[*shape]` of one trial, `[trials, *shape]` of more.

    Args:
        optimizer: the instance.
        trials: the rows it serves.
        parameters: one a layer.
        settings: what it was built with.
        rates: of each parameter group, before any schedule; not given: those it has now.
        homes: where in memory a workspace has laid the data of each parameter; not given: none has.
        factor: of the schedule, with which the rates were last written.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        trials: Sequence[int],
        parameters: list[nn.Parameter],
        settings: dict[str, Any],
        rates: list[Any] | None = None,
        homes: Sequence[int | None] | None = None,
        factor: float = 1.0,
    ):
        self.optimizer, self.trials, self.parameters, self.settings = optimizer, list(trials), parameters, settings
        self.rates, self.factor = list(rates or []), factor
        self.rated()
        self.clears = clears_gradients(type(optimizer))
        self.homes: list[int | None] = [None] * len(parameters) if homes is None else list(homes)
        self.index = self.trials[0] if len(self.trials) == 1 else torch.tensor(self.trials, device=parameters[0].device)

    def rated(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """The parameter groups, each with its rate before any schedule; of one added meanwhile, the one it has now."""
        groups = self.optimizer.param_groups
        self.rates += [copy.deepcopy(group.get("lr")) for group in groups[len(self.rates) :]]
        return zip(groups, self.rates, strict=False)

    @property
    def alone(self) -> bool:
        """Does it serve one trial?"""
        return len(self.trials) == 1

    def strays(self) -> list[int]:
        """Layers whose data lie elsewhere than where a workspace has laid them."""
        pairs = zip(self.parameters, self.homes, strict=True)
        return [k for k, (parameter, home) in enumerate(pairs) if parameter.data_ptr() != home]

    def data(self, layer: int, shape: Sequence[int]) -> Tensor:
        """The data of a parameter, which are of the shape of its layer for one trial or several.

        Raises:
            RuntimeError: a class has given it another one.
        """
        found, expected = self.parameters[layer].data, tuple(shape) if self.alone else (len(self.trials), *shape)
        if found.shape != expected:
            name = type(self.optimizer).__name__
            raise RuntimeError(f"{name} gave a parameter of shape {expected} the shape {tuple(found.shape)}")
        return found


class Workspace:
    """Points of all trials. The parameters of a trial alone are views of its row, those of several copies.

    Where a class lays the data of a parameter elsewhere (`p.data = …`), they stay there, and what they were is the class's.

    Args:
        params: where the trials stand, copied.
        layout: the tensors in a row.
    """

    def __init__(self, params: Params, layout: Layout):
        self.layout, self.shares = layout, list[Shared]()
        self._points = params.clone(memory_format=torch.contiguous_format)
        self._x = [*layout.split(self._points).values()]
        self._places = [(tuple(x.shape[1:]), x.stride()[1:], x.storage_offset()) for x in self._x]

    @property
    def like(self) -> Params:
        """A tensor of the type and on the device of the points."""
        return self._points

    def room(self, trials: Sequence[int]) -> list[nn.Parameter]:
        """Parameters for these trials, which stand where those stand."""
        return [nn.Parameter(x[trials[0]] if len(trials) == 1 else x[list(trials)]) for x in self._x]

    def add(self, shared: Shared) -> None:
        """Let this instance step on its trials' rows."""
        self.shares.append(shared)
        if shared.alone:
            for k, (parameter, x) in enumerate(zip(shared.parameters, self._x, strict=True)):
                row = x[shared.trials[0]]
                if parameter.data_ptr() == shared.homes[k]:
                    parameter.data = row
                shared.homes[k] = row.data_ptr()

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """The instances."""
        return [shared.optimizer for shared in self.shares]

    def __deepcopy__(self, memo: dict[int, Any]) -> Workspace:
        """Copied parameters step on the copied rows: Python's own way would cut them off from those."""
        memo[id(self)] = new = Workspace(self.points(), self.layout)
        for shared in self.shares:
            optimizer, tensors = copy.deepcopy((shared.optimizer, shared.parameters), memo)
            homes: list[int | None] = [parameter.data_ptr() for parameter in tensors]
            own = {name: value for name, value in vars(shared.optimizer).items() if name not in vars(optimizer)}
            vars(optimizer).update(copy.deepcopy(own, memo))  # torch's own way leaves them out
            for k in shared.strays():
                homes[k] = None
                tensors[k].data = copy.deepcopy(shared.parameters[k].data, memo)  # of the state's own, if it has them
            for parameter, tensor in zip(shared.parameters, tensors, strict=True):
                tensor.grad = copy.deepcopy(parameter.grad, memo)
            new.add(Shared(optimizer, shared.trials, tensors, shared.settings, shared.rates, homes, shared.factor))
        return new

    def fill(self, params: Params) -> None:
        """Put the trials there, without gradients; a class with a zero_grad of its own clears them itself."""
        for shared in self.shares:
            if not shared.clears:
                for parameter in shared.parameters:
                    parameter.grad = None
        strayed = any(shared.strays() for shared in self.shares if shared.alone)
        if not strayed:
            self._points.copy_(params)
        x = [*self.layout.split(params).values()] if strayed else self._x
        for shared in self.shares:
            if strayed or not shared.alone:
                for parameter, rows in zip(shared.parameters, x, strict=True):
                    parameter.data.copy_(rows[shared.index])

    def give(self, grad: Params) -> None:
        """Let these be the gradients: new tensors, as after zero_grad and backward, since a class may keep the old ones.

        What a class's own zero_grad leaves is added to.
        """
        grad = grad.clone(memory_format=torch.contiguous_format)
        for shared in self.shares:
            self._give(shared, grad, shared.index)

    def points(self) -> Params:
        """Where the trials are now.

        Raises:
            RuntimeError: a class has given a parameter another shape.
        """
        for shared in self.shares:
            if not shared.alone:
                for k, x in enumerate(self._x):
                    x[shared.index] = shared.data(k, self._places[k][0])
        points = self._points.clone()
        strays = [(shared, k) for shared in self.shares if shared.alone for k in shared.strays()]
        rows = [*self.layout.split(points).values()] if strays else []
        for shared, k in strays:
            rows[k][shared.index] = shared.data(k, self._places[k][0])
        return points

    def closure(self, shared: Shared, asked: Params, loss: Loss, grad: Params, oracle: Oracle) -> Callable[[], Tensor]:
        """What a torch optimizer may call for the loss and fresh gradients at the present point of its parameters.

        Args:
            shared: the instance.
            asked, loss, grad: where all trials were asked about, and the answer, given to the instances before.
            oracle: what to ask elsewhere.
        """
        given = [parameter.grad for parameter in shared.parameters]
        versions = _versions(given)
        fresh = True

        def evaluate() -> Tensor:
            nonlocal fresh
            first, fresh = fresh, False
            if not shared.alone:  # asked once and there, or else its class would not treat elements apart
                if _changed(shared, given, versions):
                    self._give(shared, grad.clone(memory_format=torch.contiguous_format), shared.index)
                return loss[shared.index].sum()
            (trial,) = shared.trials
            point = self._points[trial]
            if shared.strays():
                point = torch.cat([parameter.data.reshape(-1) for parameter in shared.parameters])
            if first and torch.equal(point, asked[trial]):
                if _changed(shared, given, versions):
                    self._give(shared, grad[[trial]], 0)
                return loss[trial]
            new_loss, new_grad = oracle(point[None].clone(), torch.tensor([trial], device=asked.device))
            self._give(shared, new_grad.clone(memory_format=torch.contiguous_format), 0)
            return new_loss[0]

        return evaluate

    def _give(self, shared: Shared, grad: Params, index: int | Tensor) -> None:
        """These rows of a contiguous tensor, which nobody else has, as the gradients of an instance."""
        if shared.clears:
            shared.optimizer.zero_grad()
        left = [parameter.grad for parameter in shared.parameters] if shared.clears else ()
        n = grad.shape[1]
        for parameter, (shape, stride, start) in zip(shared.parameters, self._places, strict=True):
            if not parameter.requires_grad:
                parameter.grad = None
            elif isinstance(index, int):
                parameter.grad = grad.as_strided(shape, stride, index * n + start)
            else:
                parameter.grad = grad.as_strided((len(grad), *shape), (n, *stride), start)[index]
        for parameter, before in zip(shared.parameters, left, strict=False):
            if before is not None and parameter.grad is not None:
                parameter.grad = before.add_(parameter.grad)


def _versions(grads: Sequence[Tensor | None]) -> list[int | None]:
    """How often each was changed in place."""
    return [None if grad is None else grad._version for grad in grads]


def _changed(shared: Shared, given: Sequence[Tensor | None], versions: Sequence[int | None]) -> bool:
    """Has the instance replaced these gradients, or changed them in place, since they were of these versions?"""
    same = all(parameter.grad is grad for parameter, grad in zip(shared.parameters, given, strict=True))
    return not same or _versions(given) != versions


@lru_cache
def clears_gradients(cls: type[torch.optim.Optimizer]) -> bool:
    """Has the class a zero_grad of its own?"""
    return cls.zero_grad is not torch.optim.Optimizer.zero_grad
