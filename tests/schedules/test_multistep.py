"""Steps at milestones against torch and by hand."""

from __future__ import annotations

import pytest
import torch
from contracts import column, torch_rates

from optbench.schedules.multistep import MultiStep


@pytest.mark.parametrize(
    ("milestones", "steps", "gamma"),
    [((0.5, 0.75), [100, 150], 0.1), ((30.0, 80.0, 80.0, 120.0), [30, 80, 80, 120], 0.5), ((), [], 0.1)],
)
def test_it_equals_torch(milestones: tuple[float, ...], steps: list[int], gamma: float) -> None:
    schedule = MultiStep(milestones=milestones, gamma=gamma)
    ours = [schedule.factor(step, 200, ()) for step in range(200)]
    theirs = torch_rates(200, lambda o: torch.optim.lr_scheduler.MultiStepLR(o, steps, gamma))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=0)


def test_after_a_warmup_milestones_count_from_its_end() -> None:
    schedule = MultiStep(warmup=4.0, milestones=(0.5,), gamma=0.1)
    assert [schedule.factor(step, 10, ()) for step in range(10)] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.1, 0.1, 0.1]


def test_milestones_may_differ_between_trials() -> None:
    together = MultiStep(milestones=(column(0.2, 5.0), 0.8), gamma=column(0.1, 0.5))
    for step in range(10):
        alone = [MultiStep(milestones=(m, 0.8), gamma=g).factor(step, 10, ()) for m, g in ((0.2, 0.1), (5.0, 0.5))]
        assert together.factor(step, 10, ()).flatten().tolist() == pytest.approx(alone, rel=1e-15)


@pytest.mark.parametrize("milestones", [(0.5, 0.0), (-1.0,), (float("nan"),)])
def test_a_milestone_that_is_no_time_is_refused(milestones: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"MultiStep: each of milestones must lie in \(0, inf\), got"):
        MultiStep(milestones=milestones)


def test_of_milestones_that_differ_between_trials_the_wrong_one_is_named() -> None:
    with pytest.raises(ValueError, match=r"^MultiStep: each of milestones must lie in \(0, inf\), got -1 in trial 2$"):
        MultiStep(milestones=(0.5, column(0.5, 0.7, -1.0)))
