"""A problem that is another's but for what it changes; and what the modifiers that use it share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..interfaces import Batch, Layout, Loss, Params, Problem, Stream
from ..nn import Learning


@dataclass(frozen=True, kw_only=True)
class DerivedProblem(Problem):
    """Passes everything on to the inner problem; concrete ones override what they change, `loss` first of all.

    Gradients are found by automatic differentiation of `loss`; judging (objective, metrics, targets) stays the inner
    problem's own.

    Args:
        inner: the problem that is changed.
    """

    inner: Problem

    def __getattr__(self, name: str) -> Any:
        """What only the inner problem has: data, network, and so on."""
        if name == "inner" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __getattribute__(self, name: str) -> Any:
        if name in _PASSED:
            return getattr(object.__getattribute__(self, "inner"), name)
        return super().__getattribute__(name)

    @property
    def layout(self) -> Layout:
        return self.inner.layout

    def start(self, seeds: Sequence[int]) -> Params:
        return self.inner.start(seeds)

    def stream(self, seeds: Sequence[int]) -> Stream:
        return self.inner.stream(seeds)

    def loss(self, params: Params, batch: Batch) -> Loss:
        return self.inner.loss(params, batch)

    def objective(self, params: Params, step: int) -> Loss:
        return self.inner.objective(params, step)

    def evaluate(self, params: Params, step: int) -> dict[str, Loss]:
        return self.inner.evaluate(params, step)

    def test(self, params: Params) -> dict[str, Loss]:
        return self.inner.test(params)

    def point(self, params: Params) -> Params:
        return self.inner.point(params)

    def minimum(self) -> float | None:
        return self.inner.minimum()

    def minimiser(self) -> Tensor | None:
        return self.inner.minimiser()

    def targets(self) -> Sequence[float]:
        return self.inner.targets()

    def target(self) -> float:
        return self.inner.target()

    def domain(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        return self.inner.domain()

    def scratch_bytes(self) -> int:
        return 2 * self.inner.scratch_bytes()


_PASSED = frozenset(
    {
        "version",
        "budget",
        "cheap",
        "family",
        "default_dtype",
        "judged_by",
        "loss_chunk",
        "sequential",
        "dtype",
        "device",
        "kind",
    }
)
"""Facts of the inner problem that the class itself has values for."""


def core(problem: Problem) -> Problem:
    """The problem inside all changes."""
    while isinstance(problem, DerivedProblem):
        problem = problem.inner
    return problem


def learning(problem: Problem, modifier: str) -> Learning:
    """The learning problem inside all changes.

    Raises:
        ValueError: it is none built on optbench.nn.Learning.
    """
    inner = core(problem)
    if inner.family == "learning" and not isinstance(inner, Learning):
        raise ValueError(
            f"{modifier} needs a network, such as that of mlp; {type(inner).__name__} is a formula of its own"
        )
    if not isinstance(inner, Learning):
        raise ValueError(f"{modifier} needs a problem that learns from data, not {type(inner).__name__}")
    return inner
