"""Runtimes to a target: expected runtime and the distribution over problems, targets and seeds."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike


def ert(costs: Float[np.ndarray, "trials"], reached: Bool[np.ndarray, "trials"]) -> float:
    """Expected runtime to the target, if trials were restarted until one arrives.

        ERT = Σ costs of all trials / #{trials that reached the target}

    Args:
        costs: cost of each trial up to the target; of one that failed for whatever reason, its whole budget.
        reached: whether it reached the target.

    Returns:
        The ERT in the unit of the costs; ∞ where no trial arrived.

    Source: Hansen, Auger, Finck & Ros, "Real-parameter black-box optimization benchmarking 2010: experimental setup",
    INRIA report 7215, section 5.2 (after Price, "Differential evolution vs. the functions of the 2nd ICEO", 1997).
    """
    reached = np.asarray(reached, bool)
    return float(np.sum(costs) / reached.sum()) if reached.any() else np.inf


def success_rate(steps: ArrayLike) -> float:
    """The share of trials whose steps to the target are finite; 0 of none."""
    x = np.asarray(steps, float)
    return float(np.isfinite(x).mean()) if x.size else 0.0


def ecdf(runtimes: ArrayLike) -> tuple[Float[np.ndarray, "jumps"], Float[np.ndarray, "jumps"]]:
    """Empirical distribution of runtimes over (problem, target, seed): where it jumps, and its value from there on.

        F(b) = #{T ≤ b} / #T      a step function, continuous from the right; T = ∞ stays in the denominator

    Source: Hansen, Auger, Brockhoff & Tušar, "Anytime performance assessment in blackbox optimization benchmarking",
    IEEE Transactions on Evolutionary Computation 26, 2022.
    """
    x = np.asarray(runtimes, float).ravel()
    at, counts = np.unique(x[np.isfinite(x)], return_counts=True)
    return at, np.cumsum(counts) / max(x.size, 1)
