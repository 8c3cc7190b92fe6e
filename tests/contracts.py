"""What the contract tests share: a small learning problem, a plain loop, torch's loop beside it, table checks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from optbench.checks import setting
from optbench.interfaces import (
    Batch,
    Layout,
    Loss,
    Modifier,
    Optimizer,
    OracleModifier,
    Outputs,
    Params,
    Problem,
    Rows,
    Schedule,
    Stream,
    select,
)
from optbench.oracle import BatchOracle
from optbench.randomness import Randomness
from optbench.schedules import SCHEDULES

ROOT = Path(__file__).resolve().parent.parent


class TinyStream(Stream):
    """Eight points of the plane a step, normally distributed, of the trial's own."""

    def __init__(self, seeds: Sequence[int], dtype: torch.dtype):
        self.random, self.dtype = Randomness(seeds, "tiny data"), dtype

    def at(self, step: int, rows: Rows | None = None) -> Batch:
        return self.random.normal(step, 16, rows, self.dtype).unflatten(1, (8, 2))


@dataclass(frozen=True, kw_only=True)
class TinyNet(Problem):
    """Fits sin(x₀) + x₁ with a network 2-3-1, in minibatches; small enough to run in every contract test."""

    default_dtype = torch.float64
    hidden: int = setting(3, least=1)

    @property
    def layout(self) -> Layout:
        shapes = ((self.hidden, 2), (self.hidden,), (1, self.hidden), (1,))
        names = ("layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias")
        return Layout(names, shapes, ("weight", "bias", "weight", "bias"))

    def start(self, seeds: Sequence[int]) -> Params:
        return 0.5 * Randomness(seeds, "tiny start").normal(0, self.layout.n, dtype=self.kind["dtype"])

    def stream(self, seeds: Sequence[int]) -> Stream:
        return TinyStream(seeds, self.kind["dtype"])

    def loss(self, params: Params, batch: Batch) -> Loss:
        w1, b1, w2, b2 = self.layout.split(params).values()
        hidden = torch.tanh(torch.einsum("tbi,thi->tbh", batch, w1) + b1[:, None])
        out = torch.einsum("tbh,toh->tbo", hidden, w2) + b2[:, None]
        return ((out[..., 0] - batch[..., 0].sin() - batch[..., 1]) ** 2).mean(dim=1)

    def decomposed(self, params: Params, batch: Batch) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        w1, b1, w2, b2 = self.layout.split(params).values()
        hidden = torch.tanh(torch.einsum("tbi,thi->tbh", batch, w1) + b1[:, None])
        out = torch.einsum("tbh,toh->tbo", hidden, w2) + b2[:, None]
        target = batch[..., 0].sin() + batch[..., 1]
        return (out[..., 0],), lambda outputs: ((outputs[0] - target) ** 2).mean(dim=1)

    def minimum(self) -> None:
        return None

    def targets(self) -> Sequence[float]:
        return [0.1]

    def target(self) -> float:
        return 0.1


class Loop:
    """A training loop with nothing in it but the contracts.

    Args:
        problem, optimizer, schedule, modifiers, seeds: what is run; one trial a seed.
        steps: the budget that schedules are told.
    """

    def __init__(
        self,
        problem: Problem,
        optimizer: Optimizer,
        seeds: Sequence[int],
        *,
        schedule: Schedule | None = None,
        modifiers: Sequence[Modifier] = (),
        steps: int = 100,
    ):
        self.optimizer, self.schedule, self.modifiers = optimizer, schedule or SCHEDULES["constant"](), list(modifiers)
        self.params, self.steps, self.t = problem.start(seeds), steps, 0
        self.oracle = BatchOracle(problem, problem.stream(seeds), len(seeds))
        self.state = optimizer.init(self.params, problem.layout)
        self.schedule_state = self.schedule.init(len(self.params), steps)
        self.modifier_states = []
        for m in self.modifiers:
            budget = () if isinstance(m, OracleModifier) else (steps,)
            self.modifier_states.append(m.init(self.params, problem.layout, seeds, *budget))

    def run(self, steps: int) -> Tensor:
        """Go on for so many steps; the points passed, [steps, trials, n]."""
        path = []
        for _ in range(steps):
            self.oracle.move(self.t)
            asked = self.oracle
            factor = self.schedule.factor(self.t, self.steps, self.schedule_state)
            for k, m in enumerate(self.modifiers):
                asked, self.modifier_states[k] = m.wrap(asked, self.modifier_states[k], self.t)
            before, state = self.params, self.state
            self.params, self.state = self.optimizer.step(before, state, asked, factor)
            for k, m in enumerate(self.modifiers):
                if not isinstance(m, OracleModifier):
                    lr = self.optimizer.rate(state, self.state, factor)
                    self.params, self.modifier_states[k] = m.apply(before, self.params, lr, self.modifier_states[k])
            if self.oracle.first_loss is not None:
                self.schedule_state = self.schedule.observe(self.schedule_state, self.oracle.first_loss)
            path.append(self.params)
            self.t += 1
        return torch.stack(path)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these trials alone."""
        index = torch.tensor(rows)
        self.params = self.params[index]
        self.state = self.optimizer.select(self.state, index)
        self.optimizer = select(self.optimizer, index)
        self.schedule, self.schedule_state = select((self.schedule, self.schedule_state), index)
        self.modifiers, self.modifier_states = select(self.modifiers, index), select(self.modifier_states, index)
        self.oracle.keep(index)


def torch_path(
    problem: Problem, cls: type[torch.optim.Optimizer], seed: int, steps: int, *, prepare: Any = None, **settings: Any
) -> Tensor:
    """The points [steps, n] that a bare torch loop passes from the same start on the same batches.

    `prepare(parameters, step)` runs between backward and step, as clipping does; LBFGS gets a closure.
    """
    stream, names = problem.stream([seed]), problem.layout.names
    at = [torch.nn.Parameter(v[0].clone()) for v in problem.layout.split(problem.start([seed])).values()]
    optimizer = cls(at, **settings)
    path = []
    for step in range(steps):

        def closure(step: int = step) -> Tensor:
            optimizer.zero_grad()
            row = torch.cat([p.reshape(1, -1) for p in at], dim=1)
            loss = problem.loss(row, stream.at(step)).sum()
            loss.backward()
            return loss

        assert len(names) == len(at)
        if inspect.signature(cls.step).parameters["closure"].default is inspect.Parameter.empty:
            optimizer.step(closure)
        else:
            closure()
            if prepare is not None:
                prepare(at, step)
            optimizer.step()
        path.append(torch.cat([p.detach().reshape(-1) for p in at]))
    return torch.stack(path)


def torch_rates(
    steps: int, build: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]
) -> list[float]:
    """The rates of a torch scheduler that starts at 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = build(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def column(*values: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """One value a trial, [trials, 1]."""
    return torch.tensor(values, dtype=dtype)[:, None]


def varied(cls: type, trials: int, dtype: torch.dtype, **fixed: Any) -> dict[str, Any]:
    """Settings whose real numbers differ between the trials: from the default down to 80 % of it."""
    spread = torch.linspace(1.0, 0.8, trials, dtype=torch.float64)[:, None]

    def column_of(default: Any) -> Any:
        if isinstance(default, tuple):
            return tuple(column_of(item) for item in default)
        return (spread * default).to(dtype) if isinstance(default, float) else default

    found = {f.name: column_of(fixed.get(f.name, f.default)) for f in fields(cls) if f.metadata.get("range")}
    for f in fields(cls):
        if any(found[name] not in wanted for name, wanted in f.metadata.get("only", {}).items()):
            found[f.name] = f.default  # it would have no effect
    return found


def of_trial(settings: Any, trial: int) -> Any:
    """The same settings with trial's own numbers in place of the columns."""
    if isinstance(settings, Tensor):
        return settings[trial].item()
    if isinstance(settings, dict):
        return {key: of_trial(value, trial) for key, value in settings.items()}
    if isinstance(settings, (tuple, list)):
        return type(settings)(of_trial(value, trial) for value in settings)
    return settings


def tensors(tree: Any) -> Iterator[Tensor]:
    """Every tensor in a state."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from tensors(item)
    elif isinstance(tree, dict):
        yield from tensors(list(tree.values()))


def read_yaml(kind: str, name: str) -> dict[str, Any]:
    """A configuration file of the checkout."""
    return yaml.safe_load((ROOT / "conf" / kind / f"{name}.yaml").read_text(encoding="utf-8"))


def natural(value: Any) -> Any:
    """Lists as tuples, as the settings classes have them."""
    return tuple(natural(item) for item in value) if isinstance(value, list) else value


def assert_yaml_repeats_the_code(kind: str, name: str, cls: type) -> None:
    """The YAML has the name, every setting with the code's default, and nothing else but a search space."""
    read = read_yaml(kind, name)
    assert read.pop("name") == name
    assert read.pop("search", {}).keys() <= {f.name for f in fields(cls)}
    code = {f.name: f.default for f in fields(cls)}
    assert {key: natural(value) for key, value in read.items()} == code


def assert_is_documented(kind: str, name: str, cls: type) -> None:
    """One name everywhere: module, table, YAML, test file and class; a docstring with a formula and its source."""
    assert cls.__module__.rsplit(".", 1)[1] == name
    assert cls.__name__.lower() == name.replace("_", "")
    assert (ROOT / "tests" / f"{kind}s" / f"test_{name}.py").exists()
    doc = inspect.cleandoc(cls.__dict__["__doc__"])
    assert "\n    " in doc.split("\nArgs:")[0], "no formula"
    assert "\nSource: " in doc
    described = doc.partition("\nArgs:")[2]
    for f in fields(cls):
        assert re.search(rf"(?m)^ *(\w+, )*{f.name}(, \w+)*:", described), f"{f.name} is not described"
