"""Each optimizer: time of a step, bytes of state, operations of a step."""

from __future__ import annotations

from typing import Any, ClassVar

from torch.utils._python_dispatch import TorchDispatchMode

from optbench.meter import state_bytes

from .cases import OPTIMIZERS, trial


class Step:
    """Time of a step of one trial, gradient included (it is one copy)."""

    params: ClassVar = [OPTIMIZERS, [2, 26_000, 10_000_000]]
    param_names: ClassVar = ["optimizer", "parameters"]
    timeout = 300

    def setup(self, name: str, n: int) -> None:
        self.trial = trial(name, n)
        self.at = 3

    def time_step(self, name: str, n: int) -> None:
        self.trial.step(self.at)
        self.at = 3 + (self.at - 2) % 900


class Exact:
    """Numbers that do not wobble: a change is a change of the code."""

    params: ClassVar = [OPTIMIZERS]
    param_names: ClassVar = ["optimizer"]

    def track_state_bytes(self, name: str) -> int:
        """Bytes of state of one trial with 10,000 float32 parameters in a matrix, after three steps."""
        return state_bytes(trial(name, 10_000).state)

    def track_operations(self, name: str) -> int:
        """aten operations of the fourth step, those of loss and gradient included."""
        ready = trial(name, 10_000)
        with Counted() as counted:
            ready.step(3)
        return counted.operations

    track_state_bytes.unit = "bytes"  # pyright: ignore[reportFunctionMemberAccess]
    track_operations.unit = "operations"  # pyright: ignore[reportFunctionMemberAccess]


class Counted(TorchDispatchMode):
    """Counts the aten operations within a block."""

    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += func.namespace == "aten"
        return func(*args, **(kwargs or {}))
