"""Rprop against torch and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, column, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.rprop import Rprop


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.3, "etas": (0.3, 1.5)},
        {"lr": 1e-3, "step_sizes": (1e-4, 5e-3)},
        {"lr": 1e-9, "etas": (0.9, 1.01)},
    ],
    ids=["default", "etas", "bounds", "rate below the least length"],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, Rprop(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.Rprop, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def walk(rule: Rprop, gradients: list[float], factors: list[float]) -> list[float]:
    x = torch.zeros(1, 1, dtype=torch.float64)
    state, steps = rule.init(x, Rosenbrock(n=2).layout), []
    for g, factor in zip(gradients, factors, strict=True):
        before = x
        x, state = rule.update(x, torch.full_like(x, g), state, rule.lr * factor)
        steps.append((x - before).item())
    return steps


def test_steps_worked_by_hand() -> None:
    """Lengths 1, 2, 4 while the sign stays; it turns: halved to 2 and skipped; then 2 as after a gradient of zero, then 4."""
    steps = walk(Rprop(lr=1.0, etas=(0.5, 2.0)), [3.0, 0.1, 1e5, -1.0, -7.0, -1.0], [1.0] * 6)
    assert steps == [-1.0, -2.0, -4.0, 0.0, 2.0, 4.0]


def test_a_schedule_multiplies_the_steps_and_leaves_the_lengths_as_they_are() -> None:
    steps = walk(Rprop(lr=1.0, etas=(0.5, 2.0)), [1.0] * 4, [1.0, 0.5, 0.0, 0.25])
    assert steps == [-1.0, -1.0, 0.0, -2.0]


def test_only_the_signs_of_gradients_matter() -> None:
    gradients = [3.0, 0.1, -2.0, -5.0, -0.2, 4.0]
    rule, ones = Rprop(lr=0.1), [1.0] * 6
    assert walk(rule, gradients, ones) == walk(rule, [1e6 * g for g in gradients], ones)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_trial_with_a_rate_of_zero_stays_beside_others_that_move(dtype: torch.dtype) -> None:
    problem = Rosenbrock(dtype=dtype)
    path = Loop(problem, Rprop(lr=column(0.0, 0.1).to(dtype)), [0, 0]).run(5)
    assert torch.equal(path[-1, 0], problem.start([0])[0])
    assert not torch.equal(path[-1, 1], path[-1, 0])


@pytest.mark.parametrize("settings", [{"etas": (1.2, 0.5)}, {"step_sizes": (1.0, 0.1)}])
def test_pairs_in_the_wrong_order_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must hold the smaller number first"):
        Rprop(**settings)


def test_of_pairs_that_differ_between_trials_the_wrong_one_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"^Rprop: etas must hold the smaller number first, got 1.5 and 1.2 in trial 1$"
    ):
        Rprop(etas=(column(0.5, 1.5, 1.9), 1.2))
