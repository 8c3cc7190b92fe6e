"""NAdam against torch, and worked by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adam import Adam
from optbench.optimizers.nadam import NAdam


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """torch keeps its product of momenta in the default type, and float32 would be too coarse to compare with."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.02, "betas": (0.5, 0.9)},
        {"lr": 0.01, "eps": 0.1, "momentum_decay": 0.1},
        {"lr": 0.01, "betas": (0.0, 0.0)},
        {"lr": 0.01, "momentum_decay": 0.0},
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, NAdam(**settings), [7]).run(100)[:, 0]
    theirs = torch_path(problem, torch.optim.NAdam, 7, 100, **settings)
    torch.testing.assert_close(path, theirs, rtol=1e-9, atol=1e-9)


def test_the_first_step_worked_by_hand() -> None:
    """ψ = 1: μ₁ = 0.8 (1 − 0.48) = 0.416, μ₂ = 0.8 (1 − 0.4608) = 0.43136; g = 2, m = 0.4, √v̂ = 2."""
    rule, x = NAdam(lr=1.0, betas=(0.8, 0.5), eps=0.0, momentum_decay=1.0), torch.zeros(1, 1)
    x, state = rule.update(x, torch.full_like(x, 2.0), rule.init(x, Layout.point(1)), rule.lr)
    assert state.product == pytest.approx(0.416, rel=1e-14)
    assert x.item() == pytest.approx(-1 - 0.43136 * 0.2 / (1 - 0.416 * 0.43136), rel=1e-13)


def test_without_momentum_it_is_adam_without_momentum() -> None:
    ours = Loop(TinyNet(), NAdam(lr=0.01, betas=(0.0, 0.99)), [0, 1]).run(50)
    theirs = Loop(TinyNet(), Adam(lr=0.01, betas=(0.0, 0.99)), [0, 1]).run(50)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_every_trial_has_its_own_momentum_decay() -> None:
    decay = torch.tensor([[0.0], [0.1], [1.0]])
    together = Loop(TinyNet(), NAdam(lr=0.01, momentum_decay=decay), [0, 1, 2]).run(30)
    for k in range(3):
        alone = Loop(TinyNet(), NAdam(lr=0.01, momentum_decay=decay[k].item()), [k]).run(30)
        torch.testing.assert_close(together[:, k], alone[:, 0], rtol=1e-10, atol=1e-12)
