"""Exponential decay against torch and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from contracts import torch_rates

from optbench.schedules.exponential import Exponential


@pytest.mark.parametrize("rate", [0.0, 2.0, 4.6])
def test_it_equals_torch(rate: float) -> None:
    ours = [Exponential(rate=rate).factor(step, 200, ()) for step in range(200)]
    gamma = math.exp(-rate / 200)
    theirs = torch_rates(200, lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=0)


def test_half_way_it_is_the_root_of_its_end() -> None:
    schedule = Exponential(rate=6.0)
    assert schedule.factor(0, 100, ()) == 1.0
    assert schedule.factor(50, 100, ()) == pytest.approx(0.049787068367863944, rel=1e-15)
