"""Lengths of time within a run."""

from __future__ import annotations

import torch
from torch import Tensor

from ..interfaces import Hyper


def span(length: Hyper, steps: int) -> Hyper:
    """A length of time in whole steps: up to 1 it is a part of the run, above 1 a number of steps; at least one step.

    >>> span(0.25, 1000), span(50, 1000)
    (250.0, 50.0)
    """
    if isinstance(length, Tensor):
        return torch.where(length <= 1, length * steps, length).round().clamp(min=1)
    return float(max(1, round(length * steps if length <= 1 else length)))
