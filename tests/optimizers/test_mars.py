"""MARS against pytorch_optimizer, and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.mars import MARS


def reference() -> type[torch.optim.Optimizer]:
    """MARS of pytorch_optimizer on vectors too, without the 1e-15 that it adds to v."""

    class Reference(pytest.importorskip("pytorch_optimizer").MARS):
        def __init__(self, params: Any, **settings: Any):
            super().__init__(params, optimize_1d=True, foreach=False, **settings)

        @staticmethod
        def apply_ams_bound(bound: bool, v: torch.Tensor, largest: Any, eps: float) -> torch.Tensor:
            return v.sqrt().add_(eps)

    return Reference


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"lr": 0.02, "betas": (0.5, 0.9), "gamma": 0.5}, {"lr": 0.01, "weight_decay": 0.3}, {"gamma": 0.0}],
    ids=["default", "strong", "decay", "plain"],
)
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, settings: dict[str, Any]) -> None:
    """Without eps, which it adds before it corrects the bias of v and the authors add after."""
    path = Loop(problem, MARS(**settings, eps=0.0), [7]).run(100)[:, 0]
    theirs = torch_path(problem, reference(), 7, 100, **settings, eps=0.0)
    torch.testing.assert_close(path, theirs, rtol=1e-9, atol=1e-9)


def test_two_steps_worked_by_hand() -> None:
    """γ β₁ / (1 − β₁) = 1. c = 2·0.25 = 0.5: m = 0.25, v = 0.0625. Then c = −0.25 − 0.5 = −0.75."""
    rule, x = MARS(lr=1.0, betas=(0.5, 0.75), gamma=1.0, eps=0.5), torch.zeros(1, 1, dtype=torch.float64)
    x, state = rule.update(x, torch.full_like(x, 0.25), rule.init(x, Layout.point(1)), rule.lr)
    assert (state.m.item(), state.v.item(), state.last.item()) == (0.25, 0.0625, 0.25)
    assert x.item() == pytest.approx(-0.5 / (0.5 + 0.5), rel=1e-14)
    before = x.item()
    x, state = rule.update(x, torch.full_like(x, -0.25), state, rule.lr)
    assert (state.m.item(), state.v.item()) == (-0.25, 0.0625 * 0.75 + 0.5625 * 0.25)
    v_hat = state.v.item() / 0.4375
    assert x.item() - before == pytest.approx(0.25 / 0.75 / (v_hat**0.5 + 0.5), rel=1e-14)


def test_each_layer_is_clipped_by_itself() -> None:
    layout = Layout(("a", "b"), ((2,), (2,)), ("weight", "weight"))
    rule, x = MARS(betas=(0.5, 0.5), gamma=0.0), torch.zeros(1, 4, dtype=torch.float64)
    grad = torch.tensor([[30.0, 40.0, 0.3, 0.4]], dtype=torch.float64)
    _, state = rule.update(x, grad, rule.init(x, layout), rule.lr)
    torch.testing.assert_close(state.m, torch.tensor([[0.3, 0.4, 0.15, 0.2]], dtype=torch.float64), rtol=1e-14, atol=0)
    assert torch.equal(state.last, grad)
