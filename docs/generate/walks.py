"""The path of an optimizer on a landscape of two dimensions, at the best rate of its search space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import yaml
from optbench.problems.quadratic import Quadratic  # pyright: ignore[reportMissingImports] # made by optbench/__init__.py
from optbench.problems.rosenbrock import Rosenbrock  # pyright: ignore[reportMissingImports] # made by optbench/__init__.py

from optbench import registry
from optbench.errors import UsageError
from optbench.interfaces import Params, Problem
from optbench.schedules.constant import Constant
from optbench.trials import Trials

GAP = 1e-4
"""f at which a path ends, once it has stayed below for so many steps."""
STAYS = 50
RATES = 41
"""Rates tried, evenly spread over the logarithm. A flow's path is the same at all, so of flows the highest alone is, and
then one at which the path has so many steps."""
FLOW_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class Ravine(Quadratic):
    """A quadratic of condition number 100 whose long axis points up and to the right; the start is on its wall."""

    n: int = 2
    draw: int = 1

    def start(self, seeds: Sequence[int]) -> Params:
        return torch.tensor([-1.17, -0.39], **self.kind).repeat(len(seeds), 1)

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return ((-1.8, 2.2), (-1.8, 2.2))


@dataclass(frozen=True)
class Landscape:
    """What is walked on.

    Args:
        title: above its panel.
        problem: the landscape.
        steps: budget.
        levels: of its contours.
    """

    title: str
    problem: Problem
    steps: int
    levels: tuple[float, ...]

    @property
    def window(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """((x₀, x₁), (y₀, y₁)), the same for every path."""
        window = self.problem.domain()
        assert window is not None, "only landscapes with a window are drawn"
        return window

    def contours(self, points: int = 201) -> dict[str, Any]:
        """Values on an even grid: x, y, z as the report has them."""
        (x0, x1), (y0, y1) = self.window
        x, y = np.linspace(x0, x1, points), np.linspace(y0, y1, points)
        grid = torch.tensor(np.stack([part.reshape(-1) for part in np.meshgrid(x, y)], 1), **self.problem.kind)
        return {"x": x, "y": y, "z": self.problem.loss(grid, None).reshape(points, points).numpy()}


LANDSCAPES = (
    Landscape("Ravine: quadratic, κ = 100", Ravine(), 500, (0.002, 0.008, 0.025, 0.08, 0.2, 0.5, 1.0, 1.8, 2.8)),
    Landscape("Rosenbrock's valley", Rosenbrock(), 2000, (1.5, 5, 14, 30, 100, 250, 550, 1100, 2000)),
)


@dataclass(frozen=True)
class Walk:
    """A path.

    Args:
        points: from the start on, [steps + 1, 2].
        rate: the best of the search space; None where it has none.
        arrived: f reached GAP with the last step, and stayed below.
        loss: f at the last point.
    """

    points: np.ndarray
    rate: float | None
    arrived: bool
    loss: float

    @property
    def steps(self) -> int:
        return len(self.points) - 1


@cache
def walk(name: str, landscape: Landscape) -> Walk | str:
    """The path with the fewest steps to GAP, or the lowest end where none arrives; why there is none as a sentence."""
    try:
        rates = _rates(name)
        found = _walk(name, landscape, rates)
        if rates is not None and len(rates) == 1 and found.steps < FLOW_STEPS:  # steps too long for a curve
            found = _walk(name, landscape, [rates[0] * found.steps / FLOW_STEPS])
        return found
    except (UsageError, ValueError) as error:
        return str(error)


def _walk(name: str, landscape: Landscape, rates: list[float] | None) -> Walk:
    problem = landscape.problem
    settings = {} if rates is None else {"lr": torch.tensor(rates, **problem.kind)[:, None]}
    trials = Trials(
        problem,
        registry.build("optimizer", name, settings),
        Constant(),
        [],
        [0] * (1 if rates is None else len(rates)),
        landscape.steps + STAYS,
    )
    path, losses = [trials.judged], problem.objective(trials.judged, 0)
    arrival = torch.full_like(losses, math.inf)
    stays = 0 if len(losses) == 1 else STAYS  # what has one rate alone cannot be found at a lucky one
    for step in range(1, landscape.steps + stays + 1):
        trials.step(step - 1)
        path.append(trials.judged)
        losses = problem.objective(trials.judged, step).nan_to_num(math.inf, math.inf)
        arrival = torch.where(losses <= GAP, arrival.clamp(max=step), math.inf)
        if float(arrival.min()) <= min(step - stays, landscape.steps):
            break
    arrived = bool(arrival.min() <= landscape.steps)
    steps = int(arrival.min()) if arrived else landscape.steps
    at_end = problem.objective(path[steps], steps).nan_to_num(math.inf, math.inf)
    best = int(torch.where(arrival == arrival.min(), at_end, math.inf).argmin())
    points = torch.stack([at[best] for at in path[: steps + 1]]).numpy()
    return Walk(points, None if rates is None else rates[best], arrived, float(at_end[best]))


def _rates(name: str) -> list[float] | None:
    """The rates tried; None where an optimizer has no rate to search."""
    file = registry.conf() / "optimizer" / f"{name}.yaml"
    space = (yaml.safe_load(file.read_text()).get("search") or {}).get("lr", {})
    if "log_uniform" not in space:
        return None
    low, high = map(float, space["log_uniform"])
    return [high] if registry.table("optimizer")[name].family == "flow" else np.geomspace(low, high, RATES).tolist()
