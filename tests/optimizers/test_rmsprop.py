"""RMSProp against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, column, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.rmsprop import RMSProp


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"lr": 1e-3}, {"lr": 1e-3}),
        ({}, {}),
        ({"lr": 3e-3, "alpha": 0.9, "eps": 1e-2}, {"lr": 3e-3, "alpha": 0.9, "eps": 1e-2}),
        ({"lr": 1e-3, "centered": True, "eps": 1e-3}, {"lr": 1e-3, "centered": True, "eps": 1e-3}),
        ({"lr": 1e-4, "momentum": 0.9}, {"lr": 1e-4, "momentum": 0.9}),
        (
            {"lr": 1e-4, "alpha": 0.9, "momentum": 0.5, "centered": True, "eps": 1e-2},
            {"lr": 1e-4, "alpha": 0.9, "momentum": 0.5, "centered": True, "eps": 1e-2},
        ),
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


def test_eps_stands_inside_the_root_on_request() -> None:
    """After one gradient of 2, v = 1; after another, v = 1.75."""
    rule, x = RMSProp(lr=1.0, alpha=0.75, eps=0.25, eps_inside=True), torch.zeros(1, 1, dtype=torch.float64)
    x, state = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Rosenbrock(n=2).layout), rule.lr)
    assert x.item() == pytest.approx(-2.0 / 1.25**0.5, rel=1e-15)
    y, _ = rule.update(x, torch.full_like(x, 2.0), state, rule.lr)
    assert (y - x).item() == pytest.approx(-2.0 / 2.0**0.5, rel=1e-15)


def test_centred_it_divides_by_the_deviation_and_stays_finite_where_rounding_makes_the_variance_negative() -> None:
    """Under a steady gradient g, v − m² = g² αᵗ (1 − αᵗ), which vanishes in the end; 1.1 makes it −2e-16 in step 53."""
    rule, x = RMSProp(lr=1.0, alpha=0.5, eps=1e-3, centered=True), torch.zeros(1, 1, dtype=torch.float64)
    state, g = rule.init(x, Rosenbrock(n=2).layout), 1.1
    for t in range(1, 200):
        before = x
        x, state = rule.update(x, torch.full_like(x, g), state, rule.lr)
        deviation = g * (0.5**t * (1 - 0.5**t)) ** 0.5
        tolerance = 1e-9 if t < 20 else 1e-4
        assert (before - x).item() == pytest.approx(g / (deviation + 1e-3), rel=tolerance)


def test_no_buffer_is_kept_that_no_setting_asks_for() -> None:
    x, layout = torch.zeros(2, 3), Rosenbrock(n=3).layout
    assert RMSProp().init(x, layout)[1:] == (None, None)
    assert [part is None for part in RMSProp(centered=True).init(x, layout)] == [False, False, True]
    assert [part is None for part in RMSProp(momentum=column(0.0, 0.5)).init(x, layout)] == [False, True, False]
