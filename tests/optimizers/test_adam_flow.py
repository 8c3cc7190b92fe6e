"""Adam flow against Adam with small rates, a closed form, quadrature, and the sign flow it tends to."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from contracts import Loop, column
from optbench.problems.rosenbrock import Rosenbrock
from scipy.integrate import quad
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.optimizers.adam import Adam
from optbench.optimizers.adam_flow import AdamFlow
from optbench.optimizers.flow import SOLVERS
from optbench.optimizers.sign_flow import SignFlow

pytestmark = pytest.mark.slow  # integrated trial by trial

EXACT = {"rtol": 1e-10, "atol": 1e-13}
FORMS = {
    "paper": {},
    "no correction": {"bias_correction": False, "eps": 1e-2},
    "gradient start, eps inside": {"start": "gradient", "eps_inside": True, "eps": 1e-4},
}


class Slope(Oracle):
    """gᵀx with a constant g."""

    fixed = True

    def __init__(self, g: Tensor):
        self.g, self.layout = g, Layout.point(len(g))

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return params @ self.g, self.g.expand_as(params)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_halving_the_rate_of_adam_halves_its_distance_to_the_flow(form: dict[str, Any]) -> None:
    """Adam with betas 1 − γ lr at the same time; the order of the error is one."""
    problem, time, (a, b) = Rosenbrock(), 0.4, (10.0, 3.0)
    flow = Loop(problem, AdamFlow(lr=time / 4, rates=(a, b), **EXACT, **form), [0]).run(4)[-1]
    gaps = []
    for steps in (400, 800, 1600):
        lr = time / steps
        path = Loop(problem, Adam(lr=lr, betas=(1 - a * lr, 1 - b * lr), **form), [0]).run(steps)
        gaps.append((path[-1] - flow).norm().item())
    assert gaps[0] < 0.01
    order = math.log2(gaps[0] / gaps[2]) / 2
    assert order == pytest.approx(1, abs=0.2)


def test_with_its_own_settings_the_flow_is_near_adam_with_its_own() -> None:
    """lr = 0.001, betas (0.9, 0.999): β = 1 − γ lr for γ = 100 and 1."""
    problem = Rosenbrock()
    flow, adam = Loop(problem, AdamFlow(), [0, 1]).run(50)[-1], Loop(problem, Adam(), [0, 1]).run(50)[-1]
    gone = (adam - problem.start([0, 1])).norm(dim=1)
    assert ((flow - adam).norm(dim=1) < 0.02 * gone).all()


@pytest.mark.parametrize("method", SOLVERS)
def test_on_a_slope_it_moves_at_unit_speed_with_correction(method: str) -> None:
    """There m̂ = g and v̂ = g² at all times."""
    g = torch.tensor([3.0, -1e-3], dtype=torch.float64)
    rule, x = AdamFlow(lr=0.2, eps=1e-3, method=method), torch.zeros(2, 2, dtype=torch.float64)
    state = rule.init(x, Layout.point(2))
    for _ in range(3):
        x, state = rule.step(x, state, Slope(g), 1.0)
    torch.testing.assert_close(x[0], -0.6 * g / (g.abs() + 1e-3), rtol=1e-5, atol=0)
    torch.testing.assert_close(state.m[0], g * (1 - math.exp(-60)), rtol=1e-5, atol=0)
    torch.testing.assert_close(state.v[1], g**2 * (1 - math.exp(-0.6)), rtol=1e-5, atol=0)


def test_on_a_slope_without_correction_it_is_what_quadrature_gives() -> None:
    a, b, time = 5.0, 2.0, 0.7
    length, _ = quad(lambda t: (1 - math.exp(-a * t)) / (math.sqrt(1 - math.exp(-b * t)) + 1e-2), 0, time)
    rule, x = AdamFlow(lr=time / 2, rates=(a, b), bias_correction=False, eps=1e-2), torch.zeros(2, 1).double()
    state = rule.init(x, Layout.point(1))
    for _ in range(2):
        x, state = rule.step(x, state, Slope(torch.ones(1, dtype=torch.float64)), 1.0)
    torch.testing.assert_close(x, column(-length, -length), rtol=1e-5, atol=0)


def test_as_the_rates_grow_it_tends_to_the_sign_flow() -> None:
    """m → g and v → g²; with eps under the root both are −g/√(g² + eps)."""
    problem = Rosenbrock()
    signs = Loop(problem, SignFlow(lr=0.05, eps=1e-1), [0]).run(4)[-1]
    gaps = []
    for rate in (1e2, 1e3, 1e4):
        rule = AdamFlow(lr=0.05, rates=(rate, rate), start="gradient", eps_inside=True, eps=1e-2, method="LSODA")
        gaps.append((Loop(problem, rule, [0]).run(4)[-1] - signs).norm().item())
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2]
    assert gaps[2] < 1e-3


def test_the_units_of_the_objective_do_not_matter() -> None:
    """Where eps is zero; the means' tolerance is a part of their largest element, not a number of its own."""
    paths = []
    for scale in (1.0, 1e-6):
        rule, x = AdamFlow(lr=0.1, eps=0.0), torch.tensor([[1.0, 2.0]], dtype=torch.float64)
        state = rule.init(x, Layout.point(2))

        class Bowl(Slope):
            def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
                return (0.5 * self.g * params**2).sum(dim=1), self.g * params

        for _ in range(3):
            x, state = rule.step(x, state, Bowl(scale * torch.tensor([1.0, 30.0], dtype=torch.float64)), 1.0)
        paths.append(x)
    torch.testing.assert_close(paths[0], paths[1], rtol=1e-4, atol=1e-6)
