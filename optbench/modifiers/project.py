"""Projection: after each step, back to the nearest point that is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Params, Rate, UpdateModifier
from ..projections import check_bounds, nearest


@dataclass(frozen=True, kw_only=True)
class Project(UpdateModifier):
    """The parameters are held in a box or a ball, whatever the optimizer does.

        x ← P(x)
        box     P(x) = min(max(x, low), high), each parameter alone
        ball    P(x) = x · min(1, radius / ‖x‖), around the origin

    A start outside is brought inside by the first step. The ball is one for all parameters of a trial together; moving
    statistics are left out. The optimizer does not know: its momentum may go on pushing against the wall.
    It comes after decay and all else that changes the step, wherever it stands in the list of modifiers.

    Args:
        onto: `box` or `ball`.
        low, high: ends of the box for every parameter, in units of the parameters; null: no end on that side.
        radius: of the ball, in units of the parameters.

    Raises:
        ValueError: a value lies outside its range, or low above high; the message names the trial.

    Source: Goldstein, "Convex programming in Hilbert space", Bulletin of the American Mathematical Society 70 (1964),
    709-710, https://doi.org/10.1090/S0002-9904-1964-11178-2. On `sgd`, the optimizer `projected`.
    """

    turn: ClassVar[int] = 1

    onto: str = setting("box", choices=("box", "ball"))
    low: Hyper | None = setting(-1.0, optional=True, only={"onto": ("box",)})
    high: Hyper | None = setting(1.0, optional=True, only={"onto": ("box",)})
    radius: Hyper = setting(1.0, above=0, only={"onto": ("ball",)})

    def __post_init__(self) -> None:
        check_settings(self)
        check_bounds(self)

    def init(self, params: Params, layout: Layout, seeds: Sequence[int], steps: int) -> Layout:
        return layout

    def apply(self, before: Params, after: Params, lr: Rate, state: Layout) -> tuple[Params, Layout]:
        return nearest(after, self, state), state
