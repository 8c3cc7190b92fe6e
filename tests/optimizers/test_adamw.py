"""AdamW against torch, and against Adam."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.adam import Adam
from optbench.optimizers.adamw import AdamW


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        (
            {"lr": 0.05, "betas": (0.5, 0.9), "weight_decay": 0.3},
            {"lr": 0.05, "betas": (0.5, 0.9), "weight_decay": 0.3},
        ),
        ({"lr": 0.01, "eps": 0.1, "weight_decay": 2.0}, {"lr": 0.01, "eps": 0.1, "weight_decay": 2.0}),
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    path = Loop(problem, AdamW(**ours), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, torch_path(problem, torch.optim.AdamW, 7, 100, **theirs), rtol=1e-9, atol=1e-9)


def test_without_decay_it_is_adam_bit_for_bit() -> None:
    plain = Loop(Rosenbrock(), Adam(lr=0.03), [0, 1]).run(50)
    assert torch.equal(Loop(Rosenbrock(), AdamW(lr=0.03, weight_decay=0.0), [0, 1]).run(50), plain)
