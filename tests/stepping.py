"""Rules of somebody's own, and paths of steps made in one way or another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_map

from optbench.columns import Stepper
from optbench.interfaces import FirstOrder, Hyper, Layout, Optimizer

N = 700
LONG = Layout(("w",), ((N,),), ("weight",))


class Given:
    """An oracle with gradients of its own at each step."""

    def __init__(self, trials: int, dtype: torch.dtype = torch.float64):
        self.trials, self.dtype, self.step = trials, dtype, 0

    def __call__(self, params: torch.Tensor, rows: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(self.step)
        self.step += 1
        grad = torch.randn(self.trials, N, generator=generator, dtype=torch.float64)
        return torch.zeros(self.trials), grad.to(self.dtype)


def path(
    rule: Optimizer[Any],
    make_step: Any,
    trials: int,
    steps: int = 6,
    *,
    dtype: torch.dtype = torch.float64,
    oracle: Any = None,
) -> torch.Tensor:
    """The points passed, with a rate that falls."""
    params = torch.linspace(-2, 3, trials * N, dtype=dtype).view(trials, N)
    state, oracle, seen = rule.init(params, LONG), oracle or Given(trials, dtype), []
    for step in range(steps):
        params, state = make_step(params, state, oracle, 1 - step / 10)
        seen.append(params.clone())
    return torch.stack(seen)


@dataclass(frozen=True, kw_only=True)
class Own(FirstOrder[Any]):
    """A rule of somebody's own: its state before the first step from the parameters, and one step."""

    lr: Hyper = 0.1
    begin: Callable[[torch.Tensor], Any]
    move: Callable[[torch.Tensor, torch.Tensor, Any, Any], Any]

    def init(self, params: torch.Tensor, layout: Layout) -> Any:
        return self.begin(params)

    def update(self, params: torch.Tensor, grad: torch.Tensor, state: Any, lr: Any) -> Any:
        return self.move(params, grad, state, lr)


def zeros(count: int) -> Callable[[torch.Tensor], Any]:
    """Steps taken, and so many tensors of zeros."""
    return lambda x: (0, *(torch.zeros_like(x) for _ in range(count)))


def ways(rule: FirstOrder[Any], stepper: Stepper, trials: int, **how: Any) -> tuple[Any, Any]:
    """Points and last states, by the stepper and by the rule."""
    seen = []
    for step in (lambda *given: stepper(rule, *given, **how), rule.step):
        states: list[Any] = []

        def make_step(*given: Any, step: Any = step, states: list[Any] = states) -> Any:
            after, state = step(*given)
            states[:] = [tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, state)]
            return after, state

        seen.append((path(rule, make_step, trials, 9), states[0]))
    return seen[0], seen[1]
