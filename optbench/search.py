"""Search spaces of settings, and the settings drawn from them by grid, Sobol sequence or at random."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .errors import UsageError, near
from .randomness import Randomness

METHODS = ("none", "grid", "sobol", "random")
KINDS = ("log_uniform", "uniform", "choice")


def space(name: str, spec: Any) -> dict[str, Any]:
    """The long form of a setting's space: `[1e-4, 1]` means log-uniform where both ends are positive, else uniform.

    Raises:
        UsageError: the space is none of log_uniform, uniform and choice, or its ends are not two growing numbers.
    """
    if isinstance(spec, Sequence) and not isinstance(spec, str) and len(spec) == 2:
        numbers = all(isinstance(v, (int, float)) for v in spec)
        spec = {"log_uniform" if numbers and min(spec) > 0 else "uniform": list(spec)}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise UsageError(f"search.{name} must read [low, high] or {{log_uniform: [low, high]}}, got {spec!r}")
    kind, values = next(iter(spec.items()))
    if kind not in KINDS:
        raise UsageError(
            f"search.{name}: no space is called {kind!r}{near(kind, KINDS)} (there are {', '.join(KINDS)})"
        )
    if kind == "choice":
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise UsageError(f"search.{name}: choice needs a list of values, got {values!r}")
        return {kind: list(values)}
    try:
        low, high = (float(v) for v in values)
    except (TypeError, ValueError):
        raise UsageError(f"search.{name}: {kind} needs [low, high], got {values!r}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (kind == "uniform" or low > 0)):
        raise UsageError(
            f"search.{name}: {kind} needs {'0 < ' if kind == 'log_uniform' else ''}low < high, got {values!r}"
        )
    return {kind: [low, high]}


def draw(spaces: Mapping[str, dict[str, Any]], method: str, trials: int) -> list[dict[str, Any]]:
    """Settings from the spaces, at most `trials`; the same ones whenever asked.

    A grid has as many even points (in the logarithm for log_uniform) along each interval as `trials` allow, ends
    included, and every choice; "sobol" is a scrambled Sobol sequence (Sobol' 1967; Owen 1998), "random" independent.

    Raises:
        UsageError: the method is unknown.
    """
    if method not in METHODS:
        raise UsageError(
            f"tuning.method must be one of {', '.join(METHODS)}, got {method!r}{near(str(method), METHODS)}"
        )
    if method == "none" or not spaces:
        return []
    if method == "grid":
        return _grid(spaces, trials)
    if method == "sobol":
        from scipy.stats import qmc  # takes a second to import, and most sweeps do without

        sampler = qmc.Sobol(len(spaces), scramble=True, rng=np.random.default_rng(0))
        points = sampler.random_base2(max(0, math.ceil(math.log2(trials))))[:trials]
    else:
        points = Randomness([0], "search").uniform(0, trials * len(spaces)).reshape(trials, len(spaces)).numpy()
    return [{k: _at(s, u) for (k, s), u in zip(spaces.items(), point, strict=True)} for point in points]


def _grid(spaces: Mapping[str, dict[str, Any]], trials: int) -> list[dict[str, Any]]:
    choices = math.prod(len(s["choice"]) for s in spaces.values() if "choice" in s)
    intervals = sum("choice" not in s for s in spaces.values())
    points = max(1, math.floor((trials / choices) ** (1 / intervals) + 1e-9)) if intervals else 1
    axes = [
        s["choice"] if "choice" in s else [_at(s, u) for u in (np.linspace(0, 1, points) if points > 1 else [0.5])]
        for s in spaces.values()
    ]
    return [dict(zip(spaces, values, strict=True)) for values in itertools.product(*axes)]


def _at(spec: dict[str, Any], u: float) -> Any:
    """The value at fraction u of a space."""
    kind, values = next(iter(spec.items()))
    if kind == "choice":
        return values[min(int(u * len(values)), len(values) - 1)]
    low, high = values
    if u in (0, 1):
        return (low, high)[int(u)]
    return float(low * (high / low) ** u if kind == "log_uniform" else low + (high - low) * u)
