"""Adam against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
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


def test_without_bias_correction_two_steps_are_those_worked_by_hand() -> None:
    """m₁ = 1, v₁ = 1: x = −1/(1 + 1); m₂ = 0.5 + 2 = 2.5, v₂ = 0.75 + 0.25·16 = 4.75."""
    rule, x = Adam(lr=1.0, betas=(0.5, 0.75), eps=1.0, bias_correction=False), torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x, Layout.point(1))
    x, state = rule.update(x, torch.full_like(x, 2.0), state, rule.lr)
    assert (x.item(), state.m.item(), state.v.item()) == (-0.5, 1.0, 1.0)
    x, state = rule.update(x, torch.full_like(x, 4.0), state, rule.lr)
    assert (state.m.item(), state.v.item()) == (2.5, 4.75)
    assert x.item() == pytest.approx(-0.5 - 2.5 / (4.75**0.5 + 1), rel=1e-14)


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
def test_without_momentum_and_bias_correction_it_is_rmsprop_of_torch(problem: Any) -> None:
    ours = Adam(lr=0.01, betas=(0.0, 0.9), eps=1e-3, bias_correction=False)
    theirs = torch_path(problem, torch.optim.RMSprop, 7, 100, lr=0.01, alpha=0.9, eps=1e-3)
    torch.testing.assert_close(Loop(problem, ours, [7]).run(100)[:, 0], theirs, rtol=1e-9, atol=1e-9)


def test_means_that_start_at_the_first_gradient_need_no_correction() -> None:
    """A gradient that never changes has itself as its mean, at every step."""
    rule, x = Adam(lr=0.1, eps=0.0, start="gradient"), torch.zeros(1, 2, dtype=torch.float64)
    grad, state = torch.tensor([[3.0, -0.5]], dtype=torch.float64), rule.init(x, Layout.point(2))
    for step in range(1, 6):
        x, state = rule.update(x, grad, state, rule.lr)
        torch.testing.assert_close(state.m, grad, rtol=1e-14, atol=0)
        torch.testing.assert_close(state.v, grad**2, rtol=1e-14, atol=0)
        torch.testing.assert_close(x, -0.1 * step * grad.sign(), rtol=1e-14, atol=0)


def test_the_second_step_after_a_start_at_the_gradient_is_that_worked_by_hand() -> None:
    """m = 0.5·2 + 0.5·4 = 3, v = 0.75·4 + 0.25·16 = 7, neither of them corrected."""
    rule, x = Adam(lr=1.0, betas=(0.5, 0.75), eps=1.0, start="gradient"), torch.zeros(1, 1, dtype=torch.float64)
    x, state = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Layout.point(1)), rule.lr)
    assert x.item() == pytest.approx(-2 / 3, rel=1e-14)
    x, state = rule.update(x, torch.full_like(x, 4.0), state, rule.lr)
    assert x.item() == pytest.approx(-2 / 3 - 3 / (7**0.5 + 1), rel=1e-14)


def test_a_start_at_the_gradient_is_never_corrected() -> None:
    paths = [
        Loop(TinyNet(), Adam(lr=0.01, start="gradient", bias_correction=flag), [0, 1]).run(20) for flag in (True, False)
    ]
    assert torch.equal(*paths)


@pytest.mark.parametrize(("corrected", "expected"), [(True, 2 / 4.5**0.5), (False, 1 / 1.5**0.5)])
def test_eps_may_stand_inside_the_root(corrected: bool, expected: float) -> None:
    """g = 2: m̂ = 2, v̂ = 4 corrected; m = 1, v = 1 not corrected."""
    rule = Adam(lr=1.0, betas=(0.5, 0.75), eps=0.5, eps_inside=True, bias_correction=corrected)
    x = torch.zeros(1, 1, dtype=torch.float64)
    x, _ = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Layout.point(1)), rule.lr)
    assert x.item() == pytest.approx(-expected, rel=1e-14)


@pytest.mark.parametrize(
    "options",
    [{"bias_correction": False}, {"start": "gradient"}, {"eps_inside": True}],
    ids=["uncorrected", "gradient", "inside"],
)
@pytest.mark.parametrize("problem", [Rosenbrock(n=3), TinyNet()], ids=["rosenbrock", "network"])
def test_with_every_option_a_batch_of_trials_equals_the_trials_one_by_one(problem: Any, options: Any) -> None:
    lr, beta = torch.tensor([[0.01], [0.02], [0.04]]).double(), torch.tensor([[0.9], [0.5], [0.7]]).double()
    together = Loop(problem, Adam(lr=lr, betas=(beta, 0.99), **options), [0, 1, 2]).run(20)
    for k in range(3):
        rule = Adam(lr=lr[k].item(), betas=(beta[k].item(), 0.99), **options)
        torch.testing.assert_close(together[:, k], Loop(problem, rule, [k]).run(20)[:, 0], rtol=1e-9, atol=1e-10)


def test_an_unknown_start_is_refused() -> None:
    with pytest.raises(ValueError, match="Adam: start must be one of zero, gradient, got 'gradients'"):
        Adam(start="gradients")
