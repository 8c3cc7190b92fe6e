"""The constant schedule."""

from __future__ import annotations

from optbench.schedules.constant import Constant


def test_the_rate_never_changes() -> None:
    assert [Constant().factor(step, 10, ()) for step in range(10)] == [1.0] * 10
