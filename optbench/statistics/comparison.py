"""Did something get better or worse: paired ratios, an exact sign-flip test, and how many problems it needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

EXACT_UP_TO = 40
"""Non-zero differences up to which all 2^N sign patterns are counted; above it, `DRAWS` of them are drawn."""
DRAWS = 1 << 18


def log_ratios(base: ArrayLike, new: ArrayLike) -> NDArray[np.float64]:
    """Natural logarithm of new / base, pair by pair, where ∞ and 0 are values like any other.

        log(new / base);   0 where both are equal, also where both are ∞ or both are 0

    Args:
        base, new: costs ≥ 0, ∞ for a failure.

    Raises:
        ValueError: a value is negative or NaN.

    Source: pairing and ∞ as in docs/definitions.md; a problem that neither side solves is a tie, as in the signed-rank
    tests of Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006), section 3.1.
    """
    b, n = np.broadcast_arrays(np.asarray(base, dtype=float), np.asarray(new, dtype=float))
    if not (np.all(b >= 0) and np.all(n >= 0)):
        raise ValueError("log_ratios: costs must lie in [0, inf], got a negative number or nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b == n, 0.0, np.log(n) - np.log(b))


def median(values: ArrayLike) -> float:
    """The median, where ∞ and −∞ are values like any other; the middle of −∞ and ∞ is taken to be 0."""
    ordered = np.sort(np.asarray(values, dtype=float))
    if ordered.size == 0:
        return math.nan
    low, high = ordered[(ordered.size - 1) // 2], ordered[ordered.size // 2]
    if low == high:
        return float(low)
    return 0.0 if np.isinf(low) and np.isinf(high) else float(low + high) / 2


def median_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """An interval for the median from order statistics, with the coverage that it has.

        [x₍ⱼ₎, x₍ₙ₊₁₋ⱼ₎] covers the median with probability 1 − 2·P(Binomial(n, ½) ≤ j − 1)

    The narrowest such interval whose coverage is at least `level`; the widest where none has it (five values: 93.75 %).

    Args:
        values: independent observations, ±∞ allowed.
        level: wanted coverage, in (0, 1).

    Returns:
        low, high and the coverage.

    Source: Conover, "Practical nonparametric statistics", 3rd edition, section 3.2.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    n = ordered.size
    if n == 0:
        return math.nan, math.nan, 0.0
    j, coverage = 1, 1 - 2 * float(binom.cdf(0, n, 0.5))
    while j < n // 2 and 1 - 2 * float(binom.cdf(j, n, 0.5)) >= level:
        coverage = 1 - 2 * float(binom.cdf(j, n, 0.5))
        j += 1
    return float(ordered[j - 1]), float(ordered[n - j]), max(coverage, 0.0)


def sign_flip(differences: ArrayLike) -> float:
    """Two-sided p-value of "no change": how many sign patterns give a sum as far from zero as the one seen.

        p = #{s ∈ {−1, 1}ᴺ : |Σ sᵢ |dᵢ|| ≥ |Σ dᵢ|} / 2ᴺ

    Counted over all patterns, by meeting in the middle, up to 40 non-zero differences; beyond, over 2¹⁸ drawn ones,
    with the observed one added to both counts. An infinite difference outweighs all finite ones together; zeros change
    nothing.

    Args:
        differences: one a problem, positive where new costs more.

    Source: Fisher, "The design of experiments" (1935), section 21; Good, "Permutation, parametric and bootstrap tests
    of hypotheses" (2005), section 3.2. Same result as scipy.stats.permutation_test with permutation_type="samples".
    """
    d = np.asarray(differences, dtype=float)
    if np.isnan(d).any():
        raise ValueError("sign_flip: a difference is nan")
    d = d[d != 0]
    if d.size == 0:
        return 1.0
    finite = np.isfinite(d)
    scale = float(np.abs(d[finite]).max(initial=0.0)) or 1.0
    d = np.where(finite, d / scale, np.sign(d) * (1.0 + d.size))
    seen = abs(float(d.sum())) * (1 - 1e-12) - 1e-12 * float(np.abs(d).max())
    if d.size > EXACT_UP_TO:
        signs = np.random.default_rng(0).integers(0, 2, (DRAWS, d.size), dtype=np.int8)
        sums = np.abs((2.0 * signs - 1.0) @ d)
        return float(1 + np.count_nonzero(sums >= seen)) / (1 + DRAWS)
    left, right = _sums(d[: d.size // 2]), np.sort(_sums(d[d.size // 2 :]))
    above = right.size - np.searchsorted(right, seen - left, side="left")
    below = np.searchsorted(right, -seen - left, side="right")
    count = int(above.sum() + below.sum()) if seen > 0 else 2**d.size
    return min(1.0, count / 2**d.size)


def _sums(d: Float[np.ndarray, "n"]) -> Float[np.ndarray, "patterns"]:
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, so that the chance of any false alarm stays below the level.

        p_adj(i) = max over j ≤ i of min(1, (m − j + 1) · p_(j)),   p sorted upwards

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6 (1979), 65–70.
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


def problems_needed(tests: int, alpha: float) -> int:
    """The least number N of problems with which a sign-flip test can pass Holm: tests · 2^(1−N) ≤ alpha."""
    return max(1, math.ceil(1 + math.log2(tests / alpha) - 1e-12))
