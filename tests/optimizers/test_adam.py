"""Adam against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.adam import Adam


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"lr": 0.05, "betas": (0.5, 0.9)}, {"lr": 0.05, "betas": (0.5, 0.9)}),
        ({"lr": 0.01, "eps": 0.1}, {"lr": 0.01, "eps": 0.1}),
        ({"lr": 0.01, "betas": (0.0, 0.0)}, {"lr": 0.01, "betas": (0.0, 0.0)}),
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    path = Loop(problem, Adam(**ours), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.Adam, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_the_first_step_has_the_length_of_the_rate_whatever_the_gradient() -> None:
    rule, x = Adam(lr=0.02, eps=0.0), torch.zeros(1, 3, dtype=torch.float64)
    grad = torch.tensor([[1e-6, -3.0, 700.0]], dtype=torch.float64)
    x, _ = rule.update(x, grad, rule.init(x, Rosenbrock(n=2).layout), rule.lr)
    torch.testing.assert_close(x, torch.tensor([[-0.02, 0.02, -0.02]], dtype=torch.float64), rtol=1e-12, atol=0)


def test_eps_stands_outside_the_root() -> None:
    rule, x = Adam(lr=1.0, eps=0.5), torch.zeros(1, 1, dtype=torch.float64)
    x, _ = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Rosenbrock(n=2).layout), rule.lr)
    assert x.item() == pytest.approx(-2.0 / 2.5, rel=1e-14)
