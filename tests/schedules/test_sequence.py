"""Sequences of schedules against torch's, and their parts' states."""

from __future__ import annotations

import warnings

import pytest
import torch
from contracts import column, torch_rates
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, PolynomialLR, SequentialLR, StepLR

from optbench.errors import UsageError
from optbench.interfaces import Schedule
from optbench.plan import plan
from optbench.registry import build
from optbench.schedules.reduce_on_plateau import ReduceOnPlateau
from optbench.schedules.sequence import Sequence


def factors(schedule: Schedule, steps: int) -> list[float]:
    state, found = schedule.init(1, steps), []
    for step in range(steps):
        found.append(schedule.factor(step, steps, state))
        state = schedule.observe(state, torch.ones(1))
    return found


def test_it_equals_torchs_sequence() -> None:
    def build(o: torch.optim.Optimizer) -> SequentialLR:
        parts = [
            LinearLR(o, 0.1, 1.0, 30),
            StepLR(o, 15, 0.5),
            CosineAnnealingLR(o, 100, 0.05),
            PolynomialLR(o, 30, 2.0),
        ]
        return SequentialLR(o, parts, milestones=[30, 80, 170])

    parts = (
        {"name": "linear", "start": 0.1, "end": 1.0},
        {"name": "halving", "every": 15},
        {
            "name": "sequence",
            "parts": ({"name": "cosine", "warmup": 0.0, "floor": 0.05}, "constant"),
            "milestones": (100,),
        },
        {"name": "polynomial", "power": 2.0},
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The epoch parameter in `scheduler.step", UserWarning)
        theirs = torch_rates(200, build)
    ours = factors(Sequence(parts=parts, milestones=(30.0, 0.4, 170.0)), 200)
    # our cosine's stretch of 90 steps is cut by a part of its own at 100, so that it takes torch's T_max = 100
    assert ours[:80] + ours[170:] == pytest.approx(theirs[:80] + theirs[170:], rel=1e-12, abs=1e-12)
    assert ours[80:170] == pytest.approx(theirs[80:170], rel=1e-12, abs=1e-12)


def test_a_stretch_is_a_whole_run_to_its_part() -> None:
    schedule = Sequence(parts=({"name": "linear", "end": 0.0}, {"name": "linear", "end": 0.0}), milestones=(0.4,))
    assert factors(schedule, 10) == pytest.approx([1, 0.75, 0.5, 0.25, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6], rel=1e-12)


def test_the_default_is_flat_for_three_quarters_and_then_falls() -> None:
    found = factors(build("schedule", "sequence"), 8)
    assert found == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0.5], rel=1e-12)


def test_parts_see_only_the_losses_of_their_own_stretch() -> None:
    hasty = ReduceOnPlateau(patience=0.0, gamma=0.5, smoothing=0.0)
    found = factors(Sequence(parts=(hasty, hasty), milestones=(0.5,)), 8)
    flat = [f if isinstance(f, float) else f.item() for f in found]
    assert flat == [1, 1, 0.5, 0.25, 1, 1, 0.5, 0.25]


def test_parts_may_hold_columns() -> None:
    schedule = Sequence(parts=({"name": "constant"}, {"name": "linear", "end": column(0.0, 0.5)}), milestones=(0.5,))
    state = schedule.init(2, 8)
    assert schedule.factor(6, 8, state).flatten().tolist() == [0.5, 0.75]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"milestones": [0.5, 0.6]}, "Sequence: 2 parts need 1 milestone, got 2"),
        ({"parts": ["constant"]}, "Sequence: 1 part needs no milestones, got 1"),
        ({"parts": ["constant"] * 3, "milestones": [0.6, 0.5]}, r"Sequence: milestones must rise, got 0.6, 0.5"),
        ({"parts": ["constant"] * 3, "milestones": [60, 50]}, r"Sequence: milestones must rise, got 60, 50"),
        ({"milestones": [column(0.5, 0.6)]}, "Sequence: milestones are the same for all trials and cannot be searched"),
        ({"milestones": [-1]}, r"Sequence: each of milestones must lie in \(0, inf\), got -1"),
    ],
)
def test_milestones_that_do_not_fit_are_refused_in_one_line(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build("schedule", "sequence", settings)


def test_a_milestone_that_falls_behind_the_one_before_in_this_run_skips_the_part_between() -> None:
    parts = ("constant", {"name": "linear", "start": 0.5, "end": 0.5}, {"name": "linear", "start": 0.2, "end": 0.2})
    schedule = Sequence(parts=parts, milestones=(0.5, 3.0))
    assert factors(schedule, 4) == [1, 1, 0.5, 0.2]
    assert factors(schedule, 10) == pytest.approx([1] * 5 + [0.2] * 5)


def test_from_the_command_line() -> None:
    (run,) = plan(["schedule=sequence", "schedule.parts=[inverse,cosine]", "schedule.milestones=[0.6]"]).runs
    assert run.labels["schedule"] == "sequence(parts=[inverse,cosine], milestones=[0.6])"
    assert factors(run.build_schedule(), 10)[0] == 1.0
