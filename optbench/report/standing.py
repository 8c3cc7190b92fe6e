"""Who stands where: mean ranks by median cost to the target, and which distances between them mean anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..statistics.contest import Contest
from ..statistics.ranks import studentized_range
from .figures.ranking import ALPHA, FEWEST, rank


@dataclass(frozen=True)
class Standing:
    """Mean ranks and what the test says about them.

    Args:
        order: contestants by mean rank, then by index.
        mean: mean rank of each; NaN where no problem was run by all.
        leaders: those with the best mean rank.
        problems: number of problems that every contestant was run on; only they count.
        p: of the Friedman test; NaN where it cannot be made.
        cd: Nemenyi's critical difference; NaN with fewer than `fewest` problems.
        critical: q₀.₀₅ / √2 by number of contestants, from 0; the page needs it for subsets.
        fewest: problems below which no test is made.
        alpha: level of the tests.
    """

    order: list[int]
    mean: Mapping[int, float]
    leaders: list[int]
    problems: int
    p: float
    cd: float
    critical: Sequence[float]
    fewest: int = FEWEST
    alpha: float = ALPHA

    def apart(self, better: int, worse: int) -> bool:
        """Whether the distance between two contestants is larger than the critical difference."""
        return self.mean[worse] - self.mean[better] > self.cd


def standing(match: Contest, summary: pd.DataFrame, cost: str = "steps") -> Standing:
    """Rank the contestants on the problems that each of them was run on."""
    found = rank(match, summary, cost)
    k, n = len(match.contestants), len(found.problems)
    return Standing(
        order=list(found.order),
        mean={i: float(value) if n else np.nan for i, value in enumerate(found.mean)},
        leaders=list(found.leaders),
        problems=n,
        p=found.p,
        cd=found.cd,
        critical=[0.0, 0.0, *(studentized_range(size, ALPHA) / np.sqrt(2) for size in range(2, k + 1))],
    )
