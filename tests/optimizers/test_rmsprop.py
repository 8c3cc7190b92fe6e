"""RMSProp against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.rmsprop import RMSProp


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"lr": 1e-3}, {"lr": 1e-3}),
        ({}, {}),
        ({"lr": 3e-3, "alpha": 0.9, "eps": 1e-2}, {"lr": 3e-3, "alpha": 0.9, "eps": 1e-2}),
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    path = Loop(problem, RMSProp(**ours), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.RMSprop, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_without_memory_and_eps_it_moves_by_the_sign_of_the_gradient() -> None:
    rule, x = RMSProp(lr=0.1, alpha=0.0, eps=0.0), torch.zeros(1, 3, dtype=torch.float64)
    grad = torch.tensor([[1e-5, -3.0, 700.0]], dtype=torch.float64)
    x, _ = rule.update(x, grad, rule.init(x, Rosenbrock(n=2).layout), rule.lr)
    torch.testing.assert_close(x, torch.tensor([[-0.1, 0.1, -0.1]], dtype=torch.float64), rtol=1e-14, atol=0)


def test_eps_stands_outside_the_root() -> None:
    rule, x = RMSProp(lr=1.0, alpha=0.75, eps=0.5), torch.zeros(1, 1, dtype=torch.float64)
    x, _ = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Rosenbrock(n=2).layout), rule.lr)
    assert x.item() == pytest.approx(-2.0 / 1.5, rel=1e-15)
