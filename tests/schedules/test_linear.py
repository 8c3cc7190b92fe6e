"""The straight line against torch and by hand."""

from __future__ import annotations

import pytest
import torch
from contracts import torch_rates

from optbench.schedules.linear import Linear


@pytest.mark.parametrize(("until", "end", "iterations"), [(1.0, 0.01, 200), (0.25, 0.2, 50), (30.0, 0.0, 30)])
def test_it_equals_torch(until: float, end: float, iterations: int) -> None:
    ours = [Linear(until=until, end=end).factor(step, 200, ()) for step in range(200)]
    theirs = torch_rates(200, lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, end, iterations))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


def test_values_worked_by_hand() -> None:
    schedule = Linear(until=0.5, end=0.2)
    assert [schedule.factor(step, 8, ()) for step in range(6)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0.2], rel=1e-15)
