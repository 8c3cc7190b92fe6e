"""Momentum against torch and against the textbooks' form."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.momentum import Momentum


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"lr": 1e-3, "momentum": 0.9}),
        ({"lr": 3e-4, "momentum": 0.5}, {"lr": 3e-4, "momentum": 0.5}),
        ({"lr": 5e-4, "momentum": 0.0}, {"lr": 5e-4}),
        ({"lr": 5e-4, "dampening": 0.5}, {"lr": 5e-4, "momentum": 0.9, "dampening": 0.5}),
        ({"lr": 2e-3, "momentum": 0.8, "dampening": 0.8}, {"lr": 2e-3, "momentum": 0.8, "dampening": 0.8}),
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    path = Loop(problem, Momentum(**ours), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.SGD, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_a_steady_gradient_is_followed_at_one_over_one_minus_momentum_times_the_rate() -> None:
    rule = Momentum(lr=0.01, momentum=0.75)
    x = torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x, Rosenbrock(n=2).layout)
    for _ in range(200):
        before = x
        x, state = rule.update(x, torch.ones_like(x), state, rule.lr)
    assert (before - x).item() == pytest.approx(0.04, rel=1e-12)


def test_dampening_by_the_momentum_makes_the_velocity_a_mean() -> None:
    rule = Momentum(momentum=0.75, dampening=0.75)
    x = torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x, Rosenbrock(n=2).layout)
    for _ in range(5):
        x, state = rule.update(x, torch.full_like(x, 3.0), state, 0.1)
        assert state.v.item() == pytest.approx(3.0, rel=1e-14)


def test_the_textbook_form_passes_the_same_points_while_the_rate_is_constant() -> None:
    problem = Rosenbrock(n=4)
    path = Loop(problem, Momentum(lr=5e-4, momentum=0.8), [3]).run(100)[:, 0]
    x, v = problem.start([3]), torch.zeros(1, 4, dtype=torch.float64)
    for step in range(100):
        v = 0.8 * v - 5e-4 * problem.loss_and_grad(x, None)[1]
        x = x + v
        torch.testing.assert_close(path[step], x[0], rtol=1e-11, atol=1e-11)
