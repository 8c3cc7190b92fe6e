"""The trapezoid by hand and against the schedule of which it is a case."""

from __future__ import annotations

import pytest

from optbench.schedules.trapezoid import Trapezoid
from optbench.schedules.wsd import WSD


def test_values_worked_by_hand() -> None:
    factors = [Trapezoid(warmup=0.2, decay=5.0).factor(step, 10, ()) for step in range(10)]
    assert factors == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2], rel=1e-15)


@pytest.mark.parametrize(("warmup", "decay"), [(0.05, 0.4), (0.0, 0.0), (30.0, 0.9)])
def test_it_is_wsd_with_a_linear_decay(warmup: float, decay: float) -> None:
    wsd = WSD(warmup=warmup, decay=decay, form="linear")
    ours = [Trapezoid(warmup=warmup, decay=decay).factor(step, 97, ()) for step in range(97)]
    assert ours == pytest.approx([wsd.factor(step, 97, ()) for step in range(97)], rel=1e-12, abs=1e-12)
