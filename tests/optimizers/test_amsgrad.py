"""AMSGrad against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, torch_path
from optbench.problems.rosenbrock import Rosenbrock

from optbench.interfaces import Layout
from optbench.optimizers.adam import Adam
from optbench.optimizers.amsgrad import AMSGrad


@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.05, "betas": (0.5, 0.9)},
        {"lr": 0.01, "eps": 0.1},
        {"lr": 0.01, "betas": (0.0, 0.0)},
    ],
)
def test_a_hundred_steps_equal_those_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, AMSGrad(**settings), [7]).run(100)[:, 0]
    theirs = torch_path(problem, torch.optim.Adam, 7, 100, **settings, amsgrad=True)
    torch.testing.assert_close(path, theirs, rtol=1e-9, atol=1e-9)


def test_a_rare_large_gradient_is_not_forgotten() -> None:
    """β₂ = 1/2: v = 50 after g = 10, then 25.5 and less; the denominator keeps 50, apart from its bias correction."""
    rule, x = AMSGrad(lr=1.0, betas=(0.0, 0.5), eps=0.0), torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x, Layout.point(1))
    for t, g in enumerate((10.0, 1.0, 1.0, 1.0), start=1):
        before = x
        x, state = rule.update(x, torch.full_like(x, g), state, rule.lr)
        assert state.largest.item() == 50.0
        assert (before - x).item() == pytest.approx(g / (50 / (1 - 0.5**t)) ** 0.5, rel=1e-14)


def test_while_the_bias_correction_falls_steps_grow_with_its_root() -> None:
    rule, x = AMSGrad(lr=1.0, betas=(0.0, 0.999), eps=0.0), torch.zeros(1, 1, dtype=torch.float64)
    state, lengths = rule.init(x, Layout.point(1)), []
    for g in (1.0, 1e-3, 1e-3):
        after, state = rule.update(x, torch.full_like(x, g), state, 1.0)
        lengths.append((x - after).item() / g)
        x = after
    roots = [(1 - 0.999**t) ** 0.5 for t in (1, 2, 3)]
    assert lengths == pytest.approx([root / roots[0] for root in roots])


def test_while_the_mean_square_only_grows_it_is_adam_bit_for_bit() -> None:
    ours, adam, x = AMSGrad(lr=0.1), Adam(lr=0.1), torch.zeros(2, 3, dtype=torch.float64)
    a, b, y = ours.init(x, Layout.point(3)), adam.init(x, Layout.point(3)), x
    for t in range(1, 20):
        grad = torch.full_like(x, -1.5) ** t
        x, a = ours.update(x, grad, a, 0.1)
        y, b = adam.update(y, grad, b, 0.1)
        assert torch.equal(x, y)
