"""Any torch.optim.Optimizer: an instance for each trial, or one for trials with the same settings."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UsageError, near
from ..interfaces import Hyper, Layout, Optimizer, Oracle, Params, Rows
from ..registry import load_object
from .building import Building
from .class_settings import columns, defaults, listed, loaded, natural, of_trial, required, signature, unlike, yaml
from .sharing import NotApartError, checked, narrowed, steps_to_see, switch, takes_closure, treats_elements_apart
from .surroundings import keys
from .workspace import Shared, Workspace, clears_gradients

_APART: dict[Any, bool] = {}
"""Which classes treat elements apart, with which settings but the rate and with which attributes of modules."""
OPTIONS = ("params", "share", "attributes")
"""What stands beside the settings of the class in a configuration and is ours."""


class FromTorchState(NamedTuple):
    """optimizers: one a trial or for several; workspace: the tensors that they step on, refilled at every step and so no
    state; keys: of the numbers that each trial draws; steps: those made."""

    optimizers: list[torch.optim.Optimizer]
    workspace: Workspace
    keys: list[int]
    steps: int


@dataclass(frozen=True, kw_only=True)
class FromTorch(Optimizer[FromTorchState]):
    """A torch optimizer, with an instance of its own for every trial or for all with the same settings.

        x ← what the class does with its layer tensors, their gradients and, if it asks, a closure

    One batched call answers with all trials' gradients; then the instances step one after the other. Each sees the
    layer tensors of its trial in their own shapes. A schedule multiplies the rate that each parameter group began with, or
    was added with; it is written where the factor changes, and what a class itself writes there stays until then.
    A class with `train()` and `eval()` is asked for gradients in its training form and judged in the other. Where a class
    has a `zero_grad` of its own, it is called before the gradients are given, and what it leaves is added to.

    Trials with equal settings share one instance, which is faster and gives the same bits, if some steps made both ways,
    first with gradients from 1e-11 to 1e11 and zeros, then down a bowl of each trial's own, show that the class treats
    elements apart; it then sees `[trials, *shape]`. Classes whose parameter groups a function builds, those that look at
    norms, matrices or the loss, or draw random numbers, that change attributes of their own, or have a `zero_grad`, never
    share. Ten steps of each kind are made with the class's default rate, or, where the largest whole number of the settings
    is above five, five more than that, but at most thirty. What a class does for the first time later is not seen:
    `share=false` forbids sharing.

    A class from outside torch that draws from the global generators of torch, numpy or Python finds them seeded, when it is
    built and before every step, with a hash of the bits of the trial's start and the number of the step: the same numbers
    in every process and in any company, and the same for trials with the same start. Afterwards they are as they were.
    Not covered are generators of the class's own that it seeds from the clock or the operating system, and what its
    instances share in attributes of the module or class.

    A closure's first call is answered from the batch if it asks at the point of the batch, and later ones one at a
    time; all are counted. Gradients carry no graph, so that no class can differentiate them. A trial whose gradient is not
    finite, or whose numbers overflow, ends alone if its step raises an error.

    In a configuration params, share and attributes stand beside the class's own settings. Every class of torch.optim has an
    entry torch/… but SparseAdam, which wants sparse gradients: no problem has them.

    Args:
        cls: the class, or its dotted path (`torch.optim.NAdam`) or PATH.py:NAME.
        settings: its keyword arguments; numbers may be columns `[trials, 1]`, also within a list or tuple. Where one has to
            be a class, as the optimizer that another wraps, its dotted path or PATH.py:NAME will do.
        params: function from a module to the class's first argument, such as parameter groups, or its PATH.py:NAME.
            Not given: a function called `params` beside the class if there is one, else all parameters in one group.
        share: whether trials with equal settings may share an instance.
        attributes: values that attributes of modules have while the class works, by dotted path. Not given: for classes
            of heavyball `{heavyball.utils.compile_mode: null}`, since it spends minutes on compiling its functions
            otherwise, else none.

    Raises:
        UsageError: there is no such class, setting or attribute, or the class refuses a setting's value or the layers.

    Source: Paszke et al., "PyTorch: an imperative style, high-performance deep learning library", NeurIPS 2019; the
    rule itself is that of the class. Same result as a loop of zero_grad, loss, backward and step.
    """

    family: ClassVar[str] = "third party"
    sequential: ClassVar[bool] = True

    cls: type[torch.optim.Optimizer] | str
    settings: Mapping[str, Any] = field(default_factory=dict)
    params: Callable[[nn.Module], Any] | str | None = None
    share: bool = True
    attributes: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        cls, known = self.wrapped, signature(self.wrapped)
        if known is not None:
            for key in self.settings:
                if key not in known:
                    raise UsageError(
                        f"{cls.__name__} has no setting {key!r}{near(key, [*known, *OPTIONS])} (it has {', '.join(known)})"
                    )
        if missing := [key for key in required(cls) if key not in self.settings]:
            told = " and ".join(f"optimizer.{key}=…" for key in missing)
            raise UsageError(f"{cls.__name__} has no default for {' and '.join(missing)}, so it needs {told}")
        usual = defaults(cls)
        for key, value in self.settings.items():
            if wanted := unlike(value, usual.get(key)):
                raise UsageError(f"{cls.__name__}: {key} must be {wanted}, got {yaml(value)}")
        if self.settings.get("differentiable") is True and "differentiable" in usual:
            raise UsageError(
                f"{cls.__name__}: nothing here differentiates through steps; leave out differentiable=true"
            )
        if self._builder() is None:
            for settings in {repr(s): s for s in self._each(self._trials())}.values():
                self._building.examine(settings)

    @classmethod
    def from_settings(cls, wrapped: type[torch.optim.Optimizer] | str, settings: Mapping[str, Any]) -> FromTorch:
        """From the settings of a configuration, in which `params`, `share` and `attributes` stand beside the class's own.

        Numbers may be YAML's (`1e-3` is a string there, `1` an int where the class has a float) or columns.
        """
        share, attributes = settings.get("share", True), settings.get("attributes")
        if not isinstance(share, bool):
            raise UsageError(f"share must be true or false, got {yaml(share)}")
        if not isinstance(attributes, Mapping | None):
            raise UsageError(
                f"attributes must be dotted paths with values, {{package.module.name: value}}, got {yaml(attributes)}"
            )
        own = {key: value for key, value in settings.items() if key not in OPTIONS}
        return cls(cls=wrapped, settings=own, params=settings.get("params"), share=share, attributes=attributes)

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
        return 1.0 if lr is None else lr if isinstance(lr, Tensor) and lr.ndim > 0 else float(lr)

    def rate(self, before: FromTorchState, after: FromTorchState, factor: Hyper) -> Hyper:
        """lr · factor, in the type of the parameters: the class itself is given every digit of its settings."""
        lr = self.lr * factor
        return lr.to(after.workspace.like) if isinstance(lr, Tensor) else lr

    def init(self, params: Params, layout: Layout) -> FromTorchState:
        builder = self._builder()
        equal: dict[str, list[int]] = {}
        settings = list(self._each(params.shape[0]))
        for trial, own in enumerate(settings):
            equal.setdefault(repr(own) if builder is None else str(trial), []).append(trial)
        workspace, drawn = Workspace(params, layout), keys(params)
        for alike in equal.values():
            for trials in self._groups(alike, settings[alike[0]], params):
                tensors = workspace.room(trials)
                named = dict(zip(layout.names, tensors, strict=True))
                chosen = tensors if builder is None else builder(_module(named))
                optimizer = self._building.instance(chosen, settings[trials[0]], drawn[trials[0]], tensors)
                workspace.add(Shared(optimizer, trials, tensors, settings[trials[0]]))
        return FromTorchState(workspace.optimizers(), workspace, drawn, 0)

    def _groups(self, trials: list[int], settings: dict[str, Any], params: Params) -> list[list[int]]:
        """Trials with the same settings: all in one group if the class treats elements apart, else each in one."""
        if len(trials) == 1 or not self.share or clears_gradients(self.wrapped):
            return [[trial] for trial in trials]
        usual = defaults(self.wrapped)
        tried = checked(settings, usual)
        key = (self.wrapped, repr(tried), repr(self.attributes), params.dtype, params.device)
        if key not in _APART:
            kind = {"dtype": params.dtype, "device": params.device}
            with self._building.surroundings(params.device):
                steps = steps_to_see(usual | tried)
                _APART[key] = treats_elements_apart(lambda tensors: self.wrapped(tensors, **tried), kind, steps)
        return [trials] if _APART[key] else [[trial] for trial in trials]

    def step(
        self, params: Params, state: FromTorchState, oracle: Oracle, factor: Hyper
    ) -> tuple[Params, FromTorchState]:
        work = state.workspace
        if isinstance(factor, Tensor) and any(len(shared.trials) > 1 for shared in work.shares):
            return self.step(params, self._cut(state, lambda trials: [[trial] for trial in trials]), oracle, factor)
        work.fill(params)
        asked = work.points() if switch(state.optimizers, "train") else params
        loss, grad = oracle(asked)
        with_closure = takes_closure(self.wrapped)
        finite: list[bool] | None = None
        with self._building.surroundings(params.device) as around:
            work.give(grad)
            for shared in work.shares:
                self._set_rate(shared, of_trial(factor, shared.trials[0]))
                closure: tuple[Any, ...] = (work.closure(shared, asked, loss, grad, oracle),) if with_closure else ()
                around.seed(state.keys[shared.trials[0]], f"step {state.steps}")
                try:
                    shared.optimizer.step(*closure)
                except Exception as error:
                    finite = finite or grad.isfinite().all(dim=1).tolist()
                    if finite[shared.trials[0]] and not isinstance(error, OverflowError):
                        failed = f"{self.wrapped.__name__}.step failed in trial {shared.trials[0]}"
                        raise RuntimeError(f"{failed}: {error}{_graphless(error)}") from error
                    for parameter in shared.parameters:
                        parameter.data.fill_(float("nan"))
        switch(state.optimizers, "eval")
        return work.points(), state._replace(steps=state.steps + 1)

    def select(self, state: FromTorchState, rows: Rows) -> FromTorchState:
        """The instances of these trials, moved to a smaller workspace; the state given is of no use afterwards."""
        kept = rows.tolist()
        return self._cut(state, lambda trials: [found] if (found := [t for t in kept if t in trials]) else [], kept)

    def _cut(
        self, state: FromTorchState, parts: Callable[[list[int]], list[list[int]]], kept: Sequence[int] | None = None
    ) -> FromTorchState:
        """Each instance cut into parts of its trials, in a workspace for the kept ones (not given: for all)."""
        work = state.workspace
        points = work.points()
        place = {trial: k for k, trial in enumerate(range(len(points)) if kept is None else kept)}
        new = Workspace(points[list(place)], work.layout)
        for shared in work.shares:
            for trials in parts(shared.trials):
                optimizer, tensors, homes = shared.optimizer, shared.parameters, shared.homes
                served = [place[trial] for trial in trials]
                if trials != shared.trials:
                    tensors, homes = new.room(served), None
                    chosen = [shared.trials.index(trial) for trial in trials]
                    make = partial(self._building.instance, settings=shared.settings, key=state.keys[trials[0]])
                    try:
                        optimizer = narrowed(optimizer, shared.parameters, chosen, tensors, make)
                    except NotApartError as error:
                        told = f"{self.wrapped.__name__} {error}, so that no trial can leave an instance that it shares"
                        raise NotApartError(f"{told}; optimizer.share=false gives each trial its own") from error
                new.add(Shared(optimizer, served, tensors, shared.settings, shared.rates, homes, shared.factor))
        return FromTorchState(new.optimizers(), new, [state.keys[trial] for trial in place], state.steps)

    @cached_property
    def _building(self) -> Building:
        return Building(self.wrapped, self.attributes, grouped=self._builder() is not None)

    def _builder(self) -> Callable[[nn.Module], Any] | None:
        if self.params is not None:
            found = load_object(self.params) if isinstance(self.params, str) else self.params
            if not callable(found):
                raise UsageError(f"{self.params} is not a function, so it cannot build parameter groups")
            return found
        beside = getattr(sys.modules.get(self.wrapped.__module__), "params", None)
        return beside if inspect.isfunction(beside) and beside.__module__ == self.wrapped.__module__ else None

    def _set_rate(self, shared: Shared, factor: Any) -> None:
        """Where the factor changes, and there alone: what the class itself writes into its groups stays until then."""
        if factor == shared.factor:
            return
        shared.factor = factor
        for group, rate in shared.rated():
            if rate is not None:
                group["lr"] = rate * factor
            elif factor != 1:
                raise UsageError(f"{self.wrapped.__name__} has no learning rate to multiply; use schedule=constant")

    def _trials(self) -> int:
        """Trials that the columns were made for; 1 where there are none."""
        return max((len(c) for value in self.settings.values() for c in columns(value)), default=1)

    def _each(self, trials: int) -> Iterable[dict[str, Any]]:
        kinds = defaults(self.wrapped)
        lists = {key: loaded(listed(value), key, self.wrapped) for key, value in self.settings.items()}
        for trial in range(trials):
            yield {key: natural(of_trial(value, trial), kinds.get(key)) for key, value in lists.items()}


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


def _graphless(error: Exception) -> str:
    """What to say of an error in differentiating a gradient."""
    told = any(word in str(error) for word in ("create_graph", "grad_fn"))
    return "; gradients carry no graph here, so no class can differentiate them" if told else ""
