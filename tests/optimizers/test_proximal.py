"""Proximal gradient descent against scikit-learn's lasso, against the rates that its paper proves, and worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet
from optbench.problems.rosenbrock import Rosenbrock
from sklearn.linear_model import Lasso
from torch import Tensor

from optbench.interfaces import Layout
from optbench.optimizers.proximal import Proximal
from optbench.optimizers.sgd import SGD

both = pytest.mark.parametrize("accelerated", [False, True], ids=["ista", "fista"])


class LeastSquares:
    """‖Xw − y‖² / 2m on random data of which four of ten columns matter, and scikit-learn's lasso on it."""

    def __init__(self, strength: float):
        random = np.random.default_rng(0)
        self.X = random.normal(size=(50, 10)) * np.logspace(0, -0.7, 10)
        self.y = self.X[:, :4] @ np.array([2.0, -1.0, 0.5, 3.0]) + 0.1 * random.normal(size=50)
        self.strength, self.curvature = strength, float(np.linalg.eigvalsh(self.X.T @ self.X / 50)[-1])
        self.solution = Lasso(alpha=strength, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(self.X, self.y).coef_

    def grad(self, w: Tensor) -> Tensor:
        return torch.from_numpy((w.numpy() @ self.X.T - self.y) @ self.X / 50)

    def penalised(self, w: np.ndarray) -> float:
        return float(((self.X @ w - self.y) ** 2).sum() / 100 + self.strength * np.abs(w).sum())

    def run(self, rule: Proximal, steps: int) -> list[np.ndarray]:
        w, path = torch.zeros(1, 10, dtype=torch.float64), []
        state = rule.init(w, Layout.point(10))
        for _ in range(steps):
            w, state = rule.update(w, self.grad(rule.asks_at(w, state)), state, rule.lr)
            path.append(w[0].numpy())
        return path


@both
@pytest.mark.parametrize("strength", [0.02, 0.2])
def test_it_ends_at_the_lasso_of_scikit_learn_with_the_same_parameters_at_exactly_zero(
    accelerated: bool, strength: float
) -> None:
    problem = LeastSquares(strength)
    last = problem.run(Proximal(lr=1 / problem.curvature, strength=strength, accelerated=accelerated), 3000)[-1]
    np.testing.assert_allclose(last, problem.solution, rtol=1e-6, atol=1e-8)
    assert np.array_equal(last == 0, problem.solution == 0)
    assert 0 < (last == 0).sum() < 10


@both
def test_the_distance_from_the_least_value_keeps_below_the_bound_of_the_paper(accelerated: bool) -> None:
    """Theorems 3.1 and 4.4: L ‖x₀ − x*‖² / 2k and 2 L ‖x₀ − x*‖² / (k + 1)²."""
    problem = LeastSquares(0.02)
    path = problem.run(Proximal(lr=1 / problem.curvature, strength=0.02, accelerated=accelerated), 200)
    size, least = problem.curvature * (problem.solution**2).sum(), problem.penalised(problem.solution)
    for k, w in enumerate(path, 1):
        bound = 2 * size / (k + 1) ** 2 if accelerated else size / (2 * k)
        assert problem.penalised(w) - least <= bound


def test_acceleration_accelerates() -> None:
    problem = LeastSquares(0.02)
    least = problem.penalised(problem.solution)
    gaps = []
    for accelerated in (False, True):
        path = problem.run(Proximal(lr=0.2 / problem.curvature, strength=0.02, accelerated=accelerated), 100)
        gaps.append(problem.penalised(path[-1]) - least)
    assert gaps[1] < 0.1 * gaps[0]


def test_one_step_worked_by_hand() -> None:
    """z = 1.5, −1.75, 0.25 and −2; a half is taken from each."""
    rule, x = Proximal(lr=0.5, strength=1.0), torch.tensor([[2.0, -2.0, 0.0, -2.0]], dtype=torch.float64)
    x, _ = rule.update(
        x, torch.tensor([[1.0, -0.5, -0.5, 0.0]], dtype=torch.float64), rule.init(x, Layout.point(4)), 0.5
    )
    assert x.tolist() == [[1.0, -1.25, 0.0, -1.5]]


def test_three_accelerated_steps_worked_by_hand() -> None:
    """On x² / 2 with lr = ½: ½, ¼, then from y = ¼ − ¼ (c₂ − 1) / c₃."""
    rule, x = Proximal(lr=0.5, strength=0.0, accelerated=True), torch.ones(1, 1, dtype=torch.float64)
    state, points = rule.init(x, Layout.point(1)), []
    for _ in range(3):
        x, state = rule.update(x, rule.asks_at(x, state), state, 0.5)
        points.append(x.item())
    c2 = (1 + math.sqrt(5)) / 2
    c3 = (1 + math.sqrt(1 + 4 * c2**2)) / 2
    assert points == pytest.approx([0.5, 0.25, (0.25 - 0.25 * (c2 - 1) / c3) / 2], rel=1e-14)


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
def test_without_strength_it_is_gradient_descent(problem: Any) -> None:
    ours = Loop(problem, Proximal(lr=1e-3, strength=0.0), [7]).run(100)
    torch.testing.assert_close(ours, Loop(problem, SGD(lr=1e-3), [7]).run(100), rtol=1e-12, atol=1e-14)


@both
def test_it_asks_for_one_gradient_a_step(accelerated: bool) -> None:
    run = Loop(TinyNet(), Proximal(accelerated=accelerated), [0, 1])
    run.run(10)
    assert run.oracle.evaluations() == 10
