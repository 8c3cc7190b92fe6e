"""Each problem: time of its loss and gradient, and of its evaluation."""

from __future__ import annotations

from typing import ClassVar

from optbench import registry
from optbench.oracle import BatchOracle

from .cases import PROBLEMS


class Problem:
    """One trial, and 32 at once."""

    params: ClassVar = [PROBLEMS, [1, 32]]
    param_names: ClassVar = ["problem", "trials"]
    timeout = 300

    def setup(self, name: str, trials: int) -> None:
        self.problem = registry.build("problem", name)
        seeds = range(trials)
        self.at = self.problem.start(seeds)
        self.oracle = BatchOracle(self.problem, self.problem.stream(seeds), trials)
        self.step = 0

    def time_loss_and_gradient(self, name: str, trials: int) -> None:
        """Of the next step's batch, drawing it included."""
        self.oracle.move(self.step)
        self.oracle(self.at)
        self.step += 1

    def time_evaluate(self, name: str, trials: int) -> None:
        self.problem.evaluate(self.at, 0)
