"""The figures of the report: `overview` for all problems together, `of_problem` for each one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...statistics.contest import Contest
from ...statistics.summary import reference
from .convergence import convergence
from .ecdf import ecdfs
from .figure import COSTS, Figure
from .heat import heats
from .measures import measures
from .names import stems
from .profile import profiles
from .ranking import Ranking, rank, ranking
from .schedules import schedules
from .sensitivity import sensitivity
from .surfaces import surfaces
from .trajectories import trajectories

__all__ = ["COSTS", "Figure", "Ranking", "draw_all", "focus", "of_problem", "overview", "rank"]

NAMED, CROWD = 10, 12
"""With more contestants than CROWD only the NAMED best-ranked are named at their lines."""


def focus(match: Contest, summary: pd.DataFrame) -> frozenset[int]:
    """The contestants that are named at their lines, by index: all, or the best-ranked ones of a crowd."""
    order = rank(match, summary, "steps").order
    return frozenset(order if len(order) <= CROWD else order[:NAMED])


def draw_all(match: Contest, summary: pd.DataFrame) -> list[Figure]:
    """Every figure of a report, in the order of the page."""
    return [*overview(match, summary), *(f for problem in match.problems for f in of_problem(match, summary, problem))]


def overview(match: Contest, summary: pd.DataFrame) -> list[Figure]:
    """Ranking, heat map, performance profile and ECDF for every cost; and what the schedule changes, where several were tuned.

    Args:
        match: the contest.
        summary: of `summarise(match)`.
    """
    named = focus(match, summary)
    several = schedules(match, named)
    figures = [*ranking(match, summary), *heats(match, summary), *profiles(match, summary, named), *ecdfs(match, named)]
    return [*figures, several] if several else figures


def of_problem(match: Contest, summary: pd.DataFrame, problem: str) -> list[Figure]:
    """Convergence (each role and cost), sensitivity, trajectories and instruments of one problem, as far as there are any."""
    named = focus(match, summary)
    stem = stems(match.problems)[problem]
    origin = reference(match, problem)
    origin = origin if np.isfinite(origin) else 0.0
    curves, frame = convergence(match, problem, stem, origin, named)
    others = (sensitivity(match, problem, stem, origin, named, frame), trajectories(match, problem, stem, origin))
    looked = [*measures(match, problem, stem, named), *surfaces(match, problem, stem, named)]
    return [*curves, *(figure for figure in others if figure is not None), *looked]
