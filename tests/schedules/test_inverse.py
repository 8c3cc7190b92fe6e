"""Decay as one over time, by hand and against the conditions of Robbins and Monro."""

from __future__ import annotations

import math

import pytest

from optbench.schedules.inverse import Inverse


def test_values_worked_by_hand() -> None:
    assert [Inverse(rate=4.0).factor(step, 8, ()) for step in (0, 2, 4, 6)] == [1, 1 / 2, 1 / 3, 1 / 4]


@pytest.mark.slow
def test_as_the_run_grows_at_a_fixed_rate_per_step_sums_grow_and_sums_of_squares_do_not() -> None:
    def sums(steps: int) -> tuple[float, float]:
        factors = [Inverse(rate=0.1 * steps).factor(step, steps, ()) for step in range(steps)]
        return sum(factors), sum(f * f for f in factors)

    (short, short_squares), (long, long_squares) = sums(1_000), sums(10_000)
    assert long - short == pytest.approx(10 * math.log(1_001 / 101), rel=0.01)
    assert long_squares - short_squares == pytest.approx(10 * (1 / 101 - 1 / 1_001), rel=0.1)
    assert long_squares < 1 + 10
