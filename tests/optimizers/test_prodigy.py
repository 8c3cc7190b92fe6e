"""Prodigy against its authors' class, and against the distance it estimates."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.prodigy import Prodigy


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"betas": (0.8, 0.99), "weight_decay": 0.1, "lr": 0.3},
        {"lr": 0.5, "d0": 1e-3, "d_coef": 2.0, "beta3": 0.9},
        {"use_bias_correction": True, "safeguard_warmup": True, "eps": 1e-3},
        {"d0": 1e-4, "growth_rate": 1.1},
    ],
    ids=["default", "decay", "rates", "corrected", "growth"],
)
def test_a_hundred_steps_equal_those_of_prodigyopt(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("prodigyopt").Prodigy
    rest = {"growth_rate": float("inf")} | settings
    path = Loop(problem, Prodigy(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **rest), rtol=1e-9, atol=1e-9)


def test_the_estimate_comes_near_the_distance_and_stays_below_it() -> None:
    """f is convex, so gᵀ(x₀ − x) ≤ gᵀ(x₀ − x*) and r ≤ sᵀ(x₀ − x*) ≤ ‖s‖₁ ‖x₀ − x*‖∞: here f = ‖x − c‖₁."""
    rule, distance = Prodigy(betas=(0.0, 0.999)), torch.tensor([[1.0, 1.0], [30.0, 30.0]], dtype=torch.float64)
    x = torch.zeros(2, 2, dtype=torch.float64)
    state = rule.init(x, Layout.point(2))
    for _ in range(300):
        x, state = rule.update(x, (x - distance).sign(), state, rule.lr)
    part = state.d / distance[:, :1]
    assert ((part > 0.1) & (part <= 1.0)).all()


def test_the_growth_of_the_estimate_is_bounded_once_it_is_no_longer_d0() -> None:
    run, d = Loop(Rosenbrock(), Prodigy(growth_rate=1.02), [0, 1]), []
    for _ in range(30):
        run.run(1)
        d.append(run.state.d)
    ratios = torch.cat(d, dim=1)[:, 1:] / torch.cat(d, dim=1)[:, :-1]
    first = torch.cat(d, dim=1)[:, :-1] == 1e-6
    assert (ratios[first] > 1.02 + 1e-9).any()
    assert (ratios[~first] <= 1.02 + 1e-9).all()
    assert (ratios[~first] > 1.02 - 1e-9).any()


def test_trials_without_a_gradient_stay_and_are_finite() -> None:
    rule, x = Prodigy(), torch.ones(2, 3, dtype=torch.float64)
    state = rule.init(x, Layout.point(3))
    for _ in range(3):
        after, state = rule.update(x, torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, 3), state, rule.lr)
        assert torch.equal(after[0], x[0])
        assert (after[1] < x[1]).all()
        x = after
