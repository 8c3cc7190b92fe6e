"""D-adapted SGD against its authors' class."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.dadapt_sgd import DAdaptSGD


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [{"lr": 0.5}, {"momentum": 0.9}, {"lr": 0.3, "d0": 1e-3}, {"d0": 1e-4, "growth_rate": 1.1, "momentum": 0.5}],
    ids=["default", "momentum", "rates", "growth"],
)
def test_a_hundred_steps_equal_those_of_dadaptation(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("dadaptation").DAdaptSGD
    path = Loop(problem, DAdaptSGD(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_the_estimate_comes_near_the_distance_and_stays_below_twice_it() -> None:
    """f is convex, so gᵀ(x₀ − x) ≤ gᵀ(x₀ − x*) and r ≤ sᵀ(x₀ − x*) ≤ ‖s‖ ‖x₀ − x*‖: here f = ‖x − c‖."""
    rule, goal = DAdaptSGD(), torch.tensor([[3.0, 4.0], [30.0, 40.0]], dtype=torch.float64)
    x = torch.zeros(2, 2, dtype=torch.float64)
    state = rule.init(x, Layout.point(2))
    for _ in range(300):
        x, state = rule.update(x, (x - goal) / (x - goal).norm(dim=1, keepdim=True), state, rule.lr)
    part = state.d / goal.norm(dim=1, keepdim=True)
    assert ((part > 0.1) & (part <= 2.0)).all()


def test_the_first_gradient_that_is_not_zero_sets_the_rate() -> None:
    rule, x = DAdaptSGD(lr=0.5, d0=0.1), torch.ones(1, 2, dtype=torch.float64)
    state = rule.init(x, Layout.point(2))
    x, state = rule.update(x, torch.zeros_like(x), state, rule.lr)
    assert x.tolist() == [[1.0, 1.0]]
    x, state = rule.update(x, torch.tensor([[3.0, -4.0]], dtype=torch.float64), state, rule.lr)
    torch.testing.assert_close(x, torch.tensor([[1 - 0.03, 1 + 0.04]], dtype=torch.float64), rtol=1e-14, atol=0)
