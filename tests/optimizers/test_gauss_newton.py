"""Levenberg–Marquardt against scipy, a step worked out by hand, and what is known of linear least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from contracts import Loop, TinyNet
from optbench.problems.beale import Beale
from optbench.problems.rosenbrock import Rosenbrock
from scipy.optimize import least_squares
from torch import Tensor

from optbench.interfaces import FixedStream
from optbench.optimizers.gauss_newton import GaussNewton
from optbench.oracle import BatchOracle
from optbench.registry import build

UNITS = torch.tensor([1e-3, 1.0], dtype=torch.float64)


def residuals(problem: Any, x: np.ndarray) -> np.ndarray:
    return torch.cat(problem.decomposed(torch.from_numpy(x)[None], None)[0], dim=1)[0].numpy()


@pytest.mark.parametrize("problem", [Rosenbrock(), Rosenbrock(n=5), Beale()], ids=["rosenbrock", "long", "beale"])
def test_it_comes_to_the_minimum_of_scipys_levenberg_marquardt(problem: Any) -> None:
    run = Loop(problem, GaussNewton(), [0, 1, 2])
    run.params = 0.5 * (
        run.params + problem.minimiser()
    )  # further away scipy's runs off to infinity on Beale's function
    start = run.params.numpy()
    end = run.run(60)[-1]
    for k in range(3):
        found = least_squares(
            lambda x: residuals(problem, x), start[k], method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14
        )
        np.testing.assert_allclose(end[k], found.x, rtol=1e-7, atol=1e-7)


def test_a_step_worked_out_by_hand() -> None:
    """Rosenbrock's function from (0, 0): z = (10 (y − x²), 1 − x) = (0, 1), J = [[0, 10], [−1, 0]], g = 2 Jᵀz = (−2, 0),
    G = 2 JᵀJ = diag(2, 200). The first mu is 0.01 · 200 = 2, so s = (2/(2 + 2), 0) = (½, 0), which promises
    −gᵀs − ½ sᵀGs = 1 − ¼ = ¾ and gains 1 − (100/16 + ¼) < 0: mu = 4, nu = 4. Then s = (⅓, 0) promises ⅔ − ⅑ = 5/9 and
    gains 1 − (100/81 + 4/9) < 0: mu = 16, nu = 8. Then s = (⅑, 0) promises 2/9 − 1/81 = 17/81 and gains
    1 − (100/6561 + 64/81) = (6561 − 100 − 5184)/6561 = 1277/6561: ϱ = 1277/1377."""
    problem, rule = Rosenbrock(), GaussNewton(tau=0.01)
    x = torch.zeros(2, 2, dtype=torch.float64)
    oracle = BatchOracle(problem, FixedStream(), 2)
    after, state = rule.step(x, rule.init(x, problem.layout), oracle, 1.0)
    torch.testing.assert_close(after[0], torch.tensor([1 / 9, 0.0], dtype=torch.float64), rtol=1e-14, atol=1e-15)
    assert state.mu[0].item() == pytest.approx(16 * max(1 / 3, 1 - (2 * 1277 / 1377 - 1) ** 3), rel=1e-12)
    assert state.nu[0].item() == 2
    assert torch.as_tensor(oracle.evaluations()).expand(2).tolist() == [1 + 2 * 2 + 3] * 2


def test_marquardts_scaling_does_not_depend_on_the_units_of_the_parameters() -> None:
    """x₀ in units a thousand times smaller: the path is the same, in these units."""

    class Scaled(Beale):
        def loss(self, params: Tensor, batch: Any) -> Tensor:
            return super().loss(params * UNITS, batch)

        def decomposed(self, params: Tensor, batch: Any) -> Any:
            return super().decomposed(params * UNITS, batch)

        def start(self, seeds: Any) -> Tensor:
            return super().start(seeds) / UNITS

    rule = GaussNewton(scaling="diagonal", tau=0.1)
    plain, scaled = Loop(Beale(), rule, [0, 1]).run(6), Loop(Scaled(), rule, [0, 1]).run(6)
    torch.testing.assert_close(scaled * UNITS, plain, rtol=1e-8, atol=1e-10)


def test_linear_least_squares_are_solved_in_one_step_without_damping() -> None:
    problem = build("problem", "linear_regression", {"dtype": torch.float64})
    end = Loop(problem, GaussNewton(tau=1e-13), [0, 1]).run(1)[-1]
    torch.testing.assert_close(end, problem.minimiser().expand_as(end), rtol=1e-8, atol=1e-8)


def test_no_step_raises_the_loss_of_its_batch() -> None:
    problem = TinyNet()
    run = Loop(problem, GaussNewton(), [0, 1, 2])
    for t in range(15):
        before, batch = run.params, problem.stream([0, 1, 2]).at(t)
        run.run(1)
        rounding = 1e-14 * problem.loss(before, batch)
        assert (problem.loss(run.params, batch) <= problem.loss(before, batch) + rounding).all()


def test_only_trials_without_success_try_again() -> None:
    """From (0, 0) three steps are tried, as worked out above; from a point near the minimum one; at the minimum none."""
    problem, rule = Rosenbrock(), GaussNewton(tau=0.01)
    x = torch.tensor([[0.0, 0.0], [1.01, 1.02], [1.0, 1.0]], dtype=torch.float64)
    oracle = BatchOracle(problem, FixedStream(), 3)
    after, state = rule.step(x, rule.init(x, problem.layout), oracle, 1.0)
    assert torch.as_tensor(oracle.evaluations()).tolist() == [8, 6, 1]
    assert torch.equal(after[2], x[2])
    assert state.mu.isnan().tolist() == [False, False, True]


def test_it_stands_still_at_the_minimum_to_rounding() -> None:
    run = Loop(Beale(), GaussNewton(), [0, 1, 2])
    run.run(40)
    torch.testing.assert_close(run.params, Beale().minimiser().expand(3, 2), rtol=0, atol=1e-7)
    before = torch.as_tensor(run.oracle.evaluations()).max()
    run.run(10)
    assert torch.as_tensor(run.oracle.evaluations()).max() - before <= 10 * 8
    torch.testing.assert_close(run.params, Beale().minimiser().expand(3, 2), rtol=0, atol=1e-7)
