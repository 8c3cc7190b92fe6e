"""Small problems whose every number can be worked out in another way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from optbench.instruments import INSTRUMENTS, View
from optbench.instruments.instrument import Instrument
from optbench.interfaces import Problem
from optbench.registry import build

SEEDS = (0, 1, 2)


@pytest.fixture(scope="session")
def network() -> Problem:
    """Two hidden layers of tanh units on the flowers: smooth, so that its Hessian exists everywhere."""
    return small()


def small(**settings: object) -> Problem:
    usual = {"data": "iris", "hidden": (5, 4), "activation": "tanh", "batch_size": 8, "dtype": torch.float64}
    return build("problem", "mlp", {**usual, **settings})


def step_of(problem: Problem, seeds: Sequence[int] = SEEDS, step: int = 3, length: float = 0.01) -> View:
    """A step of gradient descent from the start of these trials."""
    params, batch = problem.start(seeds), problem.stream(seeds).at(step)
    _, grad = problem.loss_and_grad(params, batch)
    return View(problem, seeds, params, grad, params - length * grad, batch)


def look(name: str, view: View) -> dict[str, torch.Tensor]:
    instrument = INSTRUMENTS[name]()
    instrument.check(view.problem)
    assert isinstance(instrument, Instrument)
    return instrument.measure(view)


@pytest.fixture(scope="session")
def make() -> Callable[..., Problem]:
    return small


@pytest.fixture(scope="session")
def step() -> Callable[..., View]:
    return step_of


@pytest.fixture(scope="session")
def measure() -> Callable[..., dict[str, torch.Tensor]]:
    return look
