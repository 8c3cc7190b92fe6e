"""The natural gradient against Fisher matrices that are sums over all labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock
from torch import Tensor

from optbench.optimizers.curvature import dense
from optbench.optimizers.natural_gradient import NaturalGradient
from optbench.oracle import BatchOracle
from optbench.registry import build

# torch's own forward differentiation
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


def tiny():
    """Digits with a hidden layer of one unit: 85 parameters."""
    settings = {"hidden": (1,), "activation": "tanh", "batch_size": 6, "dtype": torch.float64}
    return build("problem", "mlp", settings)


def fisher(problem, row: Tensor, x: Tensor) -> Tensor:
    """Mean over the samples of Σ_y p(y) ∇log p(y) ∇log p(y)ᵀ."""
    classes, total = 10, torch.zeros(len(row), len(row), dtype=row.dtype)

    def log_p(w: Tensor) -> Tensor:
        return problem.network(w[None], x[None])[0].log_softmax(dim=1)

    slopes, values = torch.func.jacrev(log_p)(row), log_p(row)
    for sample in range(len(x)):
        for y in range(classes):
            g = slopes[sample, y]
            total += values[sample, y].exp() * torch.outer(g, g)
    return total / len(x)


def test_the_matrix_is_the_fisher_matrix_of_the_models_own_labels() -> None:
    problem, seeds = tiny(), [3, 5]
    oracle, w = BatchOracle(problem, problem.stream(seeds), 2), problem.start(seeds)
    _, g, product = oracle.gauss_newton(w)
    found = dense(product, g, torch.arange(2))
    batch = problem.stream(seeds).at(0)
    for k in range(2):
        expected = fisher(problem, w[k], batch.x[k])
        unseen = (expected == 0).all(dim=1)  # weights of pixels that are blank in these samples: the diagonal is filled
        expected = expected + torch.diag(unseen.to(expected.dtype))
        torch.testing.assert_close(found[k], expected, rtol=1e-10, atol=1e-14)


def test_a_step_solves_with_that_matrix() -> None:
    problem, seeds = tiny(), [3, 5]
    lr, damping = (0.5, 0.25), (0.1, 0.02)
    run = Loop(problem, NaturalGradient(lr=column(*lr), damping=column(*damping)), seeds)
    for t in range(3):
        w, batch = run.params, problem.stream(seeds).at(t)
        after = run.run(1)[0]
        _, g = problem.loss_and_grad(w, batch)
        for k in range(2):
            F = fisher(problem, w[k], batch.x[k])
            step = torch.linalg.solve(F + damping[k] * torch.eye(len(F), dtype=F.dtype), g[k])
            torch.testing.assert_close(after[k], w[k] - lr[k] * step, rtol=1e-9, atol=1e-11)


def test_of_a_normal_law_it_is_the_mean_of_squared_slopes() -> None:
    """Mean squared error is −log p of a normal law of variance ½: F = mean of E[(y − z)²]/σ⁴ ∇z ∇zᵀ = 2 mean ∇z ∇zᵀ."""
    problem, seeds = TinyNet(), [0, 1]
    oracle, w = BatchOracle(problem, problem.stream(seeds), 2), problem.start(seeds)
    found = dense(oracle.gauss_newton(w)[2], w, torch.arange(2))
    batch = problem.stream(seeds).at(0)
    for k in range(2):
        J = torch.func.jacrev(lambda p, k=k: problem.decomposed(p[None], batch[[k]])[0][0][0])(w[k])
        expected = sum(0.5 / 0.5**2 * torch.outer(slope, slope) for slope in J) / len(J)
        torch.testing.assert_close(found[k], expected, rtol=1e-12, atol=1e-14)


def test_the_step_does_not_depend_on_the_units_of_the_parameters() -> None:
    """Without damping: with x = c y the path of y is that of x in other units, whatever the units."""
    units = torch.tensor([0.1, 50.0], dtype=torch.float64)

    class Scaled(Rosenbrock):
        def loss(self, params: Tensor, batch: Any) -> Tensor:
            return super().loss(params * units, batch)

        def decomposed(self, params: Tensor, batch: Any) -> Any:
            return super().decomposed(params * units, batch)

        def start(self, seeds: Any) -> Tensor:
            return super().start(seeds) / units

    rule = NaturalGradient(lr=0.2, damping=0.0)
    plain, scaled = Loop(Rosenbrock(), rule, [0, 1]).run(20), Loop(Scaled(), rule, [0, 1]).run(20)
    torch.testing.assert_close(scaled * units, plain, rtol=1e-9, atol=1e-11)


def test_a_matrix_without_inverse_gives_a_step_along_the_gradient_and_touches_nobody_else() -> None:
    """Equal hidden units make F singular; where all weights are zero, the last bias alone has a slope."""
    problem, seeds = TinyNet(), [0, 1, 2]
    rule, w = NaturalGradient(lr=0.125, damping=0.0), problem.start([0, 1, 2])
    w[0], w[1] = 0, 0.25

    def step(rows: list[int]) -> Tensor:
        oracle = BatchOracle(problem, problem.stream([seeds[r] for r in rows]), len(rows))
        return rule.step(w[rows], rule.init(w[rows], problem.layout), oracle, 1.0)[0]

    found = step([0, 1, 2])
    assert torch.equal(found[[2]], step([2, 0])[[0]])
    assert found.isfinite().all()
    _, g = problem.loss_and_grad(w, problem.stream(seeds).at(0))
    torch.testing.assert_close(found[1], w[1] - 0.125 * g[1], rtol=1e-12, atol=1e-14)
