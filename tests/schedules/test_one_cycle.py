"""The 1cycle policy against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts import torch_rates

from optbench.schedules.one_cycle import OneCycle

SETTINGS: list[dict[str, Any]] = [
    {},
    {"anneal_strategy": "linear"},
    {"three_phase": True},
    {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.45},
    {"pct_start": 0.07, "div_factor": 10.0, "final_div_factor": 1.0},
    {"pct_start": 0.0},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("steps", [77, 200])
def test_it_equals_torch(settings: dict[str, Any], steps: int) -> None:
    def build(o: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=steps, cycle_momentum=False, **settings)

    ours = [OneCycle(**settings).factor(step, steps, ()) for step in range(steps)]
    assert ours == pytest.approx(torch_rates(steps, build), rel=1e-12, abs=1e-12)


def test_the_rise_may_take_the_whole_run() -> None:
    schedule = OneCycle(pct_start=1.0, div_factor=4.0, anneal_strategy="linear")
    assert [schedule.factor(step, 4, ()) for step in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1], rel=1e-15)


def test_a_rise_of_one_step_starts_at_the_top_where_torch_divides_by_zero() -> None:
    assert OneCycle(pct_start=0.1).factor(0, 10, ()) == 1.0
