"""Any torch.optim.Optimizer, stepped one trial after the other."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UsageError, near
from ..interfaces import Hyper, Layout, Optimizer, Oracle, Params, Rows
from ..registry import load_object


class FromTorchState(NamedTuple):
    """optimizers: one a trial; workspace: the tensors that they step on, refilled at every step and so no state."""

    optimizers: list[torch.optim.Optimizer]
    workspace: Workspace


@dataclass(frozen=True, kw_only=True)
class FromTorch(Optimizer[FromTorchState]):
    """A torch optimizer, with an instance of its own for every trial.

        x ← what the class does with its layer tensors, their gradients and, if it asks, a closure

    One batched call answers with all trials' gradients; then the instances step one after the other. Each sees the
    layer tensors of its trial in their own shapes. A schedule multiplies the rate that each parameter group began with.
    A class with `train()` and `eval()` is asked for gradients in its training form and judged in the other.

    A closure's first call is answered from the batch if it asks at the point of the batch, and later ones one at a
    time; all are counted. A trial whose gradient is not finite ends alone if its step raises an error.

    Args:
        cls: the class, or its dotted path (`torch.optim.NAdam`) or PATH.py:NAME.
        settings: its keyword arguments; numbers may be columns `[trials, 1]`, also within a list or tuple.
        params: function from a module to the class's first argument, such as parameter groups, or its PATH.py:NAME.
            Not given: a function called `params` beside the class if there is one, else all parameters in one group.

    Raises:
        UsageError: there is no such class or setting, or the class refuses a setting's value.

    Source: Paszke et al., "PyTorch: an imperative style, high-performance deep learning library", NeurIPS 2019; the
    rule itself is that of the class. Same result as a loop of zero_grad, loss, backward and step.
    """

    family: ClassVar[str] = "third party"
    sequential: ClassVar[bool] = True

    cls: type[torch.optim.Optimizer] | str
    settings: Mapping[str, Any] = field(default_factory=dict)
    params: Callable[[nn.Module], Any] | str | None = None

    def __post_init__(self) -> None:
        cls, known = self.wrapped, _signature(self.wrapped)
        if known is not None:
            for key in self.settings:
                if key not in known:
                    raise UsageError(
                        f"{cls.__name__} has no setting {key!r}{near(key, known)} (it has {', '.join(known)})"
                    )
        if self._builder() is None:  # a matrix stands for the layers, which are not known yet
            for settings in {repr(s): s for s in self._each(self._trials())}.values():
                self._make([nn.Parameter(torch.zeros(2, 2))], settings)

    @classmethod
    def from_settings(cls, wrapped: type[torch.optim.Optimizer] | str, settings: Mapping[str, Any]) -> FromTorch:
        """From the settings of a configuration, in which `params` stands beside the class's own.

        Numbers may be YAML's (`1e-3` is a string there, `1` an int where the class has a float) or columns.
        """
        own = {key: value for key, value in settings.items() if key != "params"}
        return cls(cls=wrapped, settings=own, params=settings.get("params"))

    @property
    def wrapped(self) -> type[torch.optim.Optimizer]:
        """The class itself."""
        found = load_object(self.cls) if isinstance(self.cls, str) else self.cls
        if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
            raise UsageError(f"{self.cls} is no subclass of torch.optim.Optimizer")
        return found

    @property
    def lr(self) -> Hyper:
        """The rate given, else the class's default, else 1."""
        lr = self.settings.get("lr", defaults(self.wrapped).get("lr"))
        return 1.0 if lr is None else lr if isinstance(lr, Tensor) else float(lr)

    def init(self, params: Params, layout: Layout) -> FromTorchState:
        workspace = Workspace(params, layout)
        builder = self._builder()
        optimizers = []
        for trial, settings in enumerate(self._each(params.shape[0])):
            tensors = workspace.parameters[trial]
            chosen = (
                list(tensors) if builder is None else builder(_module(dict(zip(layout.names, tensors, strict=True))))
            )
            optimizers.append(self._make(chosen, settings))
        workspace.rates = [[group.get("lr") for group in optimizer.param_groups] for optimizer in optimizers]
        return FromTorchState(optimizers, workspace)

    def step(
        self, params: Params, state: FromTorchState, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, FromTorchState]:
        optimizers, work = state
        work.points.copy_(params)
        _switch(optimizers, "train")
        asked = work.points.clone()
        loss, grad = oracle(asked)
        work.grads.copy_(grad)
        with_closure = _takes_closure(type(optimizers[0]))
        finite: list[bool] | None = None
        for trial, optimizer in enumerate(optimizers):
            self._set_rate(optimizer, work.rates[trial], _of_trial(factor, trial))
            closure: tuple[Any, ...] = (work.closure(trial, asked, loss, oracle),) if with_closure else ()
            try:
                optimizer.step(*closure)
            except Exception as error:
                finite = finite or grad.isfinite().all(dim=1).tolist()
                if finite[trial]:
                    raise RuntimeError(f"{self.wrapped.__name__}.step failed in trial {trial}: {error}") from error
                work.points[trial] = float("nan")
        _switch(optimizers, "eval")
        return work.points.clone(), state

    def select(self, state: FromTorchState, rows: Rows) -> FromTorchState:
        """The instances of these trials, moved to a smaller workspace; the state given is of no use afterwards."""
        kept = rows.tolist()
        return FromTorchState([state.optimizers[k] for k in kept], state.workspace.select(kept))

    def _builder(self) -> Callable[[nn.Module], Any] | None:
        if self.params is not None:
            found = load_object(self.params) if isinstance(self.params, str) else self.params
            if not callable(found):
                raise UsageError(f"{self.params} is not a function, so it cannot build parameter groups")
            return found
        beside = getattr(sys.modules.get(self.wrapped.__module__), "params", None)
        return beside if inspect.isfunction(beside) and beside.__module__ == self.wrapped.__module__ else None

    def _make(self, parameters: Any, settings: dict[str, Any]) -> torch.optim.Optimizer:
        try:
            return self.wrapped(parameters, **settings)
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(f"{self.wrapped.__name__} refuses its settings: {reason}") from error

    def _set_rate(self, optimizer: torch.optim.Optimizer, rates: list[Any], factor: Any) -> None:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            if rate is not None:
                group["lr"] = rate * factor
            elif factor != 1:
                raise UsageError(f"{self.wrapped.__name__} has no learning rate to multiply; use schedule=constant")

    def _trials(self) -> int:
        """Trials that the columns were made for; 1 where there are none."""
        return max((len(c) for value in self.settings.values() for c in _columns(value)), default=1)

    def _each(self, trials: int) -> Iterable[dict[str, Any]]:
        kinds = defaults(self.wrapped)
        lists = {key: _listed(value) for key, value in self.settings.items()}
        for trial in range(trials):
            yield {key: _natural(_of_trial(value, trial), kinds.get(key)) for key, value in lists.items()}


class Workspace:
    """Points and gradients of all trials, and per trial the parameters that are views of its row.

    Args:
        params: where the trials stand, copied.
        layout: the tensors in a row.
    """

    def __init__(self, params: Params, layout: Layout):
        self.layout, self.rates = layout, list[list[Any]]()
        self.parameters = [[nn.Parameter(params.new_empty(shape)) for shape in layout.shapes] for _ in params]
        self._bind(params.clone())

    def _bind(self, points: Params) -> None:
        self.points, self.grads = points, torch.zeros_like(points)
        x, g = self.layout.split(self.points).values(), self.layout.split(self.grads).values()
        for trial, tensors in enumerate(self.parameters):
            for parameter, value, grad in zip(tensors, x, g, strict=True):
                parameter.data, parameter.grad = value[trial], grad[trial]

    def select(self, kept: Sequence[int]) -> Workspace:
        """The same parameters of these trials, now views of new, smaller tensors."""
        new = object.__new__(Workspace)
        new.layout, new.rates = self.layout, [self.rates[k] for k in kept]
        new.parameters = [self.parameters[k] for k in kept]
        new._bind(self.points[list(kept)])
        return new

    def closure(self, trial: int, asked: Params, loss: Tensor, oracle: Oracle) -> Callable[[], Tensor]:
        """What a torch optimizer may call for the loss and fresh gradients at the present point of its parameters."""
        point, grad = self.points[trial], self.grads[trial]
        rows = torch.tensor([trial], device=asked.device)
        fresh = True

        def evaluate() -> Tensor:
            nonlocal fresh
            if fresh and torch.equal(point, asked[trial]):
                fresh = False
                return loss[trial]
            fresh = False
            new_loss, new_grad = oracle(point[None].clone(), rows)
            grad.copy_(new_grad[0])
            return new_loss[0]

        return evaluate


@lru_cache
def _takes_closure(cls: type[torch.optim.Optimizer]) -> bool:
    return "closure" in inspect.signature(cls.step).parameters


def defaults(cls: type[torch.optim.Optimizer]) -> dict[str, Any]:
    """The settings of a torch optimizer with their default values, from its constructor; required ones are left out."""
    return {
        name: p.default
        for name, p in list(inspect.signature(cls).parameters.items())[1:]
        if p.default is not inspect.Parameter.empty
    }


def _signature(cls: type[torch.optim.Optimizer]) -> list[str] | None:
    """Names of the settings; None where the constructor takes any."""
    parameters = list(inspect.signature(cls).parameters.values())[1:]
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    return None if open_ended else [p.name for p in parameters]


def _columns(value: Any) -> list[Tensor]:
    items = value if isinstance(value, (list, tuple)) else [value]
    return [item for item in items if isinstance(item, Tensor)]


def _listed(value: Any) -> Any:
    """Columns as lists of Python numbers, read once; everything else as it is."""
    if isinstance(value, Tensor):
        return _Column(value.reshape(-1).tolist())
    return tuple(_listed(item) for item in value) if isinstance(value, (list, tuple)) else value


class _Column(list[float]):
    """One number a trial."""


def _of_trial(value: Any, trial: int) -> Any:
    if isinstance(value, Tensor):
        return value.reshape(-1)[trial].item()
    if isinstance(value, _Column):
        return value[trial]
    return tuple(_of_trial(item, trial) for item in value) if isinstance(value, tuple) else value


def _natural(value: Any, default: Any) -> Any:
    """YAML has 1e-3 as a string, and a column has whole numbers as floats; the default says which is meant."""
    if isinstance(value, str) and isinstance(default, float):
        try:
            return float(value)
        except ValueError:
            return value
    whole = isinstance(default, int) and not isinstance(default, bool)
    return int(value) if whole and isinstance(value, float) and value.is_integer() else value


def _switch(optimizers: list[torch.optim.Optimizer], mode: str) -> None:
    """Call train() or eval() where the class has it: methods that average judge at another point than they train at."""
    for optimizer in optimizers:
        method = getattr(optimizer, mode, None)
        if method is not None:
            method()


def _module(named: dict[str, nn.Parameter]) -> nn.Module:
    """A module whose parameters are these, under these names; a dot in a name makes a module within it."""
    root = nn.Module()
    for name, parameter in named.items():
        *path, last = name.split(".")
        owner = root
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        owner.register_parameter(last, parameter)
    return root
