"""Nesterov's momentum against torch and against the look-ahead form."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.nesterov import Nesterov


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"lr": 1e-3, "momentum": 0.9, "nesterov": True}),
        ({"lr": 3e-4, "momentum": 0.5}, {"lr": 3e-4, "momentum": 0.5, "nesterov": True}),
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    path = Loop(problem, Nesterov(**ours), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.SGD, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_its_points_are_the_look_ahead_points_of_the_textbooks() -> None:
    problem, lr, a = Rosenbrock(n=4), 3e-4, 0.9
    path = Loop(problem, Nesterov(lr=lr, momentum=a), [3]).run(100)[:, 0]
    theta, u = problem.start([3]), torch.zeros(1, 4, dtype=torch.float64)
    for step in range(100):
        u = a * u - lr * problem.loss_and_grad(theta + a * u, None)[1]
        theta = theta + u
        torch.testing.assert_close(path[step], (theta + a * u)[0], rtol=1e-11, atol=1e-11)
