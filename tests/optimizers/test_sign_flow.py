"""Sign flow against its solution by quadrature, against the sliding flow, and against signSGD with small rates."""

from __future__ import annotations

import math

import pytest
import torch
from contracts import Loop, column
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import brentq
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.optimizers.flow import SOLVERS
from optbench.optimizers.sign_flow import SignFlow
from optbench.optimizers.signsgd import SignSGD


class Ravine(Oracle):
    """½ (x + y)² · stiff + ½ (x − y)²: from most points the signs drive into x + y ≈ 0, and slide along it."""

    fixed = True

    def __init__(self, stiff: float):
        self.stiff, self.layout = stiff, Layout.point(2)

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, y = params[:, :1], params[:, 1:]
        across, along = self.stiff * (x + y), x - y
        return (0.5 * (across**2 / self.stiff + along**2))[:, 0], torch.cat([across + along, across - along], dim=1)


class Bowl(Oracle):
    """½ c x², elementwise."""

    fixed = True

    def __init__(self, c: Tensor):
        self.c, self.layout = c, Layout.point(len(c))

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return 0.5 * (self.c * params**2).sum(dim=1), self.c * params


@pytest.mark.parametrize("method", SOLVERS)
def test_on_a_parabola_it_is_the_solution_that_quadrature_gives(method: str) -> None:
    """With u = c x:  c t = F(u(0)) − F(u(t)),  F(u) = √(u² + eps²) − eps · asinh(eps / u)."""
    c, eps, start, time = 3.0, 0.2, 1.5, 1.3

    def F(u: float) -> float:
        return math.hypot(u, eps) - eps * math.asinh(eps / u)

    end = brentq(lambda u: F(c * start) - F(u) - c * time, 1e-9, c * start, xtol=1e-15) / c
    oracle, x = Bowl(torch.tensor([c, c], dtype=torch.float64)), column(start, start) * torch.tensor([[1.0, -1.0]])
    rule = SignFlow(lr=time / 2, eps=eps, method=method, rtol=1e-9, atol=1e-12)
    for _ in range(2):
        x, _ = rule.step(x, (), oracle, 1.0)
    torch.testing.assert_close(x, column(end, end) * torch.tensor([[1.0, -1.0]]), rtol=1e-6, atol=0)


def test_as_eps_goes_to_zero_each_parameter_moves_at_the_same_speed_and_stops_at_its_minimum() -> None:
    oracle, x = Bowl(torch.tensor([1.0, 10.0], dtype=torch.float64)), torch.tensor([[2.0, -0.5]] * 3).double()
    after, _ = SignFlow(lr=1.0, eps=column(1e-1, 1e-2, 1e-4)).step(x, (), oracle, 1.0)
    gaps = (after - torch.tensor([[1.0, 0.0]], dtype=torch.float64)).abs().amax(dim=1)
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-5


def test_where_the_signs_point_at_each_other_it_slides_along_the_surface() -> None:
    """∂f/∂x = s(x + y) + (x − y) stays near zero there, and by Filippov's rule the flow leaves the corner's tip at (0, 0)."""
    oracle, x = Ravine(100.0), torch.tensor([[1.0, 0.2], [1.0, 0.2]], dtype=torch.float64)
    rule = SignFlow(lr=0.8, eps=column(1e-2, 1e-4))
    after, _ = rule.step(x, (), oracle, 1.0)
    _, g = oracle(after)
    # (1, 0.2) falls with both signs positive until 101 y = −99 x' … one element of g is zero from there on
    assert (g.abs().amin(dim=1) < column(1e-2, 1e-4)[:, 0] * 100).all()
    assert after.abs().max() < 1


def test_halving_the_rate_of_signsgd_brings_it_nearer() -> None:
    problem, time = Rosenbrock(), 0.15  # before either element of the gradient changes its sign
    flow = Loop(problem, SignFlow(lr=time / 3, eps=1e-7, rtol=1e-10, atol=1e-12), [0]).run(3)[-1]
    gaps = [
        (Loop(problem, SignSGD(lr=time / steps), [0]).run(steps)[-1] - flow).norm().item() for steps in (50, 200, 800)
    ]
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]
    assert gaps[2] < 1e-3


def test_no_parameter_moves_further_than_the_time_that_passes() -> None:
    problem = Rosenbrock(n=4)
    run = Loop(problem, SignFlow(lr=0.05), [0, 1])
    for _ in range(10):
        before = run.params
        run.run(1)
        assert (run.params - before).abs().max() <= 0.05 * (1 + 1e-6)
