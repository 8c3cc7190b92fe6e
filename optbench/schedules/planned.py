"""What can be said of a schedule before the run."""

from __future__ import annotations

from ..interfaces import Schedule
from .parts import within
from .reduce_on_plateau import ReduceOnPlateau

MOST = 10_000
"""Steps at which a schedule is looked at before a run."""


def looked_at(steps: int) -> list[int]:
    """The steps of a budget, or ten thousand spread evenly over a larger one, the first and the last among them.

    >>> looked_at(5), len(looked_at(10**6)), looked_at(10**6)[-1]
    ([0, 1, 2, 3, 4], 10000, 999999)
    """
    if steps <= MOST:
        return list(range(steps))
    return [k * (steps - 1) // (MOST - 1) for k in range(MOST)]


def follows_losses(schedule: Schedule) -> bool:
    """Do the schedule's factors depend on the losses of the run?"""
    return any(isinstance(part, ReduceOnPlateau) for part in (schedule, *within(schedule)))
