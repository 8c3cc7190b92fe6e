"""Lengths of time within a run."""

from __future__ import annotations

import pytest
from contracts import column

from optbench.schedules.span import span


@pytest.mark.parametrize(
    ("length", "steps", "expected"), [(0.25, 1000, 250), (1.0, 1000, 1000), (50.0, 1000, 50), (0.001, 10, 1)]
)
def test_up_to_one_it_is_a_part_of_the_run_and_above_a_number_of_steps(
    length: float, steps: int, expected: int
) -> None:
    assert span(length, steps) == expected
    assert span(column(length, 0.5), steps).flatten().tolist() == [expected, steps / 2]
