"""A warm-up before any schedule that has the setting, against torch's sequence and by what it means."""

from __future__ import annotations

import warnings

import pytest
import torch
from contracts import column, torch_rates
from torch.optim.lr_scheduler import LinearLR, LRScheduler, PolynomialLR, SequentialLR, StepLR

from optbench.schedules import SCHEDULES
from optbench.schedules.halving import Halving
from optbench.schedules.polynomial import Polynomial
from optbench.schedules.warmed import Warmed

WARMED = [name for name, cls in SCHEDULES.items() if issubclass(cls, Warmed)]


def test_the_plain_schedules_all_have_it() -> None:
    assert {"constant", "exponential", "halving", "multistep", "inverse", "linear", "polynomial"} <= set(WARMED)
    assert {"cosine", "cosine_restarts"} <= set(WARMED)


@pytest.mark.parametrize("name", WARMED)
@pytest.mark.parametrize(("warmup", "w"), [(0.1, 20), (30.0, 30), (0.001, 1)])
def test_it_rises_on_a_line_and_then_the_schedule_sees_the_rest_as_its_run(name: str, warmup: float, w: int) -> None:
    schedule, plain = SCHEDULES[name](warmup=warmup), SCHEDULES[name](warmup=0.0)
    found = [schedule.factor(step, 200, ()) for step in range(200)]
    assert found[:w] == pytest.approx([(step + 1) / w for step in range(w)], rel=1e-15)
    assert found[w:] == [plain.factor(step, 200 - w, ()) for step in range(200 - w)]


@pytest.mark.parametrize("name", WARMED)
def test_a_warmup_longer_than_the_run_never_ends(name: str) -> None:
    schedule = SCHEDULES[name](warmup=50.0)
    assert [schedule.factor(step, 10, ()) for step in range(10)] == [(step + 1) / 50 for step in range(10)]


@pytest.mark.parametrize("name", WARMED)
def test_trials_may_have_different_warmups_or_none(name: str) -> None:
    together = SCHEDULES[name](warmup=column(0.0, 0.25, 7.0, 50.0))
    for step in range(20):
        alone = [SCHEDULES[name](warmup=w).factor(step, 20, ()) for w in (0.0, 0.25, 7.0, 50.0)]
        assert together.factor(step, 20, ())[:, 0].tolist() == pytest.approx(alone, rel=1e-12, abs=1e-12)


def test_it_equals_torchs_sequence() -> None:
    def rates(build: type[LRScheduler], *settings: float) -> list[float]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The epoch parameter in `scheduler.step", UserWarning)
            return torch_rates(
                200, lambda o: SequentialLR(o, [LinearLR(o, 1 / 20, 1.0, 19), build(o, *settings)], milestones=[20])
            )

    halving = [Halving(warmup=0.1, every=30.0).factor(step, 200, ()) for step in range(200)]
    assert halving == pytest.approx(rates(StepLR, 30, 0.5), rel=1e-12, abs=0)
    polynomial = [Polynomial(warmup=0.1, power=2.0).factor(step, 200, ()) for step in range(200)]
    assert polynomial == pytest.approx(rates(PolynomialLR, 180, 2.0), rel=1e-12, abs=1e-12)


def test_a_negative_warmup_is_refused_with_its_trial() -> None:
    with pytest.raises(ValueError, match=r"Halving: warmup must lie in \[0, inf\), got -1 in trial 2"):
        Halving(warmup=torch.tensor([[0.0], [0.1], [-1.0]]))
