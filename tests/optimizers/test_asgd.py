"""Averaged SGD against torch, and what averaging is good for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from contracts import Loop, TinyNet, column
from optbench.problems.rosenbrock import Rosenbrock
from torch import Tensor

from optbench.optimizers.asgd import ASGD


@pytest.fixture
def _torch_keeps_its_rates_in_float64() -> Iterator[None]:
    """torch.optim.ASGD holds eta and mu in the default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def averages(problem: Any, steps: int, seed: int, **settings: Any) -> Tensor:
    """`ax` of torch.optim.ASGD at every step, [steps, n]."""
    stream, path = problem.stream([seed]), []
    x = torch.nn.Parameter(problem.start([seed])[0].clone())
    optimizer = torch.optim.ASGD([x], **settings)
    for step in range(steps):
        optimizer.zero_grad()
        problem.loss(x[None], stream.at(step)).sum().backward()
        optimizer.step()
        path.append(optimizer.state[x]["ax"].clone())
    return torch.stack(path)


@pytest.mark.usefixtures("_torch_keeps_its_rates_in_float64")
@pytest.mark.parametrize("problem", [Rosenbrock(n=4), TinyNet()], ids=["rosenbrock", "network"])
@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 1e-3},
        {"lr": 1e-3, "t0": 30.0},
        {"lr": 1e-3, "t0": 0.0, "lambd": 0.3, "alpha": 0.5},
        {"lr": 5e-4, "t0": 99.0, "lambd": 10.0, "alpha": 1.0},
    ],
    ids=["never averaged", "from step 31 on", "from the start", "steep"],
)
def test_the_point_judged_is_the_average_of_torch(problem: Any, settings: dict[str, Any]) -> None:
    path = Loop(problem, ASGD(**settings), [7]).run(100)[:, 0]
    torch.testing.assert_close(path, averages(problem, 100, 7, **settings), rtol=1e-9, atol=1e-9)


def test_it_is_the_mean_of_the_points_passed_since_t0() -> None:
    """Without decay x goes its own way, so its points are those of a rule that never averages."""
    problem = Rosenbrock()
    points = Loop(problem, ASGD(lr=1e-3, lambd=0.0), [0]).run(40)
    means = Loop(problem, ASGD(lr=1e-3, lambd=0.0, t0=10.0), [0]).run(40)
    torch.testing.assert_close(means[:11], points[:11], rtol=0, atol=0)
    for k in range(12, 41):
        torch.testing.assert_close(means[k - 1], points[11:k].mean(dim=0), rtol=1e-12, atol=0)


def test_each_trial_begins_to_average_at_a_t0_of_its_own() -> None:
    path = Loop(Rosenbrock(), ASGD(lr=1e-3, t0=column(5.0, 20.0)), [0, 0]).run(40)
    for trial, t0 in enumerate((5.0, 20.0)):
        alone = Loop(Rosenbrock(), ASGD(lr=1e-3, t0=t0), [0]).run(40)
        torch.testing.assert_close(path[:, trial], alone[:, 0], rtol=1e-12, atol=0)


def test_noise_is_averaged_away_while_the_moving_point_keeps_hovering() -> None:
    """On ½x² with gradients x + noise, x has variance η/(2 − η), the mean of T points about 1/T."""
    torch.manual_seed(0)
    rule, x = ASGD(lr=0.5, lambd=0.0, t0=0.0), torch.zeros(500, 1, dtype=torch.float64)
    state = rule.init(x, Rosenbrock(n=2).layout)
    for _ in range(1000):
        at = rule.asks_at(x, state)
        x, state = rule.update(x, at + torch.randn_like(at), state, rule.lr)
    assert (x + state.e).var().item() == pytest.approx(0.5 / 1.5, rel=0.2)
    assert x.var().item() == pytest.approx(1e-3, rel=0.2)


def test_what_a_modifier_does_to_the_average_moves_the_other_point_as_far() -> None:
    run = Loop(Rosenbrock(), ASGD(lr=1e-3, t0=3.0), [0])
    run.run(8)
    before = run.optimizer.asks_at(run.params, run.state)
    run.params = run.params + 0.25
    torch.testing.assert_close(run.optimizer.asks_at(run.params, run.state), before + 0.25, rtol=1e-14, atol=0)
