"""AdaDelta against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.optimizers.adadelta import Adadelta


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"lr": 0.3, "rho": 0.5}, {"rho": 0.95, "eps": 1e-8}, {"lr": 0.1, "eps": 1e-2}],
    ids=["default", "rate", "paper", "eps"],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, Adadelta(**settings), [7]).run(100)[:, 0]
    theirs = torch_path(problem, torch.optim.Adadelta, 7, 100, **settings)
    torch.testing.assert_close(path, theirs, rtol=1e-9, atol=1e-9)


def test_the_first_step_has_the_stated_length_whatever_the_gradient() -> None:
    rule, x = Adadelta(), torch.zeros(1, 2, dtype=torch.float64)
    x, _ = rule.update(
        x, torch.tensor([[1e4, -1e9]], dtype=torch.float64), rule.init(x, Rosenbrock(n=2).layout), rule.lr
    )
    length = (1e-6 / 0.1) ** 0.5
    assert 0.003 < length < 0.0032
    torch.testing.assert_close(x, torch.tensor([[-length, length]], dtype=torch.float64), rtol=1e-9, atol=0)


def test_steps_grow_and_shrink_with_the_units_of_the_parameters() -> None:
    """x = 1000 z has gradients a thousandth as large; without eps, the steps in x are those in z times 1000."""
    z, x = torch.full((1, 1), 2.0, dtype=torch.float64), torch.full((1, 1), 2000.0, dtype=torch.float64)
    rule = Adadelta(eps=0.0)
    layout = Rosenbrock(n=2).layout
    in_z, in_x = rule.init(z, layout), rule.init(x, layout)
    in_z, in_x = in_z._replace(s=torch.full_like(z, 1e-4)), in_x._replace(s=torch.full_like(x, 100.0))
    for _ in range(50):
        z, in_z = rule.update(z, 2 * z, in_z, 1.0)
        x, in_x = rule.update(x, 2 * x / 1e6, in_x, 1.0)
        torch.testing.assert_close(x, 1000 * z, rtol=1e-10, atol=0)
