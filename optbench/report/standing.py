"""Who stands where: mean ranks by median steps to the target, and which distances between them mean anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..statistics.contest import Contest
from ..statistics.ranks import critical_values, friedman, mean_ranks, nemenyi_cd, ranks

FEWEST_PROBLEMS = 6
"""With fewer problems no test is made."""


@dataclass(frozen=True)
class Standing:
    """Mean ranks and what the test says about them.

    Args:
        order: contestants by mean rank, then by index.
        mean: mean rank of each; NaN where no problem was run by all.
        problems: number of problems that every contestant was run on; only they count.
        p: of the Friedman test; NaN with fewer than FEWEST_PROBLEMS problems or three contestants.
        cd: Nemenyi's critical difference at 5 %; NaN likewise.
        critical: q₀.₀₅ / √2 by number of contestants, from 0; the page needs it for subsets.
        fewest: FEWEST_PROBLEMS.
    """

    order: list[int]
    mean: Mapping[int, float]
    problems: int
    p: float
    cd: float
    critical: Sequence[float]
    fewest: int = FEWEST_PROBLEMS

    @property
    def leaders(self) -> list[int]:
        """Those with the best mean rank."""
        return [i for i in self.order if abs(self.mean[i] - self.mean[self.order[0]]) < 1e-9]


def standing(match: Contest, summary: pd.DataFrame, cost: str = "steps", indices: Sequence[int] | None = None) -> Standing:
    """Rank contestants (all, or these) on the problems that each of them was run on."""
    who = list(indices) if indices is not None else [c.index for c in match.contestants]
    wide = summary.pivot(index="problem", columns="index", values=f"median_{cost}").reindex(columns=who)
    costs = wide.dropna().to_numpy(float)
    k, n = len(who), len(costs)
    mean = mean_ranks(ranks(costs)) if n else np.full(k, np.nan)
    enough = n >= FEWEST_PROBLEMS
    return Standing(
        order=[who[j] for j in sorted(range(k), key=lambda j: (mean[j] if n else 0.0, who[j]))],
        mean={i: float(value) for i, value in zip(who, mean, strict=True)},
        problems=n,
        p=float(friedman(ranks(costs))) if enough and k > 2 else np.nan,
        cd=float(nemenyi_cd(k, n)) if enough and k > 1 else np.nan,
        critical=[0.0, 0.0, *critical_values(k)] if k > 1 else [0.0, 0.0],
    )
