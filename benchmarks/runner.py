"""The runner: what it adds to the steps themselves, and what many trials at once cost."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from optbench import registry
from optbench.runner import run_trials
from optbench.schedules.constant import Constant
from optbench.trials import Trials

from .cases import optimizer

STEPS = 500


class Overhead:
    """500 steps of Adam on Rosenbrock: the steps alone, and the run that records them."""

    params: ClassVar = [[1, 32, 4096]]
    param_names: ClassVar = ["trials"]

    def setup(self, trials: int) -> None:
        self.problem = registry.build("problem", "rosenbrock")
        rates = torch.tensor(np.geomspace(1e-4, 0.1, trials), **self.problem.kind)[:, None]
        self.adam = optimizer("adam", rates)
        self.seeds = [0] * trials

    def time_steps_alone(self, trials: int) -> None:
        held = Trials(self.problem, self.adam, Constant(), [], self.seeds, STEPS)
        for step in range(STEPS):
            held.step(step)

    def time_run(self, trials: int) -> None:
        run_trials(self.problem, self.adam, Constant(), [], self.seeds, STEPS)
