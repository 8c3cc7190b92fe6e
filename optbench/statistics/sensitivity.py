"""How much the learning rate matters: the decades of rate that are good enough."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from numpy.typing import ArrayLike


def usable(losses: ArrayLike, start: float, share: float = 0.9, floor: float = 1e-14) -> Bool[np.ndarray, "rates"]:
    """Which rates close at least this share of the logarithmic gap between the start and the best of them.

        log g₀ − log g ≥ share · (log g₀ − log g_best)

    Args:
        losses: gap to the minimum at each rate, ∞ for a rate that failed.
        start: gap at the start, g₀.
        floor: smaller gaps count as this one.

    Returns:
        A truth for each rate; none where no rate ends below the start.

    Source: after Schneider, Balles & Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR 2019, section
    2.4, which shows the curve; the share makes a number of it.
    """
    gap = np.asarray(losses, float)
    gap = np.maximum(np.where(np.isnan(gap), np.inf, gap), floor)
    if not gap.size or not np.isfinite(start) or gap.min() >= max(start, floor):
        return np.zeros(gap.shape, bool)
    closed = np.log(max(start, floor)) - np.log(gap)
    return closed >= share * closed.max()


def width(rates: ArrayLike, good: ArrayLike) -> float:
    """Decades covered by good rates: the sum of log₁₀ ratios of neighbouring rates that are both good.

    Args:
        rates: positive, in any order.
        good: a truth for each; a good rate between two bad ones adds nothing.
    """
    x, ok = np.asarray(rates, float), np.asarray(good, bool)
    order = np.argsort(x)
    x, ok = x[order], ok[order]
    return float(np.log10(x[1:] / x[:-1])[ok[1:] & ok[:-1]].sum())
