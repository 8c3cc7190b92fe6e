"""Medians and quartiles of samples in which failures are infinite."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike


def quantile(values: ArrayLike, q: float) -> Float[np.ndarray, "..."]:
    """The q-quantile along the last axis; NaN counts as ∞.

        h = q (n − 1),  x₍⌊h⌋₎ + (h − ⌊h⌋) (x₍⌊h⌋₊₁₎ − x₍⌊h⌋₎),   ∞ as soon as a term with weight > 0 is ∞

    The rule of numpy's "linear" method (Hyndman & Fan, "Sample quantiles in statistical packages", The American
    Statistician 50, 1996, definition 7), which itself gives NaN or a warning where a sample holds ∞. An empty sample
    gives NaN.
    """
    x = np.asarray(values, float)
    if x.shape[-1] == 0:
        return np.full(x.shape[:-1], np.nan)
    x = np.sort(np.where(np.isnan(x), np.inf, x), axis=-1)
    position = q * (x.shape[-1] - 1)
    low = int(np.floor(position))
    weight = position - low
    below = x[..., low]
    if weight == 0:
        return below
    above = x[..., low + 1]
    finite = np.isfinite(below) & np.isfinite(above)
    a, b = np.where(finite, below, 0.0), np.where(finite, above, 0.0)
    return np.where(finite, a + weight * (b - a), np.where(np.isfinite(above), below, above))


def median(values: ArrayLike) -> Float[np.ndarray, "..."]:
    """The 0.5-quantile along the last axis: ∞ unless more than half of the sample is finite (with an even number, both
    middle values have to be)."""
    return quantile(values, 0.5)


def quartiles(values: ArrayLike) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Lower quartile, median and upper quartile along the last axis."""
    return quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)
