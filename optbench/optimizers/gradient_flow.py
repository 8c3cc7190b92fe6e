"""Gradient flow: what gradient descent becomes as its rate goes to zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Optimizer, Oracle, Params
from .flow import SOLVERS, follow, of_trial


@dataclass(frozen=True, kw_only=True)
class GradientFlow(Optimizer[tuple[()]]):
    """Steepest descent in continuous time, followed for a time lr in each step.

        dx/dt = −∇f(x)

    So drawn beside gradient descent with the same lr, whose k-th point lies within O(lr) of the flow's. On a quadratic
    with the matrix A and its minimum at zero x(t) = exp(−A t) x(0), which grows for no lr. With minibatches the flow of a
    step is that of the step's batch. One trial after the other is integrated, as a solver's steps adapt to it; each of
    their evaluations is counted. A trial that runs to infinity, or needs too many evaluations, becomes nan.

    Args:
        lr: time that passes in a step, in units of parameters per unit of gradient. Schedules multiply it.
        method: of scipy.integrate: the explicit RK23, RK45 and DOP853, or, for stiff problems of few parameters, Radau,
            BDF and LSODA, which hold n × n numbers and ask n times for a Jacobian.
        rtol: error of a solver's step, as a part of each parameter.
        atol: the same in units of the parameters; the two are added.
        most_evaluations: of one trial in one step.

    Raises:
        ValueError: a value lies outside its range; the message names the trial.

    Source: Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes Rendus 25 (1847),
    536–538, whose method this is the limit of; Hairer, Nørsett & Wanner, "Solving ordinary differential equations I",
    2nd edition (1993), section II.4 for the step size control.
    """

    family: ClassVar[str] = "flow"
    sequential: ClassVar[bool] = True

    lr: Hyper = setting(1e-3, least=0)
    method: str = setting("RK45", choices=SOLVERS)
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
            lambda k: (lambda t, x, g: -g, of_trial(self.atol, k)),
            method=self.method,
            rtol=self.rtol,
            most_evaluations=self.most_evaluations,
        )
        return after, ()
