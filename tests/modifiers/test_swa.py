"""Stochastic weight averaging, against torch.optim.swa_utils and plain means."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import TinyNet
from optbench.problems.mlp import MLP
from torch import nn
from torch.optim.swa_utils import AveragedModel

from optbench.modifiers.early_stopping import EarlyStopping
from optbench.modifiers.ema import EMA
from optbench.modifiers.lookahead import Lookahead
from optbench.modifiers.swa import SWA
from optbench.optimizers.momentum import Momentum
from optbench.optimizers.sgd import SGD
from optbench.schedules.constant import Constant
from optbench.trials import Trials


def trials_of(steps: int, *modifiers: Any, seeds: Any = (0, 1), problem: Any = None) -> Trials:
    return Trials(problem or TinyNet(), Momentum(lr=0.05), Constant(), list(modifiers), list(seeds), steps)


@pytest.mark.parametrize(("start", "every", "first"), [(0.75, 1, 30), (0.5, 5, 20), (0.51, 7, 21)])
def test_it_equals_torch_and_learning_goes_on_as_without(start: float, every: int, first: int) -> None:
    trials, plain = trials_of(40, SWA(start=start, every=every)), trials_of(40)
    model = nn.Module()
    model.x = nn.Parameter(trials.params.clone())
    averaged = AveragedModel(model)
    for made in range(1, 41):
        trials.step(made - 1)
        plain.step(made - 1)
        if made >= first and (made - first) % every == 0:
            model.x.data.copy_(trials.params)
            averaged.update_parameters(model)
        expected: Any = trials.params if made < first else averaged.module.x.detach()
        torch.testing.assert_close(trials.judged, expected, rtol=1e-10, atol=1e-13)
    assert torch.equal(trials.params, plain.params)


@pytest.mark.parametrize(("start", "steps", "first"), [(0.55, 100, 55), (0.07, 100, 7), (0.1, 30, 3), (0.51, 40, 21)])
def test_rounding_does_not_delay_the_start_of_a_number_or_a_column(start: float, steps: int, first: int) -> None:
    for given in (start, torch.tensor([[start], [start]]), torch.tensor([[start], [start]], dtype=torch.float64)):
        assert trials_of(steps, SWA(start=given)).update_states[0].first.flatten().tolist() == [first, first]


@pytest.mark.parametrize("average", [SWA(start=0.0), EMA(decay=0.5)])
def test_under_lookahead_the_fast_weights_are_averaged(average: Any) -> None:
    trials = trials_of(12, Lookahead(k=3), average)
    means: list[Any] = []
    mean, total = trials.params, 1
    for step in range(12):
        trials.step(step)
        if isinstance(average, SWA):
            mean, total = (total * mean + trials.params) / (total + 1), total + 1
        else:
            mean = trials.params if step == 0 else 0.5 * mean + 0.5 * trials.params
        means.append(mean)
        torch.testing.assert_close(trials.judged, mean, rtol=1e-12, atol=1e-14)


def test_from_the_start_on_it_is_the_mean_of_all_points_the_first_one_too() -> None:
    trials = trials_of(12, SWA(start=0.0))
    passed = [trials.params]
    for step in range(12):
        trials.step(step)
        passed.append(trials.params)
        torch.testing.assert_close(trials.judged, torch.stack(passed).mean(dim=0), rtol=1e-12, atol=1e-14)


def test_each_trial_may_begin_at_a_time_of_its_own() -> None:
    together = trials_of(20, SWA(start=torch.tensor([[0.2], [0.9]], dtype=torch.float64)))
    alone = [trials_of(20, SWA(start=start), seeds=[0, 1]) for start in (0.2, 0.9)]
    for step in range(20):
        for trials in (together, *alone):
            trials.step(step)
        for k in (0, 1):
            torch.testing.assert_close(together.judged[k], alone[k].judged[k], rtol=1e-12, atol=0)
    assert not torch.allclose(alone[0].judged, alone[1].judged)


def test_moving_statistics_are_those_of_the_parameters() -> None:
    problem = MLP(data="iris", hidden=(4,), normalisation="batch", moving_statistics=True)
    trials = trials_of(10, SWA(start=0.0), problem=problem)
    for step in range(5):
        trials.step(step)
    judged, params = (problem.layout.split(p) for p in (trials.judged, trials.params))
    for name, role in zip(problem.layout.names, problem.layout.roles, strict=True):
        assert torch.equal(judged[name], params[name]) == (role == "buffer")


def test_with_early_stopping_each_training_has_an_average_of_its_own() -> None:
    problem = MLP(data="iris", hidden=(4,), dtype=torch.float64)
    stopping = EarlyStopping(every=5, patience=100, then="retrain")
    trials = Trials(problem, SGD(lr=0.1), Constant(), [SWA(start=0.5), stopping], [0, 1], 40)
    assert trials.update_states[0].first.tolist() == [[10.0], [10.0]]  # of the 20 steps of the search
    for step in range(20):
        trials.step(step)
    assert (trials.update_states[0].t, trials.update_states[0].first.tolist()) == (0, [[10.0], [10.0]])


def test_a_start_at_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^SWA: start must lie in \[0, 1\), got 1$"):
        SWA(start=1.0)
