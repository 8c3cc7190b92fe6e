"""AdEMAMix against pytorch_optimizer, against AdamW, and worked by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adamw import AdamW
from optbench.optimizers.ademamix import AdEMAMix


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, None),
        ({"lr": 0.01, "betas": (0.5, 0.9, 0.99), "weight_decay": 0.1, "alpha": 2.0}, None),
        ({"lr": 0.002, "eps": 0.1}, 60),
        ({"lr": 0.002, "betas": (0.8, 0.99, 0.999), "weight_decay": 0.1}, 100),
    ],
    ids=["default", "plain", "scheduled", "whole run"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(
    problem: Any, settings: dict[str, Any], steps: int | None
) -> None:
    theirs = pytest.importorskip("pytorch_optimizer").AdEMAMix
    ours = AdEMAMix(**settings, alpha_steps=steps or 0, beta3_steps=steps or 0)
    reference = torch_path(problem, theirs, 7, 100, t_alpha_beta3=steps, weight_decouple=True, **settings)
    torch.testing.assert_close(Loop(problem, ours, [7]).run(100)[:, 0], reference, rtol=1e-9, atol=1e-9)


def test_without_the_slow_mean_it_is_adamw() -> None:
    ours = Loop(TinyNet(), AdEMAMix(lr=0.01, alpha=0.0, weight_decay=0.1), [0, 1]).run(50)
    theirs = Loop(TinyNet(), AdamW(lr=0.01, weight_decay=0.1), [0, 1]).run(50)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def slow_after_one(betas: tuple[float | torch.Tensor, float, float | torch.Tensor], steps: int) -> torch.Tensor:
    """1 − β₃(1): the slow mean after one gradient of 1."""
    rule, x = AdEMAMix(betas=betas, beta3_steps=steps), torch.zeros(2, 1, dtype=torch.float64)
    _, state = rule.update(x, torch.ones_like(x), rule.init(x, Layout.point(1)), rule.lr)
    return state.slow


def test_the_half_life_of_the_slow_mean_grows_evenly() -> None:
    """ln ½ / ln β: 1 step for β = ½, 10 for β = 2^(−1/10); a third of the way it is 4."""
    slow = slow_after_one((0.5, 0.9, 2**-0.1), 3)
    torch.testing.assert_close(slow, torch.full_like(slow, 1 - 2**-0.25), rtol=1e-13, atol=0)


@pytest.mark.parametrize("columns", [False, True], ids=["numbers", "columns"])
@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0.0, 0.81, 0.6561), (0.9, 0.0, 0.0), (0.0, 0.0, 0.0), (0.9, 0.5, 0.5)],
    ids=["from nothing", "to nothing", "nothing", "downwards"],
)
def test_the_slow_decay_has_its_limit_at_the_ends_of_its_range(
    first: float, last: float, expected: float, columns: bool
) -> None:
    """From β₁ = 0, of half-life 0, half the way to 0.81 is 0.81²; β₃ is never exceeded."""

    def given(beta: float) -> float | torch.Tensor:
        return torch.full((2, 1), beta, dtype=torch.float64) if columns else beta

    slow = slow_after_one((given(first), 0.9, given(last)), 2)
    torch.testing.assert_close(slow, torch.full_like(slow, 1 - expected), rtol=1e-13, atol=0)


def test_the_weight_of_the_slow_mean_rises_evenly() -> None:
    """With g = 1 and no memory in the fast mean, x moves by lr (1 + α(t) · slow)."""
    rule = AdEMAMix(lr=1.0, betas=(0.0, 0.0, 0.5), eps=0.0, alpha=4.0, alpha_steps=2)
    x = torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x, Layout.point(1))
    for expected in (-(1 + 2 * 0.5), -2 - (1 + 4 * 0.75), -6 - (1 + 4 * 0.875)):
        x, state = rule.update(x, torch.ones_like(x), state, rule.lr)
        assert math.isclose(x.item(), expected, rel_tol=1e-14)
