"""AdaBelief against pytorch_optimizer, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adabelief import AdaBelief


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.05, "betas": (0.5, 0.9)}, {"lr": 0.01, "eps": 0.1}], ids=["default", "betas", "eps"]
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("pytorch_optimizer").AdaBelief
    path = Loop(problem, AdaBelief(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_two_steps_worked_by_hand_keep_eps_in_the_mean_square() -> None:
    """m = 1, s = 0.5·1 + 1 = 1.5; then m = 0.5, s = 0.5·1.5 + 0.5·0.25 + 1 = 1.875."""
    rule, x = AdaBelief(lr=1.0, betas=(0.5, 0.5), eps=1.0), torch.zeros(1, 1, dtype=torch.float64)
    x, state = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Layout.point(1)), rule.lr)
    assert (state.m.item(), state.s.item()) == (1.0, 1.5)
    assert x.item() == pytest.approx(-2 / (3**0.5 + 1), rel=1e-14)
    before = x.item()
    x, state = rule.update(x, torch.zeros_like(x), state, rule.lr)
    assert (state.m.item(), state.s.item()) == (0.5, 1.875)
    assert before - x.item() == pytest.approx((2 / 3) / (2.5**0.5 + 1), rel=1e-14)


def test_the_steadier_the_gradient_the_longer_the_step() -> None:
    """Both gradients have the same size; the one that keeps its sign is believed."""
    rule, x = AdaBelief(lr=1e-3), torch.zeros(1, 2, dtype=torch.float64)
    state = rule.init(x, Layout.point(2))
    for t in range(200):
        before = x
        x, state = rule.update(x, torch.tensor([[1.0, (-1.0) ** t]], dtype=torch.float64), state, rule.lr)
    steady, changing = (x - before)[0].abs().tolist()
    assert steady > 1e-3 > 10 * changing
