"""Adam flow: what Adam becomes as its rate goes to zero and its memory stays as long in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_settings, setting
from ..interfaces import Hyper, Layout, Optimizer, Oracle, Params
from .flow import SOLVERS, Array, Velocity, follow, of_trial


class AdamFlowState(NamedTuple):
    """t: steps taken; time: that has passed, [trials, 1]; m, v: running means of g and g², each [trials, n]."""

    t: int
    time: Float[Tensor, "trials 1"]
    m: Params
    v: Params


@dataclass(frozen=True, kw_only=True)
class AdamFlow(Optimizer[AdamFlowState]):
    """Adam in continuous time, followed for a time lr in each step.

        dm/dt = γ₁ (g − m)              dv/dt = γ₂ (g² − v),   g = ∇f(x), elementwise
        dx/dt = −m̂ / (√v̂ + eps),   m̂ = m / (1 − e^(−γ₁ t)),   v̂ = v / (1 − e^(−γ₂ t)),   begun with m = v = 0

    Adam with the rate lr and betas (1 − γ₁ lr, 1 − γ₂ lr) tends to it as lr → 0: its k-th point lies within O(lr) of
    the flow at the time k lr. With the rates as set, (100, 1), Adam's defaults lr = 0.001 and betas = (0.9, 0.999) are
    such a discretisation. As both rates grow, m̂ and v̂ follow g and g², and the flow tends to that of signs.

    `bias_correction`, `start` and `eps_inside` are Adam's: without correction m̂ = m and v̂ = v; `start: gradient` begins
    with m = g and v = g² of the first gradient and needs no correction; `eps_inside` divides by √(v̂ + eps).

    With minibatches the flow of a step is that of the step's batch. One trial after the other is integrated, as a solver's
    steps adapt to it; each of their evaluations is counted. A trial that needs too many becomes nan.

    Args:
        lr: time that passes in a step, in units of the parameters. Schedules multiply it.
        rates: γ₁ and γ₂, the inverse times over which the means forget.
        eps: floor of the denominator, in units of the gradient; of its square, in units of the squared gradient, where
            eps_inside.
        bias_correction: divide the running means that started at zero by 1 − e^(−γ t).
        start: the running means at the beginning: "zero", or "gradient" for the first g and g².
        eps_inside: add eps under the root.
        method: of scipy.integrate: the explicit RK23, RK45 and DOP853, or, for stiff problems of few parameters, Radau,
            BDF and LSODA, which hold 3n × 3n numbers and ask 3n times for a Jacobian.
        rtol: error of a solver's step, as a part of each parameter and mean.
        atol: the same in units of the parameters, and, for a mean, of its largest element; the two are added.
        most_evaluations: of one trial in one step.

    Raises:
        TypeError: bias_correction or eps_inside is neither true nor false.
        ValueError: a value lies outside its range; the message names the trial.

    Source: Barakat & Bianchi, "Convergence and dynamical behavior of the Adam algorithm for nonconvex stochastic
    optimization", SIAM Journal on Optimization 31 (2021), 244–274, https://arxiv.org/abs/1810.02263, with a = γ₁ and
    b = γ₂; da Silva & Gazeau, "A general system of differential equations to model first-order adaptive algorithms", JMLR
    21 (2020), 1–42, https://arxiv.org/abs/1810.13108.
    """

    family: ClassVar[str] = "flow"
    sequential: ClassVar[bool] = True

    lr: Hyper = setting(1e-3, least=0)
    rates: tuple[Hyper, Hyper] = setting((100.0, 1.0), above=0)
    eps: Hyper = setting(1e-8, least=0)
    bias_correction: bool = setting(True)
    start: str = setting("zero", choices=("zero", "gradient"))
    eps_inside: bool = setting(False)
    method: str = setting("RK45", choices=SOLVERS)
    rtol: Hyper = setting(1e-6, least=1e-13, below=1)
    atol: Hyper = setting(1e-9, above=0)
    most_evaluations: int = setting(10000, least=1)

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, params: Params, layout: Layout) -> AdamFlowState:
        return AdamFlowState(0, torch.zeros_like(params[:, :1]), torch.zeros_like(params), torch.zeros_like(params))

    def step(self, params: Params, state: AdamFlowState, oracle: Oracle, factor: Hyper) -> tuple[Params, AdamFlowState]:
        t, time, m, v = state
        _, grad = oracle(params)
        if t == 0 and self.start == "gradient":
            m, v = grad, grad * grad
        span = self.lr * factor
        y = torch.cat([params, m, v], dim=1)
        after = follow(
            oracle,
            params,
            grad,
            y,
            span,
            lambda k: self._velocity(k, of_trial(time, k), grad[k], y[k]),
            method=self.method,
            rtol=self.rtol,
            most_evaluations=self.most_evaluations,
        )
        x, m, v = after.chunk(3, dim=1)
        return x, AdamFlowState(t + 1, (time + span).to(time), m, v)

    def _velocity(self, k: int, begun: float, grad: Tensor, y: Tensor) -> tuple[Velocity, Array]:
        a, b = (of_trial(rate, k) for rate in self.rates)
        eps, corrected = of_trial(self.eps, k), self.start == "zero" and self.bias_correction

        def velocity(t: float, y: Array, g: Array) -> Array:
            _, m, v = np.split(y, 3)
            mean, square = m, np.maximum(v, 0)  # a solver's error may bring v below zero
            if corrected and begun + t == 0:
                mean, square = g, g * g  # the limit of 0/0
            elif corrected:
                mean, square = m / -np.expm1(-a * (begun + t)), square / -np.expm1(-b * (begun + t))
            root = np.sqrt(square + eps) if self.eps_inside else np.sqrt(square) + eps
            speed = np.divide(mean, root, out=np.zeros_like(mean), where=root != 0)
            return np.concatenate([-speed, a * (g - m), b * (g * g - v)])

        n, g = len(grad), grad.double()
        _, m, v = y.double().chunk(3)
        largest = (1.0, float(torch.maximum(m.abs(), g.abs()).max()), float(torch.maximum(v, g * g).max()))
        least = np.finfo(np.float64).tiny
        return velocity, of_trial(self.atol, k) * np.repeat(np.maximum(largest, least), n) + least
