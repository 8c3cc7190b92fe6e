"""What the benchmarks run over: the tables of the registry, so that a new entry joins by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from optbench import registry
from optbench.data.openml import SOURCES
from optbench.footprint import Bowl
from optbench.interfaces import Batch, Layout, Loss, Optimizer, Params, Problem
from optbench.optimizers.converging import Converging
from optbench.schedules.constant import Constant
from optbench.trials import Trials

REQUIRED: dict[str, dict[str, Any]] = {"from_torch": {"cls": "torch.optim.NAdam"}}
"""Settings without a default, by name."""
OPTIMIZERS = list(registry.table("optimizer"))
SOLVERS = [
    name
    for name, cls in registry.table("optimizer").items()
    if cls.family == "second order" or issubclass(cls, Converging)
]
"""Those that may need curvature, or be done with a quadratic after a few steps."""
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
class Sphere(Problem):
    """f(x) = ½ ‖x‖², whose gradient costs one copy: what is left of a step's time is the optimizer's.

    Args:
        n: number of coordinates.
    """

    default_dtype = torch.float32
    n: int

    @property
    def layout(self) -> Layout:
        shape = _shape(self.n)
        return Layout.point(self.n) if len(shape) == 1 else Layout(("weight",), (shape,), ("weight",))

    def start(self, seeds: Any) -> Params:
        return torch.linspace(-1, 1, self.n, **self.kind).expand(len(seeds), -1).clone()

    def loss(self, params: Params, batch: Batch) -> Loss:
        return 0.5 * params.square().sum(dim=1)

    def loss_and_grad(self, params: Params, batch: Batch) -> tuple[Loss, Params]:
        return self.loss(params, batch), params.clone()

    def minimum(self) -> float:
        return 0.0

    def targets(self) -> list[float]:
        return [1e-6]

    def target(self) -> float:
        return 1e-6


def trial(name: str, n: int, steps: int = 1000) -> Trials:
    """One trial of an optimizer with about n parameters, past its first three steps.

    Raises:
        NotImplementedError: the optimizer does not take so many; asv then leaves the case out.
    """
    made = Trials(_problem(name, n), optimizer(name), Constant(), [], [0], steps)
    try:
        made.optimizer.check(made.params, made.oracle)
    except ValueError as error:
        raise NotImplementedError(str(error)) from error
    for step in range(3):
        made.step(step)
    return made


def _problem(name: str, n: int) -> Problem:
    """The sphere; a bowl that is no quadratic for methods that would be done with that; a network for one that needs layers."""
    if name not in SOLVERS:
        return Sphere(n=n)
    if name != "kfac":
        return Bowl(shape=_shape(n), dtype=torch.float32)
    pixels, classes = 64, 10
    hidden = (n - classes) // (pixels + 1 + classes)
    if hidden < 1:
        raise NotImplementedError("no network is so small")
    return registry.build("problem", "mlp", {"hidden": (hidden,)})


def _shape(n: int) -> tuple[int, ...]:
    """A square matrix of so many numbers where there is one, else a vector."""
    side = math.isqrt(n)
    return (side, side) if side * side == n else (n,)
