"""Cycles of triangles against torch, the rate and the momentum."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CyclicLR

from optbench.schedules.cyclic import Cyclic

SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"up": 0.1}, {"step_size_up": 20}),
    ({"up": 0.1, "down": 0.25}, {"step_size_up": 20, "step_size_down": 50}),
    ({"up": 7.0, "mode": "triangular2"}, {"step_size_up": 7, "mode": "triangular2"}),
    (
        {"up": 30.0, "mode": "exp_range", "rate": 3.0},
        {"step_size_up": 30, "mode": "exp_range", "gamma": math.exp(-3 / 200)},
    ),
]


def torch_cycles(low: float, **settings: Any) -> tuple[list[float], list[float]]:
    """Rates and momenta of torch's scheduler, 200 of each, both at most 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=1.0)
    scheduler = CyclicLR(optimizer, low, 1.0, base_momentum=low, max_momentum=1.0, **settings)
    rates, momenta = [], []
    for _ in range(200):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    return rates, momenta


@pytest.mark.parametrize(("ours", "theirs"), SETTINGS)
@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_rate_and_momentum_equal_torch(ours: dict[str, Any], theirs: dict[str, Any], floor: float) -> None:
    rates, momenta = torch_cycles(floor, **theirs)
    rising, falling = Cyclic(floor=floor, **ours), Cyclic(floor=floor, inverted=True, **ours)
    assert [rising.factor(step, 200, ()) for step in range(200)] == pytest.approx(rates, rel=1e-12, abs=1e-12)
    assert [falling.factor(step, 200, ()) for step in range(200)] == pytest.approx(momenta, rel=1e-12, abs=1e-12)


def test_values_worked_by_hand() -> None:
    schedule = Cyclic(up=2.0, down=4.0, floor=0.2, mode="triangular2")
    expected = [0.2, 0.6, 1, 0.8, 0.6, 0.4, 0.2, 0.4, 0.6, 0.5]
    assert [schedule.factor(step, 100, ()) for step in range(10)] == pytest.approx(expected, rel=1e-12)
