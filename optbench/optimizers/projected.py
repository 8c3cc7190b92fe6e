"""Projected gradient descent: a gradient step, then back to the nearest point that is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..checks import check_settings, setting
from ..interfaces import FirstOrder, Hyper, Layout, Params


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
    low: Hyper | None = setting(-10.0, optional=True)
    high: Hyper | None = setting(10.0, optional=True)
    radius: Hyper = setting(10.0, above=0)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.low is not None and self.high is not None:
            low, high = torch.broadcast_tensors(torch.as_tensor(self.low), torch.as_tensor(self.high))
            wrong = (low > high).reshape(-1)
            if bool(wrong.any()):
                k = int(wrong.nonzero()[0])
                where = f" in trial {k}" if len(wrong) > 1 else ""
                raise ValueError(
                    f"Projected: low must not lie above high, got {low.reshape(-1)[k].item():g} and "
                    f"{high.reshape(-1)[k].item():g}{where}"
                )

    def init(self, params: Params, layout: Layout) -> Layout:
        return layout

    def update(self, params: Params, grad: Params, state: Layout, lr: Hyper) -> tuple[Params, Layout]:
        z = params - lr * grad
        if self.onto == "ball":
            parts = zip(state.roles, z.split(state.sizes, dim=1), strict=True)
            inside = torch.cat([part for role, part in parts if role != "buffer"], dim=1)
            length = torch.linalg.vector_norm(inside, dim=1, keepdim=True)
            return z * torch.where(length > self.radius, self.radius / length, 1), state
        if self.low is not None:
            z = z.clamp(min=self.low)
        return z if self.high is None else z.clamp(max=self.high), state
