"""NAdamW against torch, and against NAdam."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.modifiers import MODIFIERS
from optbench.optimizers.nadam import NAdam
from optbench.optimizers.nadamw import NAdamW


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
        {"weight_decay": 0.01},
        {"lr": 0.02, "betas": (0.5, 0.9), "weight_decay": 0.3},
        {"lr": 0.01, "eps": 0.1, "momentum_decay": 0.1, "weight_decay": 2.0},
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, NAdamW(**settings), [7]).run(100)[:, 0]
    theirs = torch_path(problem, torch.optim.NAdam, 7, 100, **settings, decoupled_weight_decay=True)
    torch.testing.assert_close(path, theirs, rtol=1e-9, atol=1e-9)


def test_without_decay_it_is_nadam_bit_for_bit() -> None:
    plain = Loop(Rosenbrock(), NAdam(lr=0.03), [0, 1]).run(50)
    assert torch.equal(Loop(Rosenbrock(), NAdamW(lr=0.03, weight_decay=0.0), [0, 1]).run(50), plain)


def test_it_is_nadam_with_the_modifier_weight_decay() -> None:
    decay = MODIFIERS["weight_decay"](strength=0.3)
    modified = Loop(TinyNet(), NAdam(lr=0.03), [0, 1], modifiers=[decay]).run(50)
    torch.testing.assert_close(Loop(TinyNet(), NAdamW(lr=0.03, weight_decay=0.3), [0, 1]).run(50), modified)
