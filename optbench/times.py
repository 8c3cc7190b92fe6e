"""Times within a run, counted in steps: whole numbers that rounding has moved are set right."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .interfaces import Hyper

ROUNDING = 1e-3
"""Parts of a step by which a time computed in float32 may be wrong."""


def snapped(time: Hyper) -> Hyper:
    """The nearest whole number where the time differs from it by rounding alone, else the time itself.

    >>> snapped(0.55 * 100), snapped(7.5)
    (55.0, 7.5)
    """
    if isinstance(time, Tensor):
        return torch.where((time - time.round()).abs() < ROUNDING, time.round(), time)
    return float(round(time)) if abs(time - round(time)) < ROUNDING else time


def whole_up(time: Hyper) -> Hyper:
    """The first whole step that is not before this time.

    >>> whole_up(0.55 * 100), whole_up(7.5)
    (55.0, 8.0)
    """
    time = snapped(time)
    return time.ceil() if isinstance(time, Tensor) else float(math.ceil(time))
