"""A comparison of two sides that take turns, and the row of the table that comes of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison. ours, bare and goal are in `unit`; ratio is ours over bare where there is a bare side."""

    name: str
    unit: str
    ours: float
    bare: float | None
    ratio: float | None
    goal: str
    met: bool


def seconds(do: Callable[[], object]) -> float:
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin


def in_turn(repeats: int, *sides: Callable[[], float]) -> list[float]:
    """The median of each side over repetitions in which the sides take turns, after one that warms up."""
    measured = [[side() for side in sides] for _ in range(repeats + 1)][1:]
    return [statistics.median(column) for column in zip(*measured, strict=True)]


def compared(name: str, ours: float, bare_loop: float, *, least: float = 0.0, most: float = 0.0) -> Row:
    """From seconds per trial-step: with `least`, steps a second and their ratio; with `most`, times and theirs."""
    if least:
        ratio = bare_loop / ours
        return Row(name, "trial-steps/s", 1 / ours, 1 / bare_loop, ratio, f"≥ {least:g} ×", ratio >= least)
    ratio = ours / bare_loop
    return Row(name, "µs a step", 1e6 * ours, 1e6 * bare_loop, ratio, f"≤ {most:g} ×", ratio <= most)
