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


@pytest.mark.parametrize(("until", "tau"), [(0.5, 100), (0.35, 70), (120.0, 120)])
def test_up_to_its_end_it_equals_torch_with_as_many_steps_and_then_stays_where_torch_rises(
    until: float, tau: int
) -> None:
    ours = [Cosine(warmup=0.0, until=until, floor=0.1).factor(step, 200, ()) for step in range(200)]
    theirs = torch_rates(200, lambda o: CosineAnnealingLR(o, T_max=tau, eta_min=0.1))
    assert ours[: tau + 1] == pytest.approx(theirs[: tau + 1], rel=1e-12, abs=1e-12)
    assert ours[tau:] == pytest.approx([0.1] * (200 - tau), rel=1e-12)
    assert min(theirs[tau + 1 :]) > 0.1


def test_the_end_counts_from_that_of_the_warmup() -> None:
    def build(o: torch.optim.Optimizer) -> SequentialLR:
        return SequentialLR(o, [LinearLR(o, 1 / 20, 1.0, 19), CosineAnnealingLR(o, T_max=90)], milestones=[20])

    ours = [Cosine(warmup=0.1, until=0.5).factor(step, 200, ()) for step in range(200)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The epoch parameter in `scheduler.step", UserWarning)
        theirs = torch_rates(200, build)
    assert ours[:111] == pytest.approx(theirs[:111], rel=1e-12, abs=1e-12)
    assert ours[110:] == [0.0] * 90


def test_values_worked_by_hand() -> None:
    schedule = Cosine(warmup=2.0, floor=0.2)
    expected = [0.5, 1.0, 1.0, 0.2 + 0.8 * 0.75, 0.6, 0.2 + 0.8 * 0.25]
    assert [schedule.factor(step, 8, ()) for step in (0, 1, 2, 4, 5, 6)] == pytest.approx(expected, rel=1e-15)


def test_trials_may_have_different_warmups_or_none() -> None:
    together = Cosine(warmup=column(0.0, 0.25, 7.0))
    for step in range(20):
        alone = [Cosine(warmup=w).factor(step, 20, ()) for w in (0.0, 0.25, 7.0)]
        assert together.factor(step, 20, ())[:, 0].tolist() == pytest.approx(alone, rel=1e-12, abs=1e-15)


def test_trials_may_have_different_ends() -> None:
    together = Cosine(warmup=column(0.0, 0.25, 0.25), until=column(0.5, 7.0, 1.0), floor=0.2)
    for step in range(20):
        pairs = ((0.0, 0.5), (0.25, 7.0), (0.25, 1.0))
        alone = [Cosine(warmup=w, until=until, floor=0.2).factor(step, 20, ()) for w, until in pairs]
        assert together.factor(step, 20, ())[:, 0].tolist() == pytest.approx(alone, rel=1e-12, abs=1e-15)
