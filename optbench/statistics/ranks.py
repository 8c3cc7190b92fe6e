"""Ranks of optimizers over problems, and whether their differences are more than chance.

One row a problem: take the median over seeds first. Problems × seeds as rows would count each problem many times over.
Source of the procedure: Demšar, "Statistical comparisons of classifiers over multiple data sets", Journal of Machine
Learning Research 7, 2006, section 3.2.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import special


def ranks(costs: ArrayLike) -> Float[np.ndarray, "problems optimizers"]:
    """The rank of each optimizer on each problem: 1 is the least cost, ties share their mean rank.

    Args:
        costs: [problems, optimizers]; ∞ for a failure, so that failures tie for last; NaN counts as ∞.
    """
    x = np.asarray(costs, float)
    x = np.where(np.isnan(x), np.inf, x)
    below = (x[:, None, :] < x[:, :, None]).sum(axis=2)
    equal = (x[:, None, :] == x[:, :, None]).sum(axis=2)
    return below + (equal + 1) / 2


def friedman(costs: ArrayLike) -> tuple[float, float]:
    """Friedman's test with the correction for ties: do the optimizers differ at all?

        χ² = (12 / (N k (k+1)) · Σⱼ Rⱼ² − 3 N (k+1)) / (1 − Σ (t³ − t) / (N (k³ − k)))

    with Rⱼ the sums of ranks and t the sizes of ties.

    Args:
        costs: [problems, optimizers], as for `ranks`.

    Returns:
        χ² and its p with k − 1 degrees of freedom; NaN where there are fewer than three optimizers, two problems, or
        where everything ties. Same as scipy.stats.friedmanchisquare.

    Source: Friedman, "The use of ranks to avoid the assumption of normality", JASA 32, 1937.
    """
    r = ranks(costs)
    n, k = r.shape
    if n < 2 or k < 3:
        return np.nan, np.nan
    ties = sum(float((t**3 - t).sum()) for t in (np.unique(row, return_counts=True)[1] for row in r))
    shared = 1 - ties / (n * (k**3 - k))
    if shared <= 1e-12:
        return np.nan, np.nan
    chi2 = (12 / (n * k * (k + 1)) * float((r.sum(axis=0) ** 2).sum()) - 3 * n * (k + 1)) / shared
    return chi2, float(special.chdtrc(k - 1, chi2))


def iman_davenport(costs: ArrayLike) -> tuple[float, float]:
    """Friedman's test in the less conservative form of Iman & Davenport.

        F = (N − 1) χ² / (N (k − 1) − χ²)          with k − 1 and (k − 1)(N − 1) degrees of freedom

    Returns:
        F and p; F = ∞ and p = 0 where all problems rank alike; NaN where Friedman's χ² is.

    Source: Iman & Davenport, "Approximations of the critical region of the Friedman statistic", Communications in
    Statistics A 9, 1980.
    """
    n, k = np.asarray(costs, float).shape
    chi2, _ = friedman(costs)
    if np.isnan(chi2):
        return np.nan, np.nan
    rest = n * (k - 1) - chi2
    if rest <= 1e-9:
        return np.inf, 0.0
    f = (n - 1) * chi2 / rest
    return f, float(special.fdtrc(k - 1, (k - 1) * (n - 1), f))


@lru_cache
def studentized_range(k: int, alpha: float) -> float:
    """The upper α-quantile of the range of k standard normal variables (infinite degrees of freedom).

        P(Q ≤ q) = k ∫ φ(z) (Φ(z) − Φ(z − q))ᵏ⁻¹ dz

    By bisection on an even grid; same as scipy.stats.studentized_range.ppf(1 − α, k, ∞) to nine digits, and a
    hundred times as fast to import and compute.
    """
    z = np.linspace(-9, 9, 4001)
    phi = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    low, high = 0.0, 20.0
    for _ in range(60):
        q = (low + high) / 2
        inside = k * np.trapezoid(phi * (special.ndtr(z) - special.ndtr(z - q)) ** (k - 1), z)
        low, high = (low, q) if inside > 1 - alpha else (q, high)
    return (low + high) / 2


def nemenyi(k: int, n: int, alpha: float = 0.05) -> float:
    """The critical difference: two mean ranks that are further apart differ significantly.

        CD = q / √2 · √(k (k+1) / (6 N))            q the upper α-quantile of the studentized range of k

    Args:
        k: optimizers, at least 2.
        n: problems.

    Source: Nemenyi, "Distribution-free multiple comparisons", PhD thesis, Princeton, 1963; Demšar (2006), section
    3.2.2.
    CD(5, 30) = 1.1136. Leaving √2 out is a known mistake.
    """
    return studentized_range(k, alpha) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n))


def cliques(mean_ranks: ArrayLike, cd: float) -> list[tuple[int, int]]:
    """The largest groups of neighbours in the order of mean ranks whose ends are no further apart than CD.

    Args:
        mean_ranks: in ascending order.
        cd: the critical difference.

    Returns:
        (first, last) positions of each group of at least two, none inside another.
    """
    r = np.asarray(mean_ranks, float)
    found: list[tuple[int, int]] = []
    for first in range(len(r)):
        last = int(np.flatnonzero(r <= r[first] + cd + 1e-12)[-1])
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
