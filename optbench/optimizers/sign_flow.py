"""Sign flow: what signSGD becomes as its rate goes to zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Optimizer, Oracle, Params
from .flow import SOLVERS, Array, Velocity, follow, of_trial


@dataclass(frozen=True, kw_only=True)
class SignFlow(Optimizer[tuple[()]]):
    """Descent along the signs of the gradient in continuous time, followed for a time lr in each step.

        dx/dt = −g / √(g² + eps²),   g = ∇f(x), elementwise

    The flow −sign(g) itself jumps where an element of g changes its sign, and slides along that surface: there is no
    classical solution, and solvers stall. So it is smoothed: the velocity is the sign's but for a part ½ eps²/g², and where
    the flow would slide, |g| stays of the order of eps. As eps → 0 the solution tends to one of the sliding flow in
    Filippov's sense. Where elements slide the equation is stiff (its rate is curvature over eps), which LSODA sees and
    changes to an implicit method.

    Each parameter moves at most lr in a step, as with signSGD at the same lr, whose points this is the limit of. With
    minibatches the flow of a step is that of the step's batch. One trial after the other is integrated; each of their
    evaluations is counted. A trial that needs too many becomes nan.

    Args:
        lr: time that passes in a step, in units of the parameters. Schedules multiply it.
        eps: gradient below which an element's velocity falls, in units of the gradient.
        method: of scipy.integrate: the explicit RK23, RK45 and DOP853, or Radau, BDF and LSODA, which hold n × n numbers and
            ask n times for a Jacobian where the equation is stiff.
        rtol: error of a solver's step, as a part of each parameter.
        atol: the same in units of the parameters; the two are added.
        most_evaluations: of one trial in one step.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Ma, Wu & E, "A qualitative study of the dynamic behavior for adaptive gradient algorithms", MSML 2021, section
    3, https://arxiv.org/abs/2009.06125; Filippov, "Differential equations with discontinuous righthand sides" (1988),
    chapter 2.
    """

    family: ClassVar[str] = "flow"
    sequential: ClassVar[bool] = True

    lr: Hyper = setting(1e-3, least=0)
    eps: Hyper = setting(1e-3, above=0)
    method: str = setting("LSODA", choices=SOLVERS)
    rtol: Hyper = setting(1e-6, least=1e-13, below=1)
    atol: Hyper = setting(1e-9, above=0)
    most_evaluations: int = setting(10000, least=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> tuple[()]:
        return ()

    def step(self, params: Params, state: tuple[()], oracle: Oracle, factor: Hyper) -> tuple[Params, tuple[()]]:
        _, grad = oracle(params)
        after = follow(
            oracle,
            params,
            grad,
            params,
            self.lr * factor,
            self._velocity,
            method=self.method,
            rtol=self.rtol,
            most_evaluations=self.most_evaluations,
        )
        return after, ()

    def _velocity(self, k: int) -> tuple[Velocity, float]:
        eps = of_trial(self.eps, k)

        def velocity(t: float, x: Array, g: Array) -> Array:
            return -g / np.hypot(g, eps)

        return velocity, of_trial(self.atol, k)
