"""Choosing a setting from tuning trials."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from .quantiles import median


def tuning_order(
    steps: Float[np.ndarray, "settings seeds"], selection: Float[np.ndarray, "settings seeds"]
) -> list[tuple]:
    """A sort key for each setting: (median steps-to-target, median selection loss, number), smaller is better."""
    return [(*pair, number) for number, pair in enumerate(zip(median(steps), median(selection), strict=True))]


def best_setting(steps: Float[np.ndarray, "settings seeds"], selection: Float[np.ndarray, "settings seeds"]) -> int:
    """The number of the setting to be used on fresh seeds.

        argmin over settings of (median over seeds of steps, median over seeds of selection, number), in this order

    Steps decide where a setting reaches the target with more than half of its seeds; among settings that do not, the
    median is ∞ and the selection loss decides.

    Args:
        steps: steps to target of the tuning trials, ∞ where it was never reached; NaN counts as ∞.
        selection: the metric that chooses, smaller is better, ∞ for a trial that failed; NaN counts as ∞.

    Raises:
        ValueError: the arrays have different shapes or are empty.
    """
    steps, selection = np.asarray(steps, float), np.asarray(selection, float)
    if steps.ndim != 2 or steps.shape != selection.shape or steps.size == 0:
        raise ValueError(
            f"steps and selection must be equal [settings, seeds], got {steps.shape} and {selection.shape}"
        )
    return min(tuning_order(steps, selection))[-1]
