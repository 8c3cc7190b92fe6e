"""What an object keeps: everything within it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor

_WHOLE = (Tensor, type, ModuleType, FunctionType, MethodType, BuiltinFunctionType)


def leaves(thing: Any, entered: dict[int, Any] | None = None) -> Iterator[Any]:
    """Tensors, numbers, words and what else has no parts, in order; an object that stands at several places is entered once.

    Parts are the items of lists, tuples, sets and dicts, whose keys count too, and the attributes of other objects.
    Classes, modules and functions have none.
    """
    entered = {} if entered is None else entered
    if id(thing) in entered:
        return
    many = isinstance(thing, (list, tuple, set, frozenset, deque, dict))
    if isinstance(thing, _WHOLE) or not (many or hasattr(thing, "__dict__")):
        yield thing
        return
    entered[id(thing)] = thing
    if not many:
        yield from leaves(vars(thing), entered)
    for part in thing if many else ():
        yield from leaves(part, entered)
        if isinstance(thing, dict):
            yield from leaves(thing[part], entered)
