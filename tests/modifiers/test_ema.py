"""The exponential moving average, against torch.optim.swa_utils and its closed form."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from contracts import TinyNet
from optbench.problems.mlp import MLP
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from optbench.interfaces import Layout
from optbench.modifiers.ema import EMA
from optbench.optimizers.adam import Adam
from optbench.schedules.constant import Constant
from optbench.trials import Trials

STATISTICS = MLP(data="iris", hidden=(4,), normalisation="batch", moving_statistics=True, dtype=torch.float64)


class Held(nn.Module):
    """Parameters and moving statistics of one trial."""

    def __init__(self, problem: Any, row: torch.Tensor):
        super().__init__()
        for i, (part, role) in enumerate(self.parts(problem, row)):
            if role == "buffer":
                self.register_buffer(str(i), part.clone())
            else:
                self.register_parameter(str(i), nn.Parameter(part.clone()))

    @staticmethod
    def parts(problem: Any, row: torch.Tensor) -> Any:
        return zip(row.split(problem.layout.sizes), problem.layout.roles, strict=True)

    def load(self, problem: Any, row: torch.Tensor) -> None:
        for i, (part, _) in enumerate(self.parts(problem, row)):
            getattr(self, str(i)).data.copy_(part)

    def row(self, problem: Any) -> torch.Tensor:
        return torch.cat([getattr(self, str(i)).detach() for i in range(len(problem.layout.names))])


@pytest.mark.parametrize("problem", [TinyNet(), STATISTICS], ids=["network", "moving statistics"])
@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_it_equals_torch_and_learning_goes_on_as_without(problem: Any, decay: float) -> None:
    trials = Trials(problem, Adam(lr=0.01), Constant(), [EMA(decay=decay)], [0, 1], 100)
    plain = Trials(problem, Adam(lr=0.01), Constant(), [], [0, 1], 100)
    assert torch.equal(trials.judged, trials.params)
    model = Held(problem, trials.params[1])
    averaged = AveragedModel(model, avg_fn=get_ema_avg_fn(decay))
    for step in range(100):
        trials.step(step)
        plain.step(step)
        model.load(problem, trials.params[1])
        averaged.update_parameters(model)
        torch.testing.assert_close(trials.judged[1], averaged.module.row(problem), rtol=1e-9, atol=1e-12)
    assert torch.equal(trials.params, plain.params)
    assert torch.equal(trials.judged, trials.params) == (decay == 0)


def test_corrected_it_is_the_weighted_mean_of_all_points() -> None:
    decay = torch.tensor([[0.5], [0.9]], dtype=torch.float64)
    trials = Trials(TinyNet(), Adam(lr=0.1), Constant(), [EMA(decay=decay, corrected=True)], [0, 1], 30)
    passed = []
    for step in range(30):
        trials.step(step)
        passed.append(trials.params)
        weights = torch.stack([decay ** (step - i) for i in range(step + 1)])
        expected = (weights * torch.stack(passed)).sum(dim=0) / weights.sum(dim=0)
        torch.testing.assert_close(trials.judged, expected, rtol=1e-10, atol=1e-12)


def test_with_a_decay_that_changes_each_point_has_the_product_of_what_came_after_it() -> None:
    decays = [0.9, 0.5, 0.8, 0.2]
    state = EMA(decay=0.9, corrected=True).init(torch.zeros(1, 1), Layout.point(1), [0], 4)
    points = torch.tensor([[3.0], [-1.0], [4.0], [10.0]])
    for decay, point in zip(decays, points, strict=True):
        rule = EMA(decay=decay, corrected=True)
        _, state = rule.apply(point[None], point[None], 0.1, state)
    weights = torch.tensor([math.prod(decays[k + 1 :]) for k in range(4)])
    torch.testing.assert_close(rule.judged(points[:1], state)[0], (weights * points[:, 0]).sum()[None] / weights.sum())


def test_averages_worked_by_hand() -> None:
    layout, zero = TinyNet().layout, torch.zeros(1, 1, dtype=torch.float64)
    found = {}
    for corrected in (False, True):
        rule = EMA(decay=0.5, corrected=corrected)
        state = rule.init(zero, layout, [0], 3)
        found[corrected] = []
        for x in (1.0, 2.0, 4.0):
            _, state = rule.apply(zero, zero + x, 1.0, state)
            found[corrected].append(rule.judged(zero, state).item())
    assert found[False] == [1.0, 1.5, 2.75]
    assert found[True] == pytest.approx([1.0, 5 / 3, (4 + 1 + 0.25) / 1.75])


def test_a_decay_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^EMA: decay must lie in \[0, 1\), got 1$"):
        EMA(decay=1.0)
