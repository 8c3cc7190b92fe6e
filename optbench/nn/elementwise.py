"""Functions of each number alone, whose bits do not depend on where in a tensor the number stands.

torch takes the last numbers of a tensor, those that fill no register, by another path, which rounds some functions
otherwise; which numbers these are changes with the number of trials. Filled up, a tensor has no such numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

MULTIPLE = 64
"""Numbers that torch takes at once, at most: two registers of 512 bits with numbers of 16 bits."""
UNEVEN = {
    *("gelu", "elu", "selu", "celu", "softplus", "mish", "silu", "sigmoid", "special_expit", "log_sigmoid"),
    *("sinh", "cosh", "atanh", "arctanh", "exp2", "special_exp2", "pow", "__pow__", "__rpow__", "float_power"),
}
"""Names of torch's functions of one tensor that round by place, themselves or their derivatives [measured: values, first
and second derivatives, float32 and float64]."""


def alike(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x), elementwise, each number by the same path: on a CPU x is filled up with zeros if need be.

    [gelu and its derivative, sizes that are no multiple of 64: 1.5 of the time, 1.06 of a step of an MLP of 61 units.]
    """
    n = x.numel()
    spare = -n % MULTIPLE
    if not spare or not x.is_cpu:
        return function(x)
    return function(torch.cat([x.flatten(), x.new_zeros(spare)])).split([n, spare])[0].view(x.shape)


def logistic(x: Tensor) -> Tensor:
    """1/(1 + e^(−x))"""
    return alike(torch.sigmoid, x)


class Alike(TorchFunctionMode):
    """Within it torch's own functions of one tensor are made as by `alike`; not those of two, nor those in place."""

    met = False
    """A tensor had to be filled up."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in UNEVEN:
            given = [*args, *kwargs.values()]
            tensors = [value for value in given if isinstance(value, Tensor)]
            if len(tensors) == 1 and tensors[0].numel() % MULTIPLE and not any(value is True for value in given):
                self.met = True
                return alike(partial(_with, func, args, kwargs), tensors[0])
        return func(*args, **kwargs)


def _with(func: Any, args: Any, kwargs: Mapping[str, Any], x: Tensor) -> Any:
    """The call with another tensor in place of the one it has."""
    return func(
        *(x if isinstance(value, Tensor) else value for value in args),
        **{name: x if isinstance(value, Tensor) else value for name, value in kwargs.items()},
    )
