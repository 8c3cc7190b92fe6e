"""ADOPT against pytorch_optimizer with the paper's clipping, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adopt import ADOPT


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.02, "betas": (0.5, 0.9)}, {"lr": 0.01, "eps": 0.1}], ids=["default", "betas", "eps"]
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    """It counts the first gradient when it clips, which the paper does not, so its count is put back by one."""
    theirs = pytest.importorskip("pytorch_optimizer").ADOPT
    path = Loop(problem, ADOPT(**settings), [7]).run(100)[:, 0]
    reference = torch_path(problem, theirs, 7, 100, clip_lambda=lambda t: (t - 1) ** 0.25, **settings)
    torch.testing.assert_close(path, reference, rtol=1e-9, atol=1e-9)


def test_three_steps_worked_by_hand() -> None:
    """v = 4. g = 8: 8/2 is clipped to 1, m = 0.5, v = 0.5·4 + 0.5·64 = 34. g = −20: −20/√34 to −2^¼."""
    rule, x = ADOPT(lr=1.0, betas=(0.5, 0.5)), torch.zeros(1, 1, dtype=torch.float64)
    x, state = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Layout.point(1)), rule.lr)
    assert (x.item(), state.v.item()) == (0.0, 4.0)
    x, state = rule.update(x, torch.full_like(x, 8.0), state, rule.lr)
    assert (x.item(), state.m.item(), state.v.item()) == (-0.5, 0.5, 34.0)
    x, state = rule.update(x, torch.full_like(x, -20.0), state, rule.lr)
    assert x.item() == pytest.approx(-0.5 - (0.25 - 0.5 * 2**0.25), rel=1e-14)
    assert state.v.item() == 217.0


def test_the_denominator_is_at_least_eps() -> None:
    rule, x = ADOPT(lr=1.0, betas=(0.0, 0.5), eps=10.0), torch.zeros(1, 2, dtype=torch.float64)
    x, state = rule.update(x, torch.tensor([[0.0, 20.0]]).double(), rule.init(x, Layout.point(2)), rule.lr)
    x, state = rule.update(x, torch.tensor([[5.0, 5.0]]).double(), state, rule.lr)
    assert x.tolist() == [[-0.5, -0.25]]
