"""Small problems whose every number can be worked out in another way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from optbench.instruments import INSTRUMENTS, View
from optbench.interfaces import Problem
from optbench.registry import build

SEEDS = (0, 1, 2)


@pytest.fixture(scope="session")
def network() -> Problem:
    """Two hidden layers of tanh units on the flowers: smooth, so that its Hessian exists everywhere."""
    settings = {"data": "iris", "width": 5, "depth": 2, "activation": "tanh", "batch_size": 8}
    return build("problem", "mlp", {**settings, "dtype": torch.float64})


def view_of(problem: Problem, seeds: Sequence[int] = SEEDS, step: int = 3, length: float = 0.01) -> View:
    """A step of gradient descent from the start of these trials."""
    params, batch = problem.start(seeds), problem.stream(seeds).at(step)
    _, grad = problem.loss_and_grad(params, batch)
    return View(problem, seeds, params, grad, params - length * grad, batch)


def measure(name: str, view: View) -> dict[str, torch.Tensor]:
    instrument = INSTRUMENTS[name]()
    instrument.check(view.problem)
    return instrument.measure(view)  # type: ignore[union-attr]
