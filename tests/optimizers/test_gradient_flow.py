"""Gradient flow against the matrix exponential, against scipy's solve_ivp, and against gradient descent with small rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from torch import Tensor

from optbench.interfaces import FixedStream, Layout, Oracle
from optbench.optimizers.flow import SOLVERS
from optbench.optimizers.gradient_flow import GradientFlow
from optbench.optimizers.sgd import SGD
from optbench.oracle import BatchOracle

pytestmark = pytest.mark.slow  # integrated trial by trial


class Quadratic(Oracle):
    """½ xᵀAx, the same for all trials."""

    fixed = True

    def __init__(self, A: np.ndarray):
        self.A, self.layout = torch.from_numpy(A), Layout.point(len(A))

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        Ax = params @ self.A
        return (0.5 * params * Ax).sum(dim=1), Ax


class Quartic(Oracle):
    """c x⁴ / 4 with c of each trial's own: where c = −1 the flow is x/√(1 − 2 x² t), infinite at t = 1/(2 x²)."""

    fixed = True

    def __init__(self, c: Tensor):
        self.c, self.layout = c, Layout.point(1)

    def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        c = self.c if rows is None else self.c[rows]
        return (c * params**4 / 4)[:, 0], c * params**3


@pytest.mark.parametrize("method", SOLVERS)
def test_on_a_quadratic_the_points_are_those_of_the_matrix_exponential(method: str) -> None:
    random = np.random.default_rng(0)
    M = random.normal(size=(3, 3))
    A = M @ M.T + 0.1 * np.eye(3)
    oracle, rule = Quadratic(A), GradientFlow(lr=column(0.1, 0.7), method=method, rtol=1e-9, atol=1e-12)
    x = torch.tensor([[1.0, -2.0, 3.0], [0.5, 1.0, 1.0]], dtype=torch.float64)
    start = x.numpy()
    for step in (1, 2, 3):
        x, _ = rule.step(x, (), oracle, 1.0)
        for trial, lr in enumerate((0.1, 0.7)):
            np.testing.assert_allclose(x[trial].numpy(), expm(-A * lr * step) @ start[trial], rtol=1e-6, atol=1e-8)


def test_one_step_is_what_scipys_solve_ivp_gives() -> None:
    problem = Rosenbrock()
    run = Loop(problem, GradientFlow(lr=0.05), [0])
    start = run.params[0].numpy()
    after = run.run(1)[0, 0].numpy()

    def motion(t: float, x: np.ndarray) -> np.ndarray:
        return -problem.loss_and_grad(torch.from_numpy(x)[None], None)[1][0].numpy()

    found = solve_ivp(motion, (0, 0.05), start, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(after, found.y[:, -1], rtol=1e-13)


def test_halving_the_rate_of_gradient_descent_halves_its_distance_to_the_flow() -> None:
    problem, time = Rosenbrock(), 0.05
    flow = Loop(problem, GradientFlow(lr=time / 5, rtol=1e-10, atol=1e-12), [0]).run(5)[-1]
    gaps = []
    for steps in (800, 1600, 3200):
        gaps.append((Loop(problem, SGD(lr=time / steps), [0]).run(steps)[-1] - flow).norm().item())
    assert gaps[0] < 0.01
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.05)
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.05)


def test_a_trial_that_runs_to_infinity_becomes_nan_and_the_others_go_on() -> None:
    oracle, x = Quartic(column(1.0, -1.0, -1.0)), column(1.0, 1.0, 0.5)
    for method in SOLVERS:
        after, _ = GradientFlow(lr=0.75, method=method).step(x, (), oracle, 1.0)
        assert math.isnan(after[1].item())
        expected = column(1 / math.sqrt(2.5), math.nan, 0.5 / math.sqrt(1 - 0.375))
        torch.testing.assert_close(after, expected, rtol=1e-4, atol=0, equal_nan=True)


def test_a_trial_that_needs_too_many_evaluations_becomes_nan() -> None:
    oracle, x = Quadratic(np.diag([1.0, 1e4])), torch.ones(2, 2, dtype=torch.float64)
    after, _ = GradientFlow(lr=column(1e-5, 1.0), most_evaluations=100).step(x, (), oracle, 1.0)
    assert after[0].isfinite().all()
    assert after[1].isnan().all()


def test_every_evaluation_is_counted_for_its_trial_alone() -> None:
    asked = torch.zeros(3, dtype=torch.int64)

    class Watching(BatchOracle):
        def __call__(self, params: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
            asked[slice(None) if rows is None else rows] += 1
            assert rows is None or len(rows) == 1
            return super().__call__(params, rows)

    run = Loop(Rosenbrock(), GradientFlow(lr=column(1e-3, 1e-2, 1e-1)), [0, 1, 2])
    run.oracle = Watching(Rosenbrock(), FixedStream(), 3)
    run.run(3)
    assert torch.equal(torch.as_tensor(run.oracle.evaluations()), asked)
    assert asked[0] < asked[1] < asked[2]


def test_with_minibatches_the_flow_of_a_step_is_that_of_its_batch() -> None:
    problem = TinyNet()
    run = Loop(problem, GradientFlow(lr=0.3, rtol=1e-9), [0])
    run.run(2)
    start, batch = run.params[0].numpy(), run.oracle.stream.at(2)
    after = run.run(1)[0, 0].numpy()

    def motion(t: float, x: np.ndarray) -> np.ndarray:
        return -problem.loss_and_grad(torch.from_numpy(x)[None], batch)[1][0].numpy()

    np.testing.assert_allclose(after, solve_ivp(motion, (0, 0.3), start, rtol=1e-9, atol=1e-9).y[:, -1], rtol=1e-8)


def test_a_schedule_multiplies_the_time_that_passes() -> None:
    oracle, x = Quadratic(np.diag([1.0, 2.0])), torch.ones(2, 2, dtype=torch.float64)
    after, _ = GradientFlow(lr=0.5, rtol=1e-10, atol=1e-12).step(x, (), oracle, column(1.0, 0.2))
    expected = torch.exp(-column(0.5, 0.1) * torch.tensor([1.0, 2.0], dtype=torch.float64))
    torch.testing.assert_close(after, expected, rtol=1e-8, atol=0)
