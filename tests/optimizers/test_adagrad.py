"""AdaGrad against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.adagrad import Adagrad


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"lr": 1e-2}),
        ({"lr": 0.5, "eps": 1e-3}, {"lr": 0.5, "eps": 1e-3}),
        ({"lr": 0.1, "eps": 1.0}, {"lr": 0.1, "eps": 1.0}),
        ({"lr": 0.1, "lr_decay": 0.1}, {"lr": 0.1, "lr_decay": 0.1}),
        ({"initial_accumulator_value": 0.5}, {"initial_accumulator_value": 0.5}),
        ({"eps": 0.3, "eps_inside": True}, {"eps": 0.0, "initial_accumulator_value": 0.3}),
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    path = Loop(problem, Adagrad(**ours), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.Adagrad, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_under_a_steady_gradient_the_steps_fall_as_one_over_the_root_of_time() -> None:
    rule, x = Adagrad(lr=0.3, eps=0.0), torch.zeros(1, 2, dtype=torch.float64)
    state = rule.init(x, Rosenbrock(n=2).layout)
    for t in range(1, 50):
        before = x
        x, state = rule.update(x, torch.tensor([[5.0, -0.01]], dtype=torch.float64), state, rule.lr)
        step = torch.tensor([[-0.3, 0.3]], dtype=torch.float64) / t**0.5
        torch.testing.assert_close(x - before, step, rtol=1e-12, atol=1e-15)


def test_eps_stands_outside_the_root() -> None:
    rule, x = Adagrad(lr=1.0, eps=0.5), torch.zeros(1, 1, dtype=torch.float64)
    x, _ = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Rosenbrock(n=2).layout), rule.lr)
    assert x.item() == pytest.approx(-2.0 / 2.5, rel=1e-15)


def test_eps_stands_inside_the_root_on_request() -> None:
    rule, x = Adagrad(lr=1.0, eps=5.0, eps_inside=True), torch.zeros(1, 1, dtype=torch.float64)
    x, _ = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Rosenbrock(n=2).layout), rule.lr)
    assert x.item() == pytest.approx(-2.0 / 3.0, rel=1e-15)
