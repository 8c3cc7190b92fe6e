"""Each optimizer on each landscape: steps to the target at the best of its rates. Networks: how good they get."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from optbench import registry
from optbench.runner import run_trials
from optbench.schedules.constant import Constant

from .cases import OPTIMIZERS, PROBLEMS, optimizer

SEEDS = 3
RATES = np.geomspace(1e-4, 1.0, 9)
STEPS = {"second order": 100}
"""Budget by family of optimizers, whose steps differ in cost; 1,000 for the others."""
LANDSCAPES = [name for name in PROBLEMS if registry.resolve("problem", name).cheap]


class Convergence:
    """Mean over three seeds at the best of nine rates; one that never gets there counts as twice the budget (PAR2)."""

    params: ClassVar = [OPTIMIZERS, LANDSCAPES]
    param_names: ClassVar = ["optimizer", "problem"]
    timeout = 300
    unit = "steps"

    def track_steps_to_target(self, name: str, problem_name: str) -> float:
        problem = registry.build("problem", problem_name)
        rates = torch.tensor(np.repeat(RATES, SEEDS), **problem.kind)[:, None]
        method, seeds = optimizer(name, rates), list(range(SEEDS)) * len(RATES)
        steps = STEPS.get(method.family, 1000)
        made = run_trials(problem, method, Constant(), [], seeds, steps, curves=False)
        reached = made.recording.hit_steps[list(problem.targets()).index(problem.target())]
        penalised = np.where(np.isfinite(reached), reached, 2 * steps)
        return float(penalised.reshape(len(RATES), SEEDS).mean(axis=1).min())


class Accuracy:
    """Median test accuracy over five seeds at the rate that docs/learning.md found by tuning."""

    rates: ClassVar = {"mlp": 0.1, "cnn": 0.1, "logistic_regression": 3.16}
    params: ClassVar = [list(rates)]
    param_names: ClassVar = ["problem"]
    timeout = 300
    unit = "share"

    def track_test_accuracy(self, name: str) -> float:
        problem = registry.build("problem", name)
        momentum = registry.build("optimizer", "momentum", {"lr": self.rates[name]})
        made = run_trials(problem, momentum, Constant(), [], list(range(5)), problem.budget, curves=False, test=True)
        return float(np.median(made.recording.final["test_accuracy"]))
