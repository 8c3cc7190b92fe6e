"""Sign flow against its solution by quadrature, against the sliding flow, and against signSGD with small rates."""

from __future__ import annotations

import math

import pytest
import torch
from contracts import Loop, column
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import root_scalar
from torch import Tensor

from optbench.interfaces import Layout, Oracle
from optbench.optimizers.flow import SOLVERS
from optbench.optimizers.sign_flow import SignFlow
from optbench.optimizers.signsgd import SignSGD

pytestmark = pytest.mark.slow  # integrated trial by trial


class Ravine(Oracle):
    """½ s (x + y)² + ½ (x − y)²: from most points the signs drive towards x + y ≈ 0, and along it."""

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

    def part(u: float) -> float:
        return math.hypot(u, eps) - eps * math.asinh(eps / u)

    end = root_scalar(lambda u: part(c * start) - part(u) - c * time, bracket=(1e-9, c * start), xtol=1e-15).root / c
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


def test_where_the_signs_point_at_each_other_it_slides_as_filippov_says() -> None:
    """From (1, 0.2) along the diagonal until 99 x + 101 y = ∂f/∂y = 0, then along that line with dx/dt = −1."""
    oracle, x = Ravine(100.0), torch.tensor([[1.0, 0.2]] * 3, dtype=torch.float64)
    after, _ = SignFlow(lr=0.8, eps=column(1e-1, 1e-2, 1e-4)).step(x, (), oracle, 1.0)
    gaps = (after - torch.tensor([[0.2, -0.2 * 99 / 101]], dtype=torch.float64)).abs().amax(dim=1)
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-5


def test_signsgd_comes_nearer_as_its_rate_falls() -> None:
    oracle, x = Ravine(100.0), torch.tensor([[1.0, 0.2]], dtype=torch.float64)
    flow, gaps = SignFlow(lr=0.8, eps=1e-6).step(x, (), oracle, 1.0)[0], []
    for steps in (50, 500, 5000):
        at = x
        for _ in range(steps):
            at, _ = SignSGD().update(at, oracle(at)[1], (), 0.8 / steps)
        gaps.append((at - flow).norm().item())
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2]
    assert gaps[2] < 1e-3


def test_no_parameter_moves_further_than_the_time_that_passes() -> None:
    problem = Rosenbrock(n=4)
    run = Loop(problem, SignFlow(lr=0.05), [0, 1])
    for _ in range(10):
        before = run.params
        run.run(1)
        assert (run.params - before).abs().max() <= 0.05 * (1 + 1e-6)
