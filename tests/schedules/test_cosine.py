"""Warm-up and half a cosine against torch and by hand."""

from __future__ import annotations

import warnings

import pytest
import torch
from contracts import column, torch_rates
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from optbench.schedules.cosine import Cosine


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_without_warmup_it_equals_torch(floor: float) -> None:
    ours = [Cosine(warmup=0.0, floor=floor).factor(step, 200, ()) for step in range(200)]
    theirs = torch_rates(200, lambda o: CosineAnnealingLR(o, T_max=200, eta_min=floor))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("warmup", "w"), [(0.1, 20), (50.0, 50)])
def test_with_warmup_it_equals_torch(warmup: float, w: int) -> None:
    def build(o: torch.optim.Optimizer) -> SequentialLR:
        return SequentialLR(o, [LinearLR(o, 1 / w, 1.0, w - 1), CosineAnnealingLR(o, T_max=200 - w)], milestones=[w])

    ours = [Cosine(warmup=warmup).factor(step, 200, ()) for step in range(200)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The epoch parameter in `scheduler.step", UserWarning)
        theirs = torch_rates(200, build)
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


def test_values_worked_by_hand() -> None:
    schedule = Cosine(warmup=2.0, floor=0.2)
    expected = [0.5, 1.0, 1.0, 0.2 + 0.8 * 0.75, 0.6, 0.2 + 0.8 * 0.25]
    assert [schedule.factor(step, 8, ()) for step in (0, 1, 2, 4, 5, 6)] == pytest.approx(expected, rel=1e-15)


def test_trials_may_have_different_warmups_or_none() -> None:
    together = Cosine(warmup=column(0.0, 0.25, 7.0))
    for step in range(20):
        alone = [Cosine(warmup=w).factor(step, 20, ()) for w in (0.0, 0.25, 7.0)]
        assert together.factor(step, 20, ())[:, 0].tolist() == pytest.approx(alone, rel=1e-12, abs=1e-15)
