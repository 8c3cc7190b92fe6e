"""Warm-up, plateau and decay by hand, and what all its forms have in common."""

from __future__ import annotations

import pytest

from optbench.schedules.wsd import WSD


@pytest.mark.parametrize(
    ("form", "fall"),
    [
        ("linear", [1, 3 / 4, 1 / 2, 1 / 4]),
        ("cosine", [1, 0.8535533905932737, 0.5, 0.14644660940672627]),
        ("sqrt", [1, 1 / 2, 1 - 0.7071067811865476, 1 - 0.8660254037844386]),
    ],
)
def test_values_worked_by_hand(form: str, fall: list[float]) -> None:
    plain = [WSD(warmup=0.2, decay=4.0, form=form).factor(step, 10, ()) for step in range(10)]
    assert plain == pytest.approx([0.5, 1, 1, 1, 1, 1, *fall], rel=1e-12)
    floored = [WSD(warmup=0.0, decay=0.4, form=form, floor=0.1).factor(step, 10, ()) for step in range(10)]
    assert floored == pytest.approx([1] * 6 + [0.1 + 0.9 * left for left in fall], rel=1e-12)


@pytest.mark.parametrize("form", ["linear", "cosine", "sqrt"])
def test_until_the_decay_begins_longer_runs_are_the_same(form: str) -> None:
    short, long = ([WSD(warmup=20.0, form=form).factor(step, n, ()) for step in range(n)] for n in (100, 500))
    assert short[:80] == long[:80]
    assert short[80:] == pytest.approx(long[400::5], rel=1e-12, abs=1e-12)


def test_without_a_decay_it_stays() -> None:
    assert [WSD(warmup=0.0, decay=0.0).factor(step, 10, ()) for step in range(10)] == [1.0] * 10


def test_where_rise_and_fall_meet_the_lower_one_counts() -> None:
    factors = [WSD(warmup=8.0, decay=8.0, form="linear").factor(step, 10, ()) for step in range(10)]
    assert factors == pytest.approx([k / 8 for k in (1, 2, 3, 4, 5, 5, 4, 3, 2, 1)], rel=1e-12)
