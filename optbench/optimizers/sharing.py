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

from ..errors import UsageError
from ..kept import leaves
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
BOWLS = ((1.0, 1.0), (0.3, 10.0), (0.1, 0.1))
"""Of the three trials, the largest curvature of the bowl down which they go and how far away its bottom is."""
Gradients = Callable[[int, Sequence[int], Sequence[Tensor]], list[Tensor]]
"""What gives the gradients of a step, for these trials, where their layers are."""
RATE = 1e-3
"""The rate of the check where a class has no default other than zero."""


class NotApartError(UsageError):
    """The optimizer does what cannot be told apart for the trials that share it."""


def steps_to_see(settings: Mapping[str, Any]) -> int:
    """Steps of the check, ten or more: a class may begin something after as many as one of its settings says."""
    largest = max((value for value in settings.values() if type(value) is int), default=0)
    return min(max(STEPS, largest + STEPS // 2), MOST_STEPS)


def checked(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The settings to check a class with: with its default rate, so that no rate decides, above all none that moves nothing.

    Args:
        settings: the settings of the trials.
        usual: the defaults of the class.
    """
    found, rate = dict(settings), usual.get("lr")
    if isinstance(found.get("lr"), (int, float)):
        found["lr"] = rate if isinstance(rate, (int, float)) and rate > 0 else RATE
    return found


def treats_elements_apart(make: Make, kind: dict[str, Any], steps: int = STEPS) -> bool:
    """Whether three trials in one instance go, to the bit, where three instances take them.

    Each layer's tensors are stacked, `[trials, *shape]`. Two stretches are made both ways. The first has gradients from
    1e-8 to 1e8 that differ a thousandfold between trials, zeros among them, and one trial's all zero; at its end one has a
    gradient that is not a number. The second goes down a bowl of each trial's own, so that what a class estimates along
    the way moves. Half-way through each, one trial leaves the shared instance. A class that draws from a global generator,
    calls its closure twice or at another point, or changes attributes of its own, does not treat elements apart. What a
    class does for the first time after these steps stays unseen.

    Args:
        make: builds an instance for some parameters.
        kind: dtype and device of the parameters.
        steps: how many in each stretch, ten at least.
    """

    def quiet(tensors: list[nn.Parameter]) -> torch.optim.Optimizer:
        return _drawing_nothing(lambda: make(tensors), kind)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return all(_same_both_ways(quiet, kind, steps, *stretch(kind, steps)) for stretch in (_sizes, _bowls))
    except Exception:  # whatever is wrong with the class is told when it runs
        return False


def _sizes(kind: dict[str, Any], steps: int) -> tuple[list[Tensor], Gradients]:
    draw = torch.Generator().manual_seed(0)
    start = [_normal(shape, draw).mul_(START).to(**kind) for shape in SHAPES]

    def gradients(step: int, trials: Sequence[int], _: Sequence[Tensor]) -> list[Tensor]:
        grads = [_normal(shape, draw) for shape in SHAPES]
        for grad in grads:
            grad.mul_(_of_each([1.0, 1e3, 1e-3], grad)).mul_(10.0 ** EXPONENTS[step % STEPS])
            grad[step % 3].masked_fill_(grad[step % 3] < 0, 0.0)
            if step == steps - 3:
                grad[0] = 0.0
            if step == steps - 1:
                grad[2] = float("nan")
        return [grad[list(trials)].to(**kind) for grad in grads]

    return start, gradients


def _bowls(kind: dict[str, Any], _: int) -> tuple[list[Tensor], Gradients]:
    draw = torch.Generator().manual_seed(1)
    curvatures, distances = zip(*BOWLS, strict=True)
    start = [_normal(shape, draw).to(**kind) for shape in SHAPES]
    bottoms = [x + (_of_each(distances, x) * _normal(x.shape[1:], draw)).to(**kind) for x in start]
    bends = [(_of_each(curvatures, x) * _normal(x.shape[1:], draw).abs().clamp_(0.1, 1.0)).to(**kind) for x in start]

    def gradients(_: int, trials: Sequence[int], points: Sequence[Tensor]) -> list[Tensor]:
        own = list(trials)
        return [c[own] * (x.detach() - low[own]) for c, x, low in zip(bends, points, bottoms, strict=True)]

    return start, gradients


def _normal(shape: Sequence[int], draw: torch.Generator) -> Tensor:
    return torch.randn(3, *shape, generator=draw, dtype=torch.float64)


def _of_each(numbers: Sequence[float], like: Tensor) -> Tensor:
    """One number a trial, to be multiplied with a layer of them."""
    return torch.tensor(numbers, dtype=torch.float64).view(3, *[1] * (like.ndim - 1))


def _same_both_ways(make: Make, kind: dict[str, Any], steps: int, start: list[Tensor], gradients: Gradients) -> bool:
    trials = [0, 1, 2]
    alone = [make([nn.Parameter(layer[k].clone()) for layer in start]) for k in trials]
    shared = make([nn.Parameter(layer.clone()) for layer in start])
    for step in range(steps):
        if step == steps // 2:
            trials = [0, 2]
            old = parameters(shared)
            shared = narrowed(shared, old, trials, [nn.Parameter(p.new_empty(2, *p.shape[1:])) for p in old], make)
            alone = [alone[k] for k in trials]
        built = _attributes(shared)
        switch([shared, *alone], "train")
        given = gradients(step, trials, parameters(shared))
        _one_step(shared, given, kind)
        for k, one in enumerate(alone):
            _one_step(one, [grad[k] for grad in given], kind)
        switch([shared, *alone], "eval")
        finite = [k for k, one in enumerate(alone) if not any(grad[k].isnan().any() for grad in given)]
        if built != _attributes(shared) or not all(
            torch.equal(p[k], q) for k in finite for p, q in zip(parameters(shared), parameters(alone[k]), strict=True)
        ):
            return False
    return True


def _attributes(optimizer: torch.optim.Optimizer) -> list[Any]:
    """What an instance keeps beside its state, its groups and what torch itself puts there, to be compared."""
    ours = {id(parameter) for parameter in parameters(optimizer)}
    found = {name: value for name, value in vars(optimizer).items() if name not in _of_torch()}
    return [_comparable(leaf) for leaf in leaves(found) if id(leaf) not in ours]


@lru_cache
def _of_torch() -> set[str]:
    """Attributes that every instance has, and what torch changes beside them."""
    changed = {"_opt_called", "_step_count", "_need_device_dtype_check_for_fused"}
    return changed | vars(torch.optim.SGD([nn.Parameter(torch.zeros(()))])).keys()


def _comparable(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return repr((leaf.shape, leaf.tolist()))
    return repr(leaf) if isinstance(leaf, (bool, int, float, complex, str, type(None))) else type(leaf)


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
        NotApartError: it keeps more than tensors like the parameters and numbers in its state and numbers in its groups.
    """
    with torch.no_grad():
        for before, after in zip(old, new, strict=True):
            after.copy_(_chosen(before, before, chosen, after))
            after.requires_grad_(before.requires_grad)
    found = make(new)
    if _attributes(optimizer) != _attributes(found):
        raise NotApartError("has changed attributes of its own")
    if len(optimizer.param_groups) != len(found.param_groups):
        raise NotApartError("has added parameter groups")
    if beside := [key for key in optimizer.state if not any(key is parameter for parameter in old)]:
        raise NotApartError(f"keeps more in its state than what belongs to parameters ({beside[0]!r})")
    for before, after in zip(old, new, strict=True):
        if before in optimizer.state:
            found.state[after] = {
                key: _chosen(value, before, chosen, after, key) for key, value in optimizer.state[before].items()
            }
    for group, fresh in zip(optimizer.param_groups, found.param_groups, strict=True):
        rest = {key: value for key, value in group.items() if key != "params"}
        if many := [key for key, value in rest.items() if any(getattr(leaf, "ndim", 0) for leaf in leaves(value))]:
            raise NotApartError(f"keeps tensors in its parameter groups ({many[0]!r})")
        fresh |= copy.deepcopy(rest)
    return found


def _chosen(value: Any, before: Tensor, chosen: Sequence[int], after: Tensor, key: Any = None) -> Any:
    if isinstance(value, Tensor) and value.shape == before.shape:
        return value.detach()[list(chosen)].reshape(after.shape).clone()
    if (isinstance(value, Tensor) and value.ndim > 0) or isinstance(value, (list, tuple, dict)):
        what = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise NotApartError(f"keeps {what} in its state ({key!r})")
    return copy.deepcopy(value)


@lru_cache
def takes_closure(cls: type[torch.optim.Optimizer]) -> bool:
    """Does its step take a function that gives the loss? One that cannot do without an argument means that, whatever its name."""
    taken = list(inspect.signature(cls.step).parameters.values())[1:]
    demanded = taken and taken[0].default is taken[0].empty and taken[0].kind is taken[0].POSITIONAL_OR_KEYWORD
    return bool(demanded) or any(p.name == "closure" for p in taken)


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
