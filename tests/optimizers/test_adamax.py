"""Adamax against torch, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adamax import Adamax


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.05, "betas": (0.5, 0.9)},
        {"lr": 0.01, "eps": 0.1},
        {"lr": 0.01, "betas": (0.0, 0.0)},
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, Adamax(**settings), [7]).run(100)[:, 0]
    theirs = torch_path(problem, torch.optim.Adamax, 7, 100, **settings)
    torch.testing.assert_close(path, theirs, rtol=1e-9, atol=1e-9)


def test_two_steps_worked_by_hand() -> None:
    """m = 1, u = 2.5; then m = 0.5 − 0.5 = 0, u = max(1.25, 1.5) = 1.5; then m = 1.5, u = max(0.75, 3.5) = 3.5."""
    rule, x = Adamax(lr=1.0, betas=(0.5, 0.5), eps=0.5), torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x, Layout.point(1))
    x, state = rule.update(x, torch.full_like(x, 2.0), state, rule.lr)
    assert x.item() == pytest.approx(-2 / 2.5, rel=1e-14)
    x, state = rule.update(x, torch.full_like(x, -1.0), state, rule.lr)
    assert (state.m.item(), state.u.item()) == (0.0, 1.5)
    x, state = rule.update(x, torch.full_like(x, 3.0), state, rule.lr)
    assert x.item() == pytest.approx(-2 / 2.5 - 1.5 / 0.875 / 3.5, rel=1e-14)


def test_a_parameter_without_gradient_stays() -> None:
    rule, x = Adamax(), torch.ones(1, 2, dtype=torch.float64)
    x, _ = rule.update(x, torch.tensor([[0.0, 1.0]], dtype=torch.float64), rule.init(x, Layout.point(2)), rule.lr)
    assert x[0, 0] == 1.0
    assert x[0, 1] < 1.0
