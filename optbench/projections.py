"""Nearest points of simple sets, onto which the optimizer `projected` and the modifier `project` bring the parameters."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch

from .checks import check_ordered
from .interfaces import Hyper, Layout, Params


@runtime_checkable
class Bounds(Protocol):
    """A set: a box with two sides, of which each may be missing, or a ball."""

    @property
    def onto(self) -> str: ...
    @property
    def low(self) -> Hyper | None: ...
    @property
    def high(self) -> Hyper | None: ...
    @property
    def radius(self) -> Hyper: ...


def check_bounds(bounds: Bounds) -> None:
    """Raise a ValueError, one line that names the trial, where the box is empty."""
    if bounds.low is not None and bounds.high is not None:
        check_ordered(bounds, "low must not lie above high", bounds.low, bounds.high)


def nearest(point: Params, bounds: Bounds, layout: Layout) -> Params:
    """The point of the set next to each trial's; moving statistics have no part in the length of a ball's."""
    if bounds.onto == "ball":
        parts = zip(layout.roles, point.split(layout.sizes, dim=1), strict=True)
        inside = torch.cat([part for role, part in parts if role != "buffer"], dim=1)
        length = torch.linalg.vector_norm(inside, dim=1, keepdim=True)
        return point * torch.where(length > bounds.radius, bounds.radius / length, 1)
    if bounds.low is not None:
        point = point.clamp(min=bounds.low)  # type: ignore[arg-type] # a number or a tensor: torch has both
    return point if bounds.high is None else point.clamp(max=bounds.high)  # type: ignore[arg-type] # a number or a tensor: torch has both
