"""Performance profiles: on which share of the problems is a solver within a factor of the best?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike


def ratios(costs: ArrayLike) -> Float[np.ndarray, "problems solvers"]:
    """Each cost as a multiple of the least on its problem.

        r = t / minₛ t          ∞ for a failure; ∞ too on a problem that nobody solved

    Args:
        costs: [problems, solvers], not negative; ∞ for a failure, NaN counts as ∞. Of costs beside a least one of 0,
            such as of a target met at the start, 0 is 1 × and all else ∞.
    """
    t = np.asarray(costs, float)
    t = np.where(np.isnan(t), np.inf, t)
    best = t.min(axis=1, keepdims=True, initial=np.inf)
    solved = np.isfinite(t)
    divisor = np.where(np.isfinite(best) & (best > 0), best, 1.0)
    free = np.where(t == 0, 1.0, np.inf)
    return np.where(solved, np.where(best > 0, np.where(solved, t, 1.0) / divisor, free), np.inf)


def profile(costs: ArrayLike, tau: ArrayLike) -> Float[np.ndarray, "taus solvers"]:
    """The performance profile at the factors tau.

        ρₛ(τ) = #{problems: rₛ ≤ τ} / #problems

    A step function, continuous from the right. Ties all count as best; a problem that nobody solved stays in the
    denominator. Leaving a solver out changes the ratios of the others.

    Source: Dolan & Moré, "Benchmarking optimization software with performance profiles", Mathematical Programming 91,
    2002, equations 2.1 and 2.2.
    """
    r = ratios(costs)
    return (r[None] <= np.asarray(tau, float)[:, None, None] * (1 + 1e-12)).sum(axis=1) / max(len(r), 1)
