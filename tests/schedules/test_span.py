"""Lengths of time within a run."""

from __future__ import annotations

from typing import Any

import pytest
from contracts import column

from optbench.schedules.span import cycle_span, lengths, span, span_or_none


@pytest.mark.parametrize(
    ("length", "steps", "expected"), [(0.25, 1000, 250), (1.0, 1000, 1000), (50.0, 1000, 50), (0.001, 10, 1)]
)
def test_up_to_one_it_is_a_part_of_the_run_and_above_a_number_of_steps(
    length: float, steps: int, expected: int
) -> None:
    assert span(length, steps) == expected
    assert span(column(length, 0.5), steps).flatten().tolist() == [expected, steps / 2]


def test_a_length_of_zero_may_be_no_step_at_all() -> None:
    assert [span_or_none(length, 100) for length in (0.0, 0.001, 0.5, 7.0)] == [0, 1, 50, 7]
    assert span_or_none(column(0.0, 0.001, 0.5, 7.0), 100).flatten().tolist() == [0, 1, 50, 7]


def test_cycles_need_not_be_whole_steps() -> None:
    assert [cycle_span(length, 30) for length in (0.1, 0.25, 1 / 7, 1.5, 0.001)] == [3, 7.5, 30 / 7, 1.5, 1]
    assert cycle_span(column(0.1, 0.25, 1.5, 0.001), 30).flatten().tolist() == [3, 7.5, 1.5, 1]
    assert cycle_span(0.25, column(30.0, 8.0)).flatten().tolist() == [7.5, 2]


@pytest.mark.parametrize(
    ("values", "said"), [(0.5, "a list of"), ("0.5", "a list of"), (("a",), "a num"), ((True,), "a num")]
)
def test_what_is_no_list_of_times_is_refused(values: Any, said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=f"Steps: (each of )?times must be {said}"):
        lengths("Steps", "times", values)
