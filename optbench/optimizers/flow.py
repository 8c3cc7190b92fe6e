"""What the flows share: the trials' differential equations, integrated one after the other by scipy's adaptive solvers."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.integrate import BDF, DOP853, LSODA, RK23, RK45, Radau
from torch import Tensor

from ..interfaces import Hyper, Oracle, Params

Array = NDArray[np.float64]
Velocity = Callable[[float, Array, Array], Array]
"""(time since the step began, y, gradient at the first n numbers of y) → dy/dt"""

SOLVERS = {"RK23": RK23, "RK45": RK45, "DOP853": DOP853, "Radau": Radau, "BDF": BDF, "LSODA": LSODA}
EXPLICIT = ("RK23", "RK45", "DOP853")


class _LostError(Exception):
    """The trial cannot be followed to the end of the step."""


def follow(
    oracle: Oracle,
    params: Params,
    grad: Params,
    y: Float[Tensor, "trials k"],
    spans: Hyper,
    velocity: Callable[[int], tuple[Velocity, float | Array]],
    *,
    method: str,
    rtol: Hyper,
    most_evaluations: int,
) -> Float[Tensor, "trials k"]:
    """y of each trial after a span of time, whose first n numbers are its parameters.

    Steps adapt to one trial, so that each is integrated alone, in float64 whatever the parameters' type. A trial becomes
    nan where it runs to infinity within the span, or needs more evaluations than it may have; the others go on.

    Args:
        oracle: asked for the gradient; every evaluation is counted for its trial.
        params, grad: where the trials are and the gradient there, which is not asked for again.
        y: what is integrated.
        spans: of time, one a trial.
        velocity: of a trial: the right-hand side, and the absolute tolerance of y.
        method: a key of SOLVERS.
        rtol: relative tolerance of a solver's step.
        most_evaluations: of one trial in the span.
    """
    after = []
    for k in range(len(y)):
        row = torch.tensor([k], device=params.device)
        here = params[k].double().cpu().numpy()
        right, atol = velocity(k)
        span, tolerance, slope = of_trial(spans, k), of_trial(rtol, k), grad[k].double().cpu().numpy()
        begin = y[k].double().cpu().numpy()
        left = most_evaluations

        def motion(
            t: float, now: Array, row: Tensor = row, here: Array = here, slope: Array = slope, right: Velocity = right
        ) -> Array:
            nonlocal left
            x = now[: len(here)]
            if np.array_equal(x, here):
                return right(t, now, slope)
            if left == 0:
                raise _LostError
            left -= 1
            _, g = oracle(torch.from_numpy(x[None]).to(params), row)
            # explicit methods try a shorter step; the others would factorise a matrix that is not finite
            if method not in EXPLICIT and not bool(g.isfinite().all()):
                raise _LostError
            return right(t, now, g[0].double().cpu().numpy())

        after.append(begin if span == 0 else _integrated(motion, begin, span, method, tolerance, atol))
    return torch.from_numpy(np.stack(after)).to(y)


def of_trial(value: Hyper, k: int) -> float:
    """The setting of one trial."""
    return float(value[k]) if isinstance(value, Tensor) else float(value)


def _integrated(
    motion: Callable[[float, Array], Array], begin: Array, span: float, method: str, rtol: float, atol: float | Array
) -> Array:
    """y at the end of the span, nan where the solver does not come that far."""
    lost = np.full_like(begin, np.nan)
    if not np.isfinite(begin).all() or not np.isfinite(span):
        return lost
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what LSODA says in a warning, its status says too
        try:
            solver = SOLVERS[method](motion, 0.0, begin, span, rtol=rtol, atol=atol)  # pyright: ignore[reportArgumentType] # scipy takes any of its solvers so
            while solver.status == "running":
                solver.step()
        except _LostError:
            return lost
    return solver.y if solver.status == "finished" else lost
