"""Halving against torch and by hand."""

from __future__ import annotations

import pytest
import torch
from contracts import torch_rates

from optbench.schedules.halving import Halving


@pytest.mark.parametrize(("every", "step_size"), [(0.1, 20), (37.0, 37), (1.0, 200)])
def test_it_equals_torch(every: float, step_size: int) -> None:
    ours = [Halving(every=every).factor(step, 200, ()) for step in range(200)]
    theirs = torch_rates(200, lambda o: torch.optim.lr_scheduler.StepLR(o, step_size, gamma=0.5))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=0)


def test_the_default_ends_at_a_sixteenth() -> None:
    assert [Halving().factor(step, 10, ()) for step in range(10)] == [
        1,
        1,
        1 / 2,
        1 / 2,
        1 / 4,
        1 / 4,
        1 / 8,
        1 / 8,
        1 / 16,
        1 / 16,
    ]
