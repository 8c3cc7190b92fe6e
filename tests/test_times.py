"""Times within a run against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from contracts import column

from optbench.times import snapped, whole_up


def test_parts_of_a_hundred_steps_are_the_whole_numbers_they_are_in_exact_arithmetic() -> None:
    exact = list(range(100))
    assert [whole_up(k / 100 * 100) for k in exact] == exact
    assert whole_up(torch.tensor([k / 100 for k in exact]) * 100).tolist() == exact


def test_what_lies_between_two_steps_goes_up_to_the_next() -> None:
    for parts in (7, 30, 64):
        exact = [math.ceil(Fraction(k, parts) * 40) for k in range(parts)]
        assert [whole_up(k / parts * 40) for k in range(parts)] == exact
        assert whole_up(column(*(k / parts * 40 for k in range(parts)))).flatten().tolist() == exact


def test_only_rounding_is_set_right() -> None:
    assert [snapped(time) for time in (2.9999, 3.0001, 3.01, 0.5)] == [3.0, 3.0, 3.01, 0.5]
    assert snapped(column(2.9999, 3.0001, 3.01, 0.5)).flatten().tolist() == [3.0, 3.0, 3.01, 0.5]
