"""Projected gradient descent: a gradient step, then back to the nearest point that is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params
from ..projections import check_bounds, nearest


@dataclass(frozen=True, kw_only=True)
class Projected(FirstOrder[Layout]):
    """Gradient descent within a box or a ball.

        x ← P(x − lr · g)
        box     P(z) = min(max(z, low), high), each coordinate alone
        ball    P(z) = z · min(1, radius / ‖z‖), around the origin

    A start outside is brought inside by the first step. The ball is one for all parameters of a trial together, moving
    statistics left out.

    Args:
        lr: step length for a gradient of length one.
        onto: `box` or `ball`.
        low, high: ends of the box for every coordinate, in units of the parameters; null: no end on that side.
        radius: of the ball, in units of the parameters.

    Raises:
        ValueError: a value lies outside its range, or low above high; the message names the trial.

    Source: Goldstein, "Convex programming in Hilbert space", Bulletin of the American Mathematical Society 70 (1964),
    709-710, https://doi.org/10.1090/S0002-9904-1964-11178-2; Levitin & Polyak, "Constrained minimization methods", USSR
    Computational Mathematics and Mathematical Physics 6 (1966), 1-50, https://doi.org/10.1016/0041-5553(66)90114-5.
    """

    family: ClassVar[str] = "sgd"
    elementwise: ClassVar[bool] = False

    lr: Hyper = setting(1e-3, least=0)
    onto: str = setting("box", choices=("box", "ball"))
    low: Hyper | None = setting(-10.0, optional=True, only={"onto": ("box",)})
    high: Hyper | None = setting(10.0, optional=True, only={"onto": ("box",)})
    radius: Hyper = setting(10.0, above=0, only={"onto": ("ball",)})

    def __post_init__(self) -> None:
        check_settings(self)
        check_bounds(self)

    def init(self, params: Params, layout: Layout) -> Layout:
        return layout

    def update(self, params: Params, grad: Params, state: Layout, lr: Hyper) -> tuple[Params, Layout]:
        return nearest(params - lr * grad, self, state), state
