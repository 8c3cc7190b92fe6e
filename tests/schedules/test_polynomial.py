"""Polynomial decay against torch and by hand."""

from __future__ import annotations

import pytest
import torch
from contracts import torch_rates

from optbench.schedules.polynomial import Polynomial


@pytest.mark.parametrize(("until", "iterations", "power"), [(1.0, 200, 0.9), (0.5, 100, 1.0), (80.0, 80, 2.5)])
def test_it_equals_torch(until: float, iterations: int, power: float) -> None:
    ours = [Polynomial(until=until, power=power).factor(step, 200, ()) for step in range(200)]
    theirs = torch_rates(200, lambda o: torch.optim.lr_scheduler.PolynomialLR(o, iterations, power))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


def test_values_worked_by_hand() -> None:
    schedule = Polynomial(until=0.5, power=2.0, end=0.2)
    expected = [1, 0.2 + 0.8 * 9 / 16, 0.2 + 0.8 / 4, 0.2 + 0.8 / 16, 0.2, 0.2]
    assert [schedule.factor(step, 8, ()) for step in range(6)] == pytest.approx(expected, rel=1e-15)
