"""Newton's method against what is known of quadratics and saddles, exact Hessians and scipy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.quadratic import Quadratic
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import rosen, rosen_der, rosen_hess
from torch import Tensor

from optbench.interfaces import FixedStream, Layout, Loss, Params, Problem
from optbench.memory import trial_bytes
from optbench.optimizers.newton import Newton
from optbench.optimizers.sgd import SGD
from optbench.oracle import BatchOracle
from optbench.registry import build


class Form(Problem):
    """½ xᵀ H x with one matrix for all trials."""

    def __init__(self, H: list[list[float]]):
        object.__setattr__(self, "H", torch.tensor(H, dtype=torch.float64))

    @property
    def layout(self) -> Layout:
        return Layout.point(len(self.H))

    def start(self, seeds: Any) -> Params:
        return torch.ones(len(seeds), len(self.H), dtype=torch.float64)

    def loss(self, params: Params, batch: Any) -> Loss:
        return 0.5 * (params[:, :, None] * self.H * params[:, None, :]).sum(dim=(1, 2))

    def minimum(self) -> float:
        return 0.0

    def targets(self) -> list[float]:
        return [1e-3]

    def target(self) -> float:
        return 1e-3


def step(problem: Problem, x: list[list[float]], **settings: Any) -> Tensor:
    """Where one step from these points leads."""
    points, rule = torch.tensor(x, dtype=torch.float64), Newton(**settings)
    oracle = BatchOracle(problem, FixedStream(), len(points))
    return rule.step(points, rule.init(points, problem.layout), oracle, 1.0)[0]


@pytest.mark.parametrize("indefinite", ["plain", "modified", "saddle_free"])
@pytest.mark.parametrize("line_search", ["none", "backtracking", "strong_wolfe"])
def test_a_quadratic_is_solved_in_one_step(indefinite: str, line_search: str) -> None:
    problem = Quadratic(condition=1e4)
    run = Loop(problem, Newton(indefinite=indefinite, line_search=line_search), [0, 1, 2])
    end = run.run(1)[0]
    torch.testing.assert_close(end, torch.ones_like(end), rtol=0, atol=1e-10)
    counts = torch.as_tensor(run.oracle.evaluations()).expand(3).tolist()
    assert counts == [1 + 2 * problem.n + (line_search != "none")] * 3


def test_plain_steps_are_those_of_scipys_derivatives() -> None:
    """x ← x − lr (H + damping I)⁻¹ g with scipy's own gradient and Hessian of Rosenbrock's function."""
    problem, lr, damping = Rosenbrock(n=4), (1.0, 0.5), (0.0, 3.0)
    run = Loop(
        problem, Newton(lr=column(*lr), damping=column(*damping), indefinite="plain", line_search="none"), [0, 1]
    )
    points = run.params.numpy()
    path = run.run(12).numpy()
    for k in range(2):
        x = points[k]
        for reached in path[:, k]:
            x = x - lr[k] * np.linalg.solve(rosen_hess(x) + damping[k] * np.eye(4), rosen_der(x))
            np.testing.assert_allclose(reached, x, rtol=1e-9, atol=1e-9)


def test_the_three_treatments_of_a_negative_eigenvalue_are_those_of_the_formula() -> None:
    """H = diag(4, −2) from (1, 1), so g = (4, −2): by hand."""
    problem = Form([[4.0, 0.0], [0.0, -2.0]])
    at = {
        kind: step(problem, [[1.0, 1.0]] * 2, indefinite=kind, line_search="none", damping=0.5)[0].tolist()
        for kind in ("plain", "modified", "saddle_free")
    }
    delta = math.sqrt(2.0**-52) * 4
    assert at["plain"] == pytest.approx([1 - 4 / 4.5, 1 + 2 / -1.5], rel=1e-14)
    assert at["modified"] == pytest.approx([1 - 4 / 4.5, 1 + 2 / (delta + 0.5)], rel=1e-12)
    assert at["saddle_free"] == pytest.approx([1 - 4 / 4.5, 1 + 2 / 2.5], rel=1e-14)


def test_the_eigenvectors_of_a_rotated_saddle_are_found() -> None:
    c, s = math.cos(0.7), math.sin(0.7)
    Q = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    H = Q @ torch.diag(torch.tensor([3.0, -0.5], dtype=torch.float64)) @ Q.T
    x = torch.tensor([2.0, -1.0], dtype=torch.float64)
    expected = x - Q @ torch.diag(torch.tensor([1 / 3.0, 1 / 0.5], dtype=torch.float64)) @ Q.T @ H @ x
    found = step(Form(H.tolist()), [x.tolist()] * 2, line_search="none")
    torch.testing.assert_close(found[0], expected, rtol=1e-12, atol=1e-12)


def test_plain_newton_goes_to_a_saddle_and_the_others_leave_it() -> None:
    """½ (x² − y²) from (1, 0.1): the gradient vanishes at 0, which is no minimum."""
    problem = Form([[1.0, 0.0], [0.0, -1.0]])
    assert step(problem, [[1.0, 0.1]] * 2, indefinite="plain", line_search="none").abs().max() < 1e-15
    x = [[1.0, 0.1]] * 2
    for kind in ("saddle_free", "modified"):
        assert problem.loss(step(problem, x, indefinite=kind), None).max() < 0.5 * (1 - 0.01)


def test_a_singular_matrix_gives_a_step_along_the_gradient_and_touches_nobody_else() -> None:
    problem = Rosenbrock()
    x = [[0.0, 0.005], [1.5, 1.5], [0.3, 0.2]]  # 1,200 x² − 400 y + 2 = 0 makes the first Hessian diag(0, 200)
    assert np.linalg.matrix_rank(rosen_hess(np.array(x[0]))) == 1
    plain = {"indefinite": "plain", "line_search": "none", "lr": 0.25}
    found, others = step(problem, x, **plain), step(problem, x[1:], **plain)
    assert torch.equal(found[1:], others)
    np.testing.assert_allclose(found[0], np.array(x[0]) - 0.25 * rosen_der(np.array(x[0])), rtol=1e-13)
    for kind in ("saddle_free", "modified"):
        assert torch.equal(step(problem, x, indefinite=kind)[1:], step(problem, x[1:], indefinite=kind))


@pytest.mark.parametrize("indefinite", ["modified", "saddle_free"])
def test_every_step_of_a_line_search_lowers_the_loss(indefinite: str) -> None:
    problem = TinyNet()
    run = Loop(problem, Newton(indefinite=indefinite, damping=1e-3), [0, 1, 2])
    for t in range(10):
        before, batch = run.params, problem.stream([0, 1, 2]).at(t)
        run.run(1)
        assert (problem.loss(run.params, batch) <= problem.loss(before, batch)).all()


def test_it_converges_quadratically_on_rosenbrocks_function() -> None:
    """Near the minimum the error is at most a constant times its square."""
    run = Loop(Rosenbrock(), Newton(), [0, 1, 2, 3])
    errors = (run.run(30) - 1).norm(dim=2)
    assert (errors[-1] < 1e-12).all()
    near = (errors[:-1] < 1e-4) & (errors[:-1] > 1e-9)
    assert near.any(dim=0).all()
    assert (errors[1:] <= 3000 * errors[:-1] ** 2 + 1e-14)[near].all()
    assert rosen(run.params[0].numpy()) < 1e-24


def test_a_trial_that_has_converged_costs_one_evaluation_a_step() -> None:
    problem, rule = Rosenbrock(), Newton()
    x = torch.tensor([[1.0, 1.0], [-1.2, 1.0], [0.0, 0.0]], dtype=torch.float64)
    oracle, state = BatchOracle(problem, FixedStream(), 3), rule.init(x, problem.layout)
    after, _ = rule.step(x, state, oracle, 1.0)
    counts = torch.as_tensor(oracle.evaluations()).tolist()
    assert torch.equal(after[0], x[0])
    assert counts[0] <= 2
    assert min(counts[1:]) >= 6


def test_an_ill_scaled_logistic_regression_is_solved_to_rounding() -> None:
    problem = build("problem", "logistic_regression", {"dtype": torch.float64})
    end = Loop(problem, Newton(), [0, 1]).run(12)[-1]
    torch.testing.assert_close(end, problem.minimiser().expand_as(end), rtol=1e-9, atol=1e-9)


def test_the_matrix_counts_as_memory_of_a_trial() -> None:
    small, large = Quadratic(n=20), Quadratic(n=500)
    assert trial_bytes(large, Newton()) - trial_bytes(large, SGD()) >= 3 * 8 * 500**2
    assert trial_bytes(small, Newton()) < trial_bytes(large, Newton()) / 100
