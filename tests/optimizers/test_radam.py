"""RAdam against torch, and against its parts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.radam import RAdam


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 1e-4, "betas": (0.5, 0.9)},
        {"lr": 1e-4, "eps": 0.1, "betas": (0.9, 0.8)},
        {"lr": 1e-4, "betas": (0.9, 0.5)},
        {"lr": 1e-5, "betas": (0.0, 0.0)},
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, RAdam(**settings), [7]).run(100)[:, 0]
    theirs = torch_path(problem, torch.optim.RAdam, 7, 100, **settings)
    torch.testing.assert_close(path, theirs, rtol=1e-9, atol=1e-9)


def test_the_first_five_steps_follow_the_mean_gradient_and_the_sixth_is_scaled() -> None:
    """A constant gradient has itself as corrected mean; the sixth ρ with β₂ = 0.999 is the first above 5."""
    rule, x = RAdam(lr=0.5, eps=0.0), torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x, Layout.point(1))
    for step in range(1, 6):
        x, state = rule.update(x, torch.full_like(x, 3.0), state, rule.lr)
        assert x.item() == pytest.approx(-1.5 * step, rel=1e-12)
    before = x.item()
    x, state = rule.update(x, torch.full_like(x, 3.0), state, rule.lr)
    long, b = 1999.0, 0.999
    rho = long - 12 * b**6 / (1 - b**6)
    r = math.sqrt((rho - 4) * (rho - 2) * long / ((long - 4) * (long - 2) * rho))
    assert 5 < rho < 6
    assert before - x.item() == pytest.approx(0.5 * r, rel=1e-9)


def test_in_float32_betas_of_each_trial_switch_where_those_of_torch_do() -> None:
    """With β₂ near 1, ρ is a difference of large numbers."""
    problem, betas = TinyNet(dtype=torch.float32), [(0.9, 0.9999), (0.9, 0.99999)]
    columns = tuple(torch.tensor(values)[:, None] for values in zip(*betas, strict=True))
    path = Loop(problem, RAdam(lr=1e-2, betas=columns), [7, 7]).run(60)
    for k, pair in enumerate(betas):
        theirs = torch_path(problem, torch.optim.RAdam, 7, 60, lr=1e-2, betas=pair)
        torch.testing.assert_close(path[:, k], theirs, rtol=2e-4, atol=2e-5)


def test_trials_may_be_on_both_sides_of_the_switch() -> None:
    b2 = torch.tensor([[0.0], [0.6], [0.9], [0.999]], dtype=torch.float64)
    lr = torch.tensor([[1e-4], [1e-4], [1e-2], [1e-2]], dtype=torch.float64)
    together = Loop(TinyNet(), RAdam(lr=lr, betas=(0.9, b2)), [0, 1, 2, 3]).run(30)
    for k in range(4):
        alone = Loop(TinyNet(), RAdam(lr=lr[k].item(), betas=(0.9, b2[k].item())), [k]).run(30)
        torch.testing.assert_close(together[:, k], alone[:, 0], rtol=1e-10, atol=1e-12)
