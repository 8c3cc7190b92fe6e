"""Several trials in one instance of a torch optimizer, where its class treats elements apart."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from .surroundings import Surroundings

Make = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
SHAPES = ((3, 5), (7,), (2, 3, 2, 2), ())
"""Layers of a matrix, a vector, a kernel and a number: methods for matrices treat them in different ways."""
EXPONENTS = (-8, -4, 0, 4, 8, 6, 2, -2, -6, 0)
"""Of the gradients' size in each step: the first five, with all three trials, leave no size between 1e-11 and 1e11 out."""
STEPS = len(EXPONENTS)
MOST_STEPS = 3 * STEPS
START = 1e-10
"""Size of the starts: so small that the first steps, with small gradients, show in the parameters."""


class NotApartError(Exception):
    """The optimizer does what cannot be told apart for the trials that share it."""


def steps_to_see(settings: Mapping[str, Any]) -> int:
    """Steps of the check, ten or more: a class may begin something after as many as one of its settings says."""
    largest = max((value for value in settings.values() if type(value) is int), default=0)
    return min(max(STEPS, largest + STEPS // 2), MOST_STEPS)


def treats_elements_apart(make: Make, kind: dict[str, Any], steps: int = STEPS) -> bool:
    """Whether three trials in one instance go, to the bit, where three instances take them.

    Each layer's tensors are stacked, `[trials, *shape]`. Some steps are made both ways, with gradients from 1e-8 to 1e8
    that differ a thousandfold between trials, zeros among them, and one trial's all zero; half-way one trial leaves the
    shared instance, and at the end one has a gradient that is not a number. A class that draws from a global generator,
    or calls its closure twice or at another point, does not treat elements apart. What a class does for the first time
    after these steps stays unseen.

    Args:
        make: builds an instance for some parameters.
        kind: dtype and device of the parameters.
        steps: how many, ten at least.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _same_both_ways(lambda tensors: _drawing_nothing(lambda: make(tensors), kind), kind, steps)
    except Exception:  # whatever is wrong with the class is told when it runs
        return False


def _same_both_ways(make: Make, kind: dict[str, Any], steps: int) -> bool:
    draw = torch.Generator().manual_seed(0)
    trials = [0, 1, 2]
    start = [torch.randn(3, *shape, generator=draw, dtype=torch.float64).mul_(START).to(**kind) for shape in SHAPES]
    alone = [make([nn.Parameter(layer[k].clone()) for layer in start]) for k in trials]
    shared = make([nn.Parameter(layer.clone()) for layer in start])
    for step in range(steps):
        if step == steps // 2:
            trials = [0, 2]
            old = parameters(shared)
            shared = narrowed(shared, old, trials, [nn.Parameter(p.new_empty(2, *p.shape[1:])) for p in old], make)
            alone = [alone[k] for k in trials]
        grads = [torch.randn(3, *shape, generator=draw, dtype=torch.float64) for shape in SHAPES]
        for grad in grads:
            grad.mul_(torch.tensor([1.0, 1e3, 1e-3]).view(3, *[1] * (grad.ndim - 1))).mul_(
                10.0 ** EXPONENTS[step % STEPS]
            )
            grad[step % 3].masked_fill_(grad[step % 3] < 0, 0.0)
            if step == steps - 3:
                grad[0] = 0.0
            if step == steps - 1:
                grad[2] = float("nan")
        given = [grad[trials].to(**kind) for grad in grads]
        _one_step(shared, given, kind)
        for k, one in enumerate(alone):
            _one_step(one, [grad[k] for grad in given], kind)
        same = [k for k, trial in enumerate(trials) if step < steps - 1 or trial != 2]
        if not all(
            torch.equal(p[k], q) for k in same for p, q in zip(parameters(shared), parameters(alone[k]), strict=True)
        ):
            return False
    return True


def _drawing_nothing(work: Callable[[], Any], kind: dict[str, Any]) -> Any:
    """What this work gives; rows of one draw are not what trials draw alone."""
    with Surroundings(torch.device(kind["device"]), {}, draws=True) as around:
        around.seed(0, "sharing")
        before: Any = around.states()
        found = work()
        if before != around.states():
            raise NotApartError
    return found


def _one_step(optimizer: torch.optim.Optimizer, grads: Sequence[Tensor], kind: dict[str, Any]) -> None:
    switch([optimizer], "train")
    here = parameters(optimizer)
    before = [parameter.detach().clone() for parameter in here]
    asked = False

    def give() -> None:
        for parameter, grad in zip(here, grads, strict=True):
            parameter.grad = grad.clone() if parameter.requires_grad else None

    def closure() -> Tensor:
        nonlocal asked
        if asked or not all(torch.equal(parameter, point) for parameter, point in zip(here, before, strict=True)):
            raise NotApartError
        asked = True
        give()
        return grads[0].abs().sum()  # another one for the trials together: who looks at it, does not treat them apart

    give()
    call: Any = optimizer.step  # torch's own signature wants a float where its methods return a tensor
    given = (closure,) if takes_closure(type(optimizer)) else ()
    _drawing_nothing(lambda: call(*given), kind)
    switch([optimizer], "eval")


def narrowed(
    optimizer: torch.optim.Optimizer,
    old: Sequence[nn.Parameter],
    chosen: Sequence[int],
    new: list[nn.Parameter],
    make: Make,
) -> torch.optim.Optimizer:
    """An instance for some of the trials of a shared one, going on where that one is.

    Args:
        optimizer: the shared one.
        old: its parameters.
        chosen: the trials, counted in it.
        new: the parameters of the new one, `[trials, *shape]` each, or `[*shape]` for one trial; filled here.
        make: builds an instance.

    Raises:
        NotApartError: its state is no tensors like the parameters and numbers.
    """
    with torch.no_grad():
        for before, after in zip(old, new, strict=True):
            after.copy_(_chosen(before, before, chosen, after))
            after.requires_grad_(before.requires_grad)
    found = make(new)
    for before, after in zip(old, new, strict=True):
        if before in optimizer.state:
            found.state[after] = {
                key: _chosen(value, before, chosen, after) for key, value in optimizer.state[before].items()
            }
    for group, fresh in zip(optimizer.param_groups, found.param_groups, strict=True):
        fresh |= {key: copy.deepcopy(value) for key, value in group.items() if key != "params"}
    return found


def _chosen(value: Any, before: Tensor, chosen: Sequence[int], after: Tensor) -> Any:
    if isinstance(value, Tensor) and value.shape == before.shape:
        return value.detach()[list(chosen)].reshape(after.shape).clone()
    if (isinstance(value, Tensor) and value.ndim > 0) or isinstance(value, (list, tuple, dict)):
        raise NotApartError
    return copy.deepcopy(value)


@lru_cache
def takes_closure(cls: type[torch.optim.Optimizer]) -> bool:
    """Does its step take a function that gives the loss?"""
    return "closure" in inspect.signature(cls.step).parameters


def parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """All parameters of its groups, in order."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def switch(optimizers: Sequence[torch.optim.Optimizer], mode: str) -> bool:
    """Call train() or eval() where the class has it: methods that average judge at another point than they train at.

    Returns: whether any has.
    """
    methods = [method for optimizer in optimizers if (method := getattr(optimizer, mode, None)) is not None]
    for method in methods:
        method()
    return bool(methods)
