"""Cosines with restarts against torch and by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from contracts import column, torch_rates

from optbench.schedules.cosine_restarts import CosineRestarts


@pytest.mark.parametrize(
    ("t_0", "first", "t_mult", "floor"),
    [(0.25, 50, 1, 0.0), (30.0, 30, 1, 0.1), (10.0, 10, 2, 0.0), (0.035, 7, 3, 0.05), (0.006, 1, 2, 0.0)],
)
def test_it_equals_torch(t_0: float, first: int, t_mult: int, floor: float) -> None:
    def build(o: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, first, t_mult, eta_min=floor)

    schedule = CosineRestarts(t_0=t_0 if first > 1 else 0.005, t_mult=float(t_mult), floor=floor)
    ours = [schedule.factor(step, 200, ()) for step in range(200)]
    assert ours == pytest.approx(torch_rates(200, build), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("steps", [70, 100, 1000, 1003])
def test_the_default_has_three_cycles_that_fill_any_run(steps: int) -> None:
    factors = [CosineRestarts().factor(step, steps, ()) for step in range(steps)]
    assert sum(later > earlier for earlier, later in pairwise(factors)) == 2
    assert factors[0] == 1.0
    if steps >= 100:
        assert factors[-1] < 0.002


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_restarts_come_at_the_same_steps_for_columns_of_settings(dtype: torch.dtype) -> None:
    settings = [(0.1, 1.0), (1 / 3, 1.0), (7.0, 2.0), (1 / 7, 2.0), (10.0, 1.5), (3.0, 3.0)]
    together = CosineRestarts(
        t_0=column(*(t for t, _ in settings), dtype=dtype), t_mult=column(*(m for _, m in settings), dtype=dtype)
    )
    for step in range(300):
        alone = [CosineRestarts(t_0=t, t_mult=m).factor(step, 300, ()) for t, m in settings]
        found = together.factor(step, 300, ())
        assert found.dtype == dtype
        assert found[:, 0].tolist() == pytest.approx(alone, abs=1e-12 if dtype == torch.float64 else 1e-4)


def test_cycles_that_are_no_whole_number_of_steps_do_not_begin_again_before_the_run_ends() -> None:
    factors = [CosineRestarts(t_0=0.25, t_mult=1.0).factor(step, 77, ()) for step in range(77)]
    assert factors[76] == pytest.approx((1 - 18.25 / 19.25) ** 2 * 2.4674, rel=0.01)
    assert max(factors[58:]) == factors[58] > 0.99
