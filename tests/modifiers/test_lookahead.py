"""Lookahead, against pytorch_optimizer's and worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import TinyNet
from optbench.problems.mlp import MLP
from optbench.problems.rosenbrock import Rosenbrock

from optbench.modifiers.ema import EMA
from optbench.modifiers.lookahead import Lookahead
from optbench.modifiers.project import Project
from optbench.optimizers.adam import Adam
from optbench.optimizers.momentum import Momentum
from optbench.optimizers.sgd import SGD
from optbench.schedules.constant import Constant
from optbench.trials import Trials


@pytest.mark.parametrize("problem", [TinyNet(), Rosenbrock(n=4)], ids=["network", "rosenbrock"])
@pytest.mark.parametrize(("k", "alpha"), [(5, 0.5), (3, 0.8), (1, 0.25)])
def test_a_hundred_steps_equal_those_of_pytorch_optimizer(problem: Any, k: int, alpha: float) -> None:
    theirs_lookahead = pytest.importorskip("pytorch_optimizer").Lookahead
    rules: list[Any] = [(Momentum(lr=2e-4, momentum=0.9), torch.optim.SGD, {"lr": 2e-4, "momentum": 0.9})]
    rules.append((Adam(lr=0.01), torch.optim.Adam, {"lr": 0.01}))
    for ours, theirs, settings in rules:
        trials = Trials(problem, ours, Constant(), [Lookahead(k=k, alpha=alpha)], [1], 100)
        x = problem.start([1])
        at, stream = torch.nn.Parameter(x), problem.stream([1])
        optimizer = theirs_lookahead(theirs([at], **settings), k=k, alpha=alpha)
        for step in range(100):
            optimizer.zero_grad()
            problem.loss(at, stream.at(step)).sum().backward()
            optimizer.step()
            trials.step(step)
            torch.testing.assert_close(trials.params, at.detach(), rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(trials.judged, optimizer.state[at]["slow_params"], rtol=1e-9, atol=1e-9)


def test_slow_weights_worked_by_hand() -> None:
    """Steps of one upwards, from zero."""
    rule, x = Lookahead(k=2, alpha=0.5), torch.zeros(1, 1, dtype=torch.float64)
    state, passed, judged = rule.init(x, Rosenbrock(n=2).layout, [0], 6), [], []
    for _ in range(6):
        x, state = rule.apply(x, x + 1, 1.0, state)
        passed.append(x.item())
        judged.append(rule.judged(x, state).item())
    assert passed == [1, 1, 2, 2, 3, 3]
    assert judged == [0, 1, 1, 2, 2, 3]


def test_it_takes_its_turn_after_projections_and_before_averages() -> None:
    rules = [EMA(decay=0.0), Lookahead(k=2, alpha=0.5), Project(low=-0.1, high=0.1)]
    trials = Trials(TinyNet(), SGD(lr=1.0), Constant(), rules, [0, 1], 10)
    start = trials.params
    for step in range(2):
        trials.step(step)
    assert [type(m) for m in trials.on_update] == [Project, Lookahead, EMA]
    assert torch.equal(trials.judged, trials.params)  # of the average, which is the last point
    assert (trials.params - start / 2).abs().max() <= 0.05 * (1 + 1e-12)


def test_moving_statistics_are_those_of_the_fast_weights() -> None:
    problem = MLP(data="iris", hidden=(4,), normalisation="batch", moving_statistics=True)
    trials = Trials(problem, SGD(lr=0.1), Constant(), [Lookahead(k=5)], [0, 1], 10)
    start = trials.params
    for step in range(3):
        trials.step(step)
    parts = [problem.layout.split(p) for p in (trials.judged, trials.params, start)]
    for name, role in zip(problem.layout.names, problem.layout.roles, strict=True):
        judged, fast, first = (part[name] for part in parts)
        assert torch.equal(judged, fast if role == "buffer" else first)
    weight = problem.layout.names[0]
    assert not torch.equal(parts[1][weight], parts[2][weight])


def test_a_part_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Lookahead: alpha must lie in \[0, 1\], got 1.5$"):
        Lookahead(alpha=1.5)
