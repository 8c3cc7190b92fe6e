"""What the benchmarks run over: the tables of the registry, so that a new entry joins by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from optbench import registry
from optbench.data.openml import SOURCES
from optbench.interfaces import Batch, Layout, Loss, Optimizer, Outputs, Params, Problem
from optbench.schedules.constant import Constant
from optbench.trials import Trials

REQUIRED: dict[str, dict[str, Any]] = {"from_torch": {"cls": "torch.optim.NAdam"}}
"""Settings without a default, by name."""
OPTIMIZERS = list(registry.table("optimizer"))
PROBLEMS = [
    name
    for name, cls in registry.table("problem").items()
    if not {"network_class"} & registry.defaults(cls).keys() and registry.defaults(cls).get("data") not in SOURCES
]
"""Those that need neither a class of one's own nor data that must be downloaded."""


def optimizer(name: str, lr: torch.Tensor | None = None) -> Optimizer:
    """An optimizer of the table, with its own rate or with one rate a trial."""
    settings = dict(REQUIRED.get(name, {}))
    if lr is not None:
        settings |= {"settings": {"lr": lr}} if name in REQUIRED else {"lr": lr}
    return registry.build("optimizer", name, settings)


@dataclass(frozen=True, kw_only=True)
class Bowl(Problem):
    """f(x) = ½ ‖x‖², whose gradient costs one copy: what is left of a step's time is the optimizer's.

    Args:
        n: number of coordinates.
    """

    default_dtype = torch.float32
    n: int

    @property
    def layout(self) -> Layout:
        side = int(self.n**0.5)
        if side * side != self.n:
            return Layout.point(self.n)
        return Layout(("weight",), ((side, side),), ("weight",))

    def start(self, seeds: Any) -> Params:
        return torch.linspace(-1, 1, self.n, **self.kind).expand(len(seeds), -1).clone()

    def loss(self, params: Params, batch: Batch) -> Loss:
        return 0.5 * params.square().sum(dim=1)

    def decomposed(self, params: Params, batch: Batch) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        return (params,), lambda outputs: self.loss(outputs[0], batch)

    def loss_and_grad(self, params: Params, batch: Batch) -> tuple[Loss, Params]:
        return self.loss(params, batch), params.clone()

    def minimum(self) -> float:
        return 0.0

    def targets(self) -> list[float]:
        return [1e-6]

    def target(self) -> float:
        return 1e-6


def trial(name: str, n: int, steps: int = 1000) -> Trials:
    """One trial of an optimizer on the bowl, past its first three steps."""
    made = Trials(Bowl(n=n), optimizer(name), Constant(), [], [0], steps)
    try:
        made.optimizer.check(made.params, made.oracle)
    except ValueError as error:  # asv leaves it out
        raise NotImplementedError(str(error)) from error
    for step in range(3):
        made.step(step)
    return made
