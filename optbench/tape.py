"""What a rule does in a step, noted: its tensor operations, and the plain numbers that it gives them.

A rule computes with tensors and with plain numbers such as 1 − β₁ᵗ. Noting a step on a single column costs little, tells the
numbers of this step, and whether the operations are those of the steps before: a rule may do one thing now and another then.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from .errors import one_line
from .interfaces import FirstOrder, Hyper, Params

COPY = torch.ops.aten.clone.default
LIFTS = (torch.ops.aten.lift_fresh.default, torch.ops.aten.lift_fresh_copy.default)
FILLS = {
    *("zeros", "ones", "full", "empty", "scalar_tensor", "new_zeros", "new_ones", "new_full", "new_empty"),
    *("zeros_like", "ones_like", "full_like", "empty_like"),
    *("_to_copy", "copy_", "fill_", "zero_", "masked_fill", "masked_fill_"),
}
"""Operations that give all elements alike, or copies."""
UNTAGGED = {
    *("rsub", "floor_divide", "floor_divide_", "abs_", "copysign_", "heaviside_", "threshold_"),
    *("eq_", "ne_", "lt_", "le_", "gt_", "ge_"),
}
"""Pointwise operations that torch 2.13 does not call so."""
VIEWS = {"alias", "detach", "expand", "slice", "unsqueeze", "view", "_unsafe_view"}
"""Operations that do where a row stays a row."""


IMPURE = "writes over tensors that are given to it, where an update gives new ones"


class PlainError(Exception):
    """A step that must be made as the rule is written; the text says why none of its kind can be a graph, if that is so."""


class Call:
    """A call of `update` with all that enters it: parameters, gradient, state, rate, and the settings of the rule."""

    def __init__(self, rule: FirstOrder[Any], params: Params, grad: Params, state: Any, lr: Hyper):
        self.rule, self.lr, self.shape = rule, lr, params.shape
        self.values, self.spec = tree_flatten((params, grad, state, lr, getattr(rule, "__dict__", {})))
        self.tensors = [x for x in self.values if isinstance(x, Tensor)]
        self.state, self.state_spec = tree_flatten(state)
        tensors = [x for x in self.state if isinstance(x, Tensor)]
        self.places = [0, *(k for k, x in enumerate(tensors, 2) if self.whole(x))]
        """Which of the tensors are written over: the parameters, and what of the state has their shape."""

    def whole(self, value: Any) -> bool:
        """Is it a tensor with a number for each parameter?"""
        return isinstance(value, Tensor) and value.shape == self.shape

    def on_one_column(self) -> Tape:
        """What is done for the first parameter of each trial.

        Raises:
            PlainError: it cannot be told, or the new state has another form than the old one.
        """
        entering = [x for x in (*self.state, self.lr) if isinstance(x, Tensor)]
        if any(x.numel() > self.shape[0] and not self.whole(x) for x in entering):
            raise PlainError("keeps tensors that are neither [trials, n] nor one number a trial")
        return self._noted(1, lambda x: x[:, :1] if self.whole(x) else x.detach())  # each an object of its own

    def on_block(self, column: Tape, width: int) -> Tape:
        """What is done for so many parameters, without computing it.

        Raises:
            PlainError: it is something else than for one.
        """
        shape = self.shape[0], width
        with FakeTensorMode():
            tape = self._noted(
                width, lambda x: torch.empty(shape if self.whole(x) else x.shape, dtype=x.dtype, device=x.device)
            )
        if (tape.outline, tape.results) != (column.outline, column.results):
            raise PlainError("does other things for many parameters than for one")
        numbers = [[*map(repr, t.numbers), *(made.shape for made in t.made)] for t in (tape, column)]
        if numbers[0] != numbers[1]:
            raise PlainError("works with numbers that depend on how many parameters there are")
        for (operation, *arguments), made in zip(tape.operations, tape.tensors[len(tape.given) :], strict=True):
            touched = [made, *(tape.tensors[birth] for birth in _births(arguments))]
            if torch.Tag.nondeterministic_seeded in operation.tags:
                raise PlainError(f"draws random numbers by {operation}")
            if width > 1 and any(x.shape[-1:] == (width,) for x in touched):
                _check_apart(operation, made.shape[-1:] == (width,))
        return tape

    def _noted(self, width: int, change: Callable[[Tensor], Tensor]) -> Tape:
        """The rule with each tensor changed to one of so many columns."""
        values = [change(x) if isinstance(x, Tensor) else x for x in self.values]
        params, grad, state, lr, settings = tree_unflatten(values, self.spec)
        rule = copy.copy(self.rule)
        if settings:
            vars(rule).update(settings)
        tape = Tape([x for x in values if isinstance(x, Tensor)])
        try:
            with tape:
                params, state = rule.update(params, grad, state, lr)
        except PlainError:
            raise
        except Exception as error:
            raise PlainError(f"cannot be traced ({one_line(error)})") from error
        tape.state, spec = tree_flatten(state)
        made, old, shape = [params, *tape.state], [self.tensors[0], *self.state], (self.shape[0], width)
        forms = [_form(x, shape if self.whole(x) else None) for x in old]
        if spec != self.state_spec or [_form(x) for x in made] != forms:
            raise PlainError
        tape.results = [tape.birth(new) for new, place in zip(made, old, strict=True) if self.whole(place)]
        return tape


class Tape(TorchDispatchMode):
    """Notes the operations that run, and of each argument which earlier tensor it is, counted in the order of their making.

    numbers: the plain numbers among the arguments, in their order; made: copies of the tensors made of plain numbers.
    state: leaves of the new state; results: the new parameters and tensors of state like them, by the order of their making.

    Raises:
        PlainError: an operation reads a value of a tensor, or a tensor that comes from elsewhere, or writes over what is
            given.
    """

    def __init__(self, given: Sequence[Tensor]) -> None:
        super().__init__()
        self.given, self.tensors = list(given), list(given)  # kept, so that no other tensor gets the id of one
        self.numbers: list[float] = []
        self.operations: list[tuple[Any, Any, Any]] = []
        self.made: list[Tensor] = []
        self.state: list[Any] = []
        self.results: list[int] = []
        self._born = {id(tensor): k for k, tensor in enumerate(given)}
        self._homes = set(map(memory, given))

    @property
    def outline(self) -> list[Any]:
        """The operations without their arguments, of which some are sizes."""
        return [(operation, len(args), *kwargs) for operation, args, kwargs in self.operations] + [len(self.numbers)]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "prim":  # asks what kind of tensor it is
            return func(*args, **(kwargs or {}))
        writes = _writes_first(func)
        if writes and memory(args[0]) in self._homes:
            raise PlainError(IMPURE)
        if func in LIFTS:
            out = func(*args)
            self.operations.append((COPY, (Made(len(self.made)),), ()))
            self.made.append(out.clone())
        else:
            takes, kinds = _takes_numbers(func)
            noted = tuple(self._noted(x, takes[k]) for k, x in enumerate(args))
            named = tuple((name, self._noted(x, kinds[name])) for name, x in (kwargs or {}).items())
            self.operations.append((func, noted, named))
            out = func(*args, **(kwargs or {}))
        if not isinstance(out, Tensor):
            looks = isinstance(out, (bool, int, float, complex))
            raise PlainError(
                f"looks at the values of its tensors ({func})" if looks else f"gives no single tensor by {func}"
            )
        if writes:
            self._born[id(args[0])] = len(self.tensors)
        self._born[id(out)] = len(self.tensors)
        self.tensors.append(out)
        return out

    def _noted(self, value: Any, numeric: bool) -> Any:
        if isinstance(value, Tensor):
            return Earlier(self.birth(value))
        if isinstance(value, (list, tuple)):
            return tuple(self._noted(x, numeric) for x in value)
        if numeric and isinstance(value, (int, float)) and not isinstance(value, bool):
            self.numbers.append(value)
            return Number(len(self.numbers) - 1, isinstance(value, float))
        return value

    def birth(self, tensor: Tensor) -> int:
        """Its place among all tensors."""
        born = self._born.get(id(tensor))
        if born is None:
            raise PlainError("uses a tensor that is neither given to it nor in its state or settings")
        return born


def memory(tensor: Tensor) -> int:
    """Where it lies; a view lies where its tensor does."""
    return tensor.untyped_storage()._cdata


class Earlier(NamedTuple):
    """A tensor, by its place among those that were made."""

    birth: int


class Made(NamedTuple):
    """A tensor made of plain numbers."""

    place: int


class Number(NamedTuple):
    """A plain number, whole or not."""

    place: int
    broken: bool


def _births(noted: Any) -> Iterator[int]:
    """Places of the tensors among arguments."""
    if isinstance(noted, Earlier):
        yield noted.birth
    elif isinstance(noted, (list, tuple)):
        for part in noted:
            yield from _births(part)


def _check_apart(operation: Any, wide: bool) -> None:
    """Does it give each column what comes of this column alone?

    wide: does its result hold a number for each column?

    Raises:
        PlainError: it does not, or it is not known.
    """
    name = operation.overloadpacket.__name__
    if name in VIEWS and not wide:
        raise PlainError(f"gives its tensors another shape by {operation}")
    if name not in FILLS | UNTAGGED | VIEWS and torch.Tag.pointwise not in operation.tags:
        raise PlainError(f"uses {operation}, which is not known to treat elements apart")


@functools.cache
def _takes_numbers(operation: Any) -> tuple[list[bool], dict[str, bool]]:
    """Which arguments may be any number, by place and by name; others are sizes, dimensions, types."""
    arguments = operation._schema.arguments
    takes = [not {"int", "SymInt", "bool"} & set(re.findall(r"\w+", str(a.type))) for a in arguments]
    return takes, {a.name: take for a, take in zip(arguments, takes, strict=True)}


@functools.cache
def _writes_first(operation: Any) -> bool:
    """Does it write over its first argument?

    Raises:
        PlainError: it writes over another.
    """
    arguments = operation._schema.arguments
    written = [(k, str(a.type)) for k, a in enumerate(arguments) if a.alias_info and a.alias_info.is_write]
    if written not in ([], [(0, "Tensor")]):
        raise PlainError(f"writes with {operation}")
    return bool(written)


def _form(value: Any, shape: tuple[int, ...] | None = None) -> Any:
    """Shape and type of a tensor, or with another shape; None of anything else."""
    return (tuple(shape or value.shape), value.dtype) if isinstance(value, Tensor) else None
