"""Steps of elementwise rules beside torch's forms of them."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from optbench.columns import Stepper
from optbench.errors import UsageError
from optbench.interfaces import FirstOrder, Layout, Loss, Oracle, Params, Rows
from optbench.registry import build
from optbench.traced import check_compiler

from .timing import Row, compared, in_turn, seconds

LONG = 10_000_000
FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad)
"""Those with a fused form on a CPU."""


@dataclass(frozen=True)
class Pair:
    """A rule and torch's class with the settings that make them the same."""

    name: str
    theirs: type[torch.optim.Optimizer]
    settings: dict[str, Any] = field(default_factory=dict)


PAIRS = [
    Pair("sgd", torch.optim.SGD),
    Pair("momentum", torch.optim.SGD, {"momentum": 0.9}),
    Pair("nesterov", torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    Pair("adagrad", torch.optim.Adagrad),
    Pair("adadelta", torch.optim.Adadelta),
    Pair("rmsprop", torch.optim.RMSprop),
    Pair("adam", torch.optim.Adam),
    Pair("adamw", torch.optim.AdamW),
    Pair("amsgrad", torch.optim.Adam, {"amsgrad": True}),
    Pair("adamax", torch.optim.Adamax),
    Pair("nadam", torch.optim.NAdam),
    Pair("radam", torch.optim.RAdam),
    Pair("rprop", torch.optim.Rprop),
    Pair("asgd", torch.optim.ASGD),
]


class Given(Oracle):
    """Always the same gradient, which costs nothing."""

    fixed = True

    def __init__(self, grad: Tensor):
        self.grad, self.loss = grad, grad.new_zeros(grad.shape[0])

    def __call__(self, params: Params, rows: Rows | None = None) -> tuple[Loss, Params]:
        return self.loss, self.grad


class Ours:
    """Steps of one of our rules on rows of numbers."""

    def __init__(self, name: str, trials: int, n: int, *, compiled: bool = False):
        rule: Any = build("optimizer", name, {"lr": 1e-3})
        assert isinstance(rule, FirstOrder)
        self.rule, self.stepper = rule, Stepper(compiled)
        draw = torch.Generator().manual_seed(0)
        self.params, grad = (torch.randn(trials, n, generator=draw) for _ in range(2))
        self.state, self.oracle = rule.init(self.params, Layout.point(n)), Given(grad)

    def __call__(self) -> None:
        self.params, self.state = self.stepper(self.rule, self.params, self.state, self.oracle, 1.0, over=True)


class Theirs:
    """Steps of torch's class, one after the other for several trials."""

    def __init__(self, pair: Pair, trials: int, n: int, **form: Any):
        draw = torch.Generator().manual_seed(0)
        self.optimizers = []
        for _ in range(trials):
            parameter = torch.nn.Parameter(torch.randn(n, generator=draw))
            parameter.grad = torch.randn(n, generator=draw)
            self.optimizers.append(pair.theirs([parameter], lr=1e-3, **pair.settings, **form))  # type: ignore[call-arg] # classes differ in what they take

    def __call__(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()


def per_step(step: Callable[[], None], steps: int, trials: int = 1) -> Callable[[], float]:
    """Seconds of a step of a trial, over so many steps of so many trials."""

    def measure() -> float:
        def several() -> None:
            for _ in range(steps):
                step()

        return seconds(several) / (steps * trials)

    return measure


def steps(repeats: int) -> Iterator[Row]:
    """Long rows in blocks and compiled, short rows, and a thousand trials at once."""
    for pair in PAIRS:
        yield from _long(pair, repeats)
    for pair in PAIRS:
        for n in (2, 26_000):
            sides = [per_step(side, 200) for side in (Ours(pair.name, 1, n), Theirs(pair, 1, n))]
            yield compared(f"{pair.name}: {n:,} parameters", *in_turn(repeats, *sides), most=1.0)
    for pair in PAIRS:
        many = per_step(Ours(pair.name, 1000, 100), 20, 1000), per_step(Theirs(pair, 1000, 100), 1, 1000)
        yield compared(f"{pair.name}: 1,000 trials of 100", *in_turn(repeats, *many), least=100)


def _long(pair: Pair, repeats: int) -> Iterator[Row]:
    sides = [per_step(side, 3) for side in (Ours(pair.name, 1, LONG), Theirs(pair, 1, LONG, foreach=True))]
    yield compared(f"{pair.name}: 10 million, in blocks / foreach", *in_turn(repeats, *sides), most=1.2)
    if pair.theirs not in FUSED:
        return
    try:
        check_compiler()
    except UsageError:
        return
    del sides
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # in torch's own code
        sides = [
            per_step(side, 3) for side in (Ours(pair.name, 1, LONG, compiled=True), Theirs(pair, 1, LONG, fused=True))
        ]
        yield compared(f"{pair.name}: 10 million, compiled / fused", *in_turn(repeats, *sides), most=1.3)
