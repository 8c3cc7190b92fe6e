"""The settings of a torch optimizer: which there are, what a configuration's values mean, and how they are told."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from ..registry import is_path, load_object


def defaults(cls: type[torch.optim.Optimizer]) -> dict[str, Any]:
    """The settings of a torch optimizer with their default values, from its constructor; required ones are left out."""
    return {
        name: p.default
        for name, p in list(inspect.signature(cls).parameters.items())[1:]
        if p.default is not inspect.Parameter.empty
    }


def signature(cls: type[torch.optim.Optimizer]) -> list[str] | None:
    """Names of the settings; None where the constructor takes any."""
    parameters = list(inspect.signature(cls).parameters.values())[1:]
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    return None if open_ended else [p.name for p in parameters]


def required(cls: type[torch.optim.Optimizer]) -> list[str]:
    """Names of the settings that have no default."""
    ours = list(inspect.signature(cls).parameters.values())[1:]
    return [p.name for p in ours if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def unlike(value: Any, default: Any) -> str | None:
    """What a value should be that cannot stand where the default is a number, a truth value or several; None where all is well."""
    if isinstance(default, (list, tuple)) and default and isinstance(value, (int, float, str)):
        return f"a list of {len(default)}, such as {yaml(list(default))}"
    if not isinstance(default, (int, float)) or not isinstance(value, (str, list, tuple)):
        return None
    if isinstance(default, bool) or not isinstance(value, str):
        return "true or false" if isinstance(default, bool) else "a number"
    try:
        float(value)
    except ValueError:
        return "a number"
    return None


def yaml(value: Any) -> str:
    """A value as it is typed."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return repr(value)


def columns(value: Any) -> list[Tensor]:
    """The columns in a setting; a tensor without dimensions is a number."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return [item for item in items if isinstance(item, Tensor) and item.ndim > 0]


def listed(value: Any) -> Any:
    """Columns as lists of Python numbers, read once; everything else as it is."""
    if isinstance(value, Tensor):
        return _Column(value.reshape(-1).tolist()) if value.ndim > 0 else value.item()
    return tuple(listed(item) for item in value) if isinstance(value, (list, tuple)) else value


class _Column(list[float]):
    """One number a trial."""


def of_trial(value: Any, trial: int) -> Any:
    """The trial's own number of a column; everything else as it is."""
    if isinstance(value, Tensor):
        return value.reshape(-1)[trial].item()
    if isinstance(value, _Column):
        return value[trial]
    return tuple(of_trial(item, trial) for item in value) if isinstance(value, tuple) else value


def natural(value: Any, default: Any) -> Any:
    """YAML has 1e-3 as a string, and a column has whole numbers as floats; the default says which is meant."""
    if isinstance(default, bool):
        return value
    if isinstance(value, str) and isinstance(default, (int, float)):
        value = float(value)
    whole = isinstance(default, int)
    return int(value) if whole and isinstance(value, float) and value.is_integer() else value


def loaded(value: Any, key: str, cls: type[torch.optim.Optimizer]) -> Any:
    """The optimizer that a path names where a setting wants a class, as those of wrappers do; everything else as it is.

    Raises:
        UsageError: there is no such thing.
    """
    wants = inspect.signature(cls).parameters.get(key)
    if wants is None or not isinstance(value, str) or not is_path(value) or wants.annotation in (str, "str"):
        return value
    return load_object(value) if wants.default is wants.empty or isinstance(wants.default, type) else value
