"""Lengths of time within a run, and the few functions that schedules need of a number or a column of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..checks import Range, check_value
from ..interfaces import Hyper
from ..times import snapped

Number = int | Hyper
"""Hyper, or an int."""


def span(length: Number, steps: Number) -> Hyper:
    """A length of time in whole steps: up to 1 it is a part of the run, above 1 a number of steps; at least one step.

    >>> span(0.25, 1000), span(50, 1000)
    (250.0, 50.0)
    """
    if isinstance(length, Tensor):
        return torch.where(length <= 1, length * steps, length).round().clamp(min=1)
    if isinstance(steps, Tensor):
        return (length * steps if length <= 1 else torch.full_like(steps, length)).round().clamp(min=1)
    return float(max(1, round(length * steps if length <= 1 else length)))


def span_or_none(length: Number, steps: Number) -> Hyper:
    """As `span`, but a length of 0 is no step at all."""
    if isinstance(length, Tensor):
        return torch.where(length > 0, span(length, steps), 0)
    return span(length, steps) if length > 0 else 0.0


def cycle_span(length: Number, steps: Number) -> Hyper:
    """As `span`, but not rounded to whole steps: cycles that fill a run must not begin again just before its end.

    >>> cycle_span(0.25, 150), cycle_span(0.1, 30)
    (37.5, 3.0)
    """
    if isinstance(length, Tensor) or isinstance(steps, Tensor):
        long = length > 1
        parts = torch.as_tensor(length * steps)
        return snapped(torch.where(torch.as_tensor(long), torch.zeros_like(parts) + length, parts).clamp(min=1))
    return snapped(max(1.0, length * steps if length <= 1 else length))


def lengths(owner: str, name: str, values: Any) -> None:
    """Raise a ValueError or TypeError unless this setting is a list of lengths of time, each above 0."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"{owner}: {name} must be a list of numbers such as [0.5, 0.75], got {values!r}")
    for value in values:
        check_value(owner, f"each of {name}", value, 1.0, Range(above=0))


def where(condition: Any, a: Number, b: Number) -> Any:
    """a where the condition holds, b elsewhere; a and b are both computed first, and one a column if it is."""
    return torch.where(condition, a, b) if isinstance(condition, Tensor) else a if condition else b


def at_least(x: Number, limit: Number) -> Any:
    """The larger of the two."""
    return torch.clamp(x, min=limit) if isinstance(x, Tensor) else max(x, limit)


def at_most(x: Number, limit: Number) -> Any:
    """The smaller of the two."""
    return torch.clamp(x, max=limit) if isinstance(x, Tensor) else min(x, limit)


def half_cosine(part: Number) -> Hyper:
    """½ (1 + cos(π part)): from 1 at 0 down to 0 at 1, flat at both ends."""
    return 0.5 * (1 + (torch.cos(math.pi * part) if isinstance(part, Tensor) else math.cos(math.pi * part)))
