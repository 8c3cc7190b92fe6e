"""Each optimizer: time of a step, bytes of state, operations of a step."""

from __future__ import annotations

from typing import Any, ClassVar

from torch.utils._python_dispatch import TorchDispatchMode

from optbench.columns import elementwise
from optbench.meter import state_bytes

from .cases import OPTIMIZERS, SOLVERS, optimizer, trial


class Step:
    """Time of a step of one trial, gradient included (it is one copy): of two numbers, a matrix of 162 × 162, a long row."""

    params: ClassVar = [[name for name in OPTIMIZERS if name not in SOLVERS], [2, 26_244, 10_000_000]]
    param_names: ClassVar = ["optimizer", "parameters"]
    timeout = 300

    def setup(self, name: str, n: int) -> None:
        if n > 100_000 and not elementwise(optimizer(name)):
            raise NotImplementedError  # asv leaves it out: minutes a step, or more memory than there is
        self.trial = trial(name, n)
        self.at = 3

    def time_step(self, name: str, n: int) -> None:
        self.trial.step(self.at)
        self.at = 3 + (self.at - 2) % 900


class SolverStep:
    """Time of the fourth step of one trial, evaluations included; later ones may be those of a method that is done."""

    params: ClassVar = [SOLVERS, [2, 400, 26_244]]
    param_names: ClassVar = ["optimizer", "parameters"]
    timeout = 300
    number = 1

    def setup(self, name: str, n: int) -> None:
        self.trial = trial(name, n)

    def time_step(self, name: str, n: int) -> None:
        self.trial.step(3)


class Exact:
    """Numbers that do not wobble: a change is a change of the code."""

    params: ClassVar = [OPTIMIZERS]
    param_names: ClassVar = ["optimizer"]

    def setup(self, name: str) -> None:
        trial(name, 100)  # not implemented where it does not fit

    def track_state_bytes(self, name: str) -> int:
        """Bytes of state of one trial with 1,600 float32 parameters in a matrix, after three steps."""
        return state_bytes(trial(name, 1_600).state)

    def track_operations(self, name: str) -> int:
        """aten operations of the fourth step, those of loss and gradient included."""
        ready = trial(name, 1_600)
        with Counted() as counted:
            ready.step(3)
        return counted.operations

    track_state_bytes.unit = "bytes"  # pyright: ignore[reportFunctionMemberAccess] # where asv looks
    track_operations.unit = "operations"  # pyright: ignore[reportFunctionMemberAccess] # where asv looks


class Counted(TorchDispatchMode):
    """Counts the aten operations within a block."""

    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += func.namespace == "aten"
        return func(*args, **(kwargs or {}))
