"""SGD against torch and against the closed form on a quadratic."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.sgd import SGD


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"lr": 1e-3}),
        ({"lr": 2e-4}, {"lr": 2e-4}),
        ({"lr": 0.0}, {"lr": 0.0}),
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    path = Loop(problem, SGD(**ours), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.SGD, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_the_error_on_a_quadratic_shrinks_by_one_minus_lr_times_the_eigenvalue() -> None:
    curvature = torch.tensor([[4.0, 1.0]], dtype=torch.float64)
    sgd, x = SGD(lr=0.1), torch.tensor([[3.0, -2.0]], dtype=torch.float64)
    for _ in range(30):
        x, _state = sgd.update(x, curvature * x, (), sgd.lr)
    expected = torch.tensor([[3.0 * 0.6**30, -2.0 * 0.9**30]], dtype=torch.float64)
    torch.testing.assert_close(x, expected, rtol=1e-12, atol=0)
