"""What an instrument is, and what it may look at."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from torch import Tensor

from ..errors import UsageError
from ..interfaces import Batch, Loss, Params, Problem
from ..nn import Learning


@dataclass(frozen=True)
class View:
    """The trials around one step.

    Args:
        problem: what is minimised, without what modifiers add.
        seeds: of the trials.
        params: before the step.
        grad: gradient of the minibatch loss there, as the problem gives it.
        after: parameters after the step; None behind the last.
        batch: minibatch of the step.
    """

    problem: Problem
    seeds: Sequence[int]
    params: Params
    grad: Params
    after: Params | None
    batch: Batch

    @cached_property
    def learning(self) -> Learning:
        assert isinstance(self.problem, Learning)
        return self.problem


class Instrument(abc.ABC):
    """Measures the trials at recorded steps, off the training clock, without changing them."""

    columns: ClassVar[tuple[str, ...]]
    """Names of what is measured, without those of layers, which are COLUMN.LAYER."""
    costly: ClassVar[bool] = False
    """Only every 2 % of the budget; else at each of the about 200 recorded steps."""

    def check(self, problem: Problem) -> None:  # noqa: B027 (most measure any problem)
        """Refuse a problem that has not what is measured.

        Raises:
            UsageError: what it needs, as the end of a sentence that begins with its name.
        """

    @abc.abstractmethod
    def measure(self, view: View) -> dict[str, Loss]:
        """Columns of the table `curves`: one value a trial each, nan where there is none."""


class LearningInstrument(Instrument):
    """One for problems that learn from data."""

    def check(self, problem: Problem) -> None:
        if not isinstance(problem, Learning):
            raise UsageError(f"needs a problem that learns from data, which {type(problem).__name__} does not")
        self.check_learning(problem)

    def check_learning(self, problem: Learning) -> None:
        """Refuse a network or data that have not what is measured; raises as `check` does."""


class Surface(abc.ABC):
    """Measures the objective around solutions once, when the trials have ended; its values are rows of `slices`."""

    columns: ClassVar[tuple[str, ...]] = ()

    def check(self, problem: Problem) -> None:  # noqa: B027 (most draw any problem)
        """Every problem has an objective."""

    @abc.abstractmethod
    def scan(
        self, problem: Problem, trials: Sequence[int], seeds: Sequence[int], start: Params, end: Params
    ) -> dict[str, list[float]]:
        """Columns trial, other (−1: its own start), alpha, beta and objective.

        Args:
            problem: what is minimised, without what modifiers add.
            trials, seeds: numbers and seeds of the trials that came to their end; those of one setting stand together.
            start, end: parameters of each, `[trials, n]`.
        """


def norms(problem: Problem, values: Tensor) -> dict[str, Tensor]:
    """Euclidean norm of whole rows under "" and of each parameter tensor under its name; moving statistics aside."""
    parts = problem.layout.split(values)
    moved = [n for n, role in zip(problem.layout.names, problem.layout.roles, strict=True) if role != "buffer"]
    each = {name: parts[name].flatten(1).norm(dim=1) for name in moved}
    whole = sum((value**2 for value in each.values()), start=values.new_zeros(len(values))).sqrt()
    return {"": whole} | (each if len(each) > 1 else {})


def named(name: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Columns `name` and `name.LAYER`."""
    return {f"{name}.{part}" if part else name: value for part, value in values.items()}
