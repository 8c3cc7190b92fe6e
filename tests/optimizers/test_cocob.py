"""COCOB against its author's class, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.cocob import COCOB


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize("settings", [{}, {"alpha": 1.0}, {"alpha": 20.0, "eps": 3.0}], ids=["default", "alpha", "eps"])
def test_a_hundred_steps_equal_those_of_parameterfree(problem: Any, settings: dict[str, Any]) -> None:
    theirs = pytest.importorskip("parameterfree").COCOB
    path = Loop(problem, COCOB(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, theirs, 7, 100, **settings), rtol=1e-9, atol=1e-9)


def test_two_steps_worked_by_hand() -> None:
    rule, x = COCOB(alpha=4.0, eps=1.0), torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x, Layout.point(1))
    x, state = rule.update(x, torch.full_like(x, -2.0), state, rule.lr)
    # L = 2, G = 2, nothing won: 2 / (2 · max(4, 8)) · 2
    assert x.item() == pytest.approx(0.25, rel=1e-14)
    x, state = rule.update(x, torch.full_like(x, -1.0), state, rule.lr)
    # L = 2, G = 3, won 0.25: 3 / (2 · 8) · 2.25
    assert x.item() == pytest.approx(3 / 16 * 2.25, rel=1e-14)


def test_a_lower_rate_goes_part_of_the_way() -> None:
    grad, x = torch.tensor([[1.0, -3.0]], dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    moves = []
    for rule in (COCOB(alpha=1.0), COCOB(alpha=1.0, lr=0.25)):
        after, _ = rule.update(x, grad, rule.init(x, Layout.point(2)), rule.lr)
        moves.append(after - x)
    torch.testing.assert_close(moves[1], 0.25 * moves[0], rtol=1e-14, atol=0)
