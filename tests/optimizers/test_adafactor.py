"""Adafactor against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adafactor import Adafactor


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.2, "beta2_decay": -0.3, "d": 1.1},
        {"lr": 0.1, "eps": (0.3, 0.5), "weight_decay": 0.1},
    ],
    ids=["default", "decay exponent", "floors"],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, Adafactor(**settings), [7]).run(100)[:, 0]
    expected = torch_path(problem, torch.optim.Adafactor, 7, 100, **settings)
    torch.testing.assert_close(path, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(4, 3, 2, 5), (2, 6, 3)])
def test_convolution_kernels_are_factored_along_their_last_two_dimensions_as_in_torch(shape: tuple[int, ...]) -> None:
    random = torch.Generator().manual_seed(0)
    x, *grads = torch.randn(6, *shape, dtype=torch.float64, generator=random)
    theirs = torch.nn.Parameter(x.clone())
    reference, rule = torch.optim.Adafactor([theirs], lr=0.1), Adafactor(lr=0.1)
    ours = x.reshape(1, -1).repeat(2, 1)
    state = rule.init(ours, Layout(("kernel",), (shape,), ("weight",)))
    for g in grads:
        theirs.grad = g
        reference.step()
        ours, state = rule.update(ours, g.reshape(1, -1).repeat(2, 1), state, rule.lr)
    torch.testing.assert_close(ours, theirs.detach().reshape(1, -1).repeat(2, 1), rtol=1e-11, atol=1e-12)


def test_the_state_of_a_matrix_has_as_many_numbers_as_rows_and_columns() -> None:
    x = torch.zeros(3, 35 + 7)
    state = Adafactor().init(x, Layout(("w", "b"), ((7, 5), (7,)), ("weight", "bias")))
    held = {name: t[0].numel() for held in (state.R, state.C, state.V) for name, t in held.items()}
    assert (state.R["w"][0].numel(), state.C["w"][0].numel(), held["b"]) == (7, 5, 7)
