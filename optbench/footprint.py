"""What an optimizer keeps between steps, measured: bytes of state a parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch

from .errors import UsageError
from .interfaces import Batch, Layout, Loss, Optimizer, Outputs, Params, Problem, sum_of_squares
from .meter import state_bytes
from .registry import build
from .schedules.constant import Constant
from .trials import Trials

SIZES = (16, 32, 64)
"""Lengths of the rows that are measured: short, since second-order steps are dear, and three, so that what grows with the
square of the length is told apart."""
SIDE = 64
STEPS = (3, 6)
"""Steps made before the state is measured: twice, so that what still grows is seen."""


@dataclass(frozen=True, kw_only=True)
class Bowl(Problem):
    """f(x) = Σᵢ cᵢ (½ xᵢ² + ¼ xᵢ⁴), with cᵢ from 0.1 to 1: no method is done with it after a few steps.

    Args:
        shape: of the one tensor of parameters: a vector, or a matrix.
    """

    shape: tuple[int, ...]

    @property
    def layout(self) -> Layout:
        role = "weight" if len(self.shape) > 1 else "point"
        return Layout(("x",), (self.shape,), (role,))

    def start(self, seeds: Sequence[int]) -> Params:
        return torch.linspace(-1, 1, self.layout.n, **self.kind).repeat(len(seeds), 1)

    def loss(self, params: Params, batch: Batch) -> Loss:
        outputs, loss = self.decomposed(params, batch)
        return loss(outputs)

    def decomposed(self, params: Params, batch: Batch) -> tuple[Outputs, Callable[[Outputs], Loss]]:
        c = torch.linspace(0.1, 1, self.layout.n, **self.kind)
        return (c.sqrt() * params * (0.5 + params**2 / 4).sqrt(),), sum_of_squares

    def minimum(self) -> float:
        return 0.0

    def targets(self) -> list[float]:
        return [1e-6]

    def target(self) -> float:
        return 1e-6


@dataclass(frozen=True)
class Footprint:
    """Bytes of state of one trial.

    Args:
        row: bytes a parameter of a long row of parameters; None where a row cannot be run alone.
        square: further bytes a parameter for each parameter there is: of methods that keep n × n numbers.
        layer: bytes a parameter of a 64 × 64 layer; None where one cannot be run alone.
        network: bytes a parameter of the problem `mlp`; measured where a method runs on networks alone.
        grows: the state grows with the steps made; measured after six.
    """

    row: float | None = None
    square: float = 0.0
    layer: float | None = None
    network: float | None = None
    grows: bool = False

    def __str__(self) -> str:
        """Bytes a parameter: "8"; "4 n" for n parameters; "8 (64 × 64 layer: 12)"; "+" where it grows with the steps made."""
        if self.network is not None:
            return f"{_number(self.network)} (network `mlp`)"
        if self.row is None:
            return f"{_number(self.layer or 0.0)} ({SIDE} × {SIDE} layer)" + ("+" if self.grows else "")
        words = _number(self.row)
        if self.square:
            words = f"{_number(self.square)} n" + (f" + {words}" if self.row else "")
        if self.layer is not None and not self.square and abs(self.layer - self.row) > 0.02 * self.row + 0.01:
            words += f" ({SIDE} × {SIDE} layer: {_number(self.layer)})"
        return words + ("+" if self.grows else "")


def footprint(make: Callable[[], Optimizer], dtype: torch.dtype) -> Footprint:
    """The state of an optimizer that `make` builds, with parameters of this type.

    Raises:
        UsageError: it runs on none of the problems that it is measured on.
    """
    rows = [_bytes(make, Bowl(shape=(n,), dtype=dtype)) for n in SIZES]
    known = all(found is not None and found.size == found.first for found in rows)  # then no step need be made
    layer = _bytes(make, Bowl(shape=(SIDE, SIDE), dtype=dtype), begun=known) if _affordable(rows) else None
    layers = None if layer is None else layer.size / SIDE**2
    sizes = [found.size for found in rows if found is not None]
    if len(sizes) == len(SIZES):
        square, row = _curve(sizes)
        if any(found is not None and found.grows for found in rows) or 0 < abs(square) < 0.5:
            return Footprint(sizes[-1] / SIZES[-1], grows=True)
        return Footprint(row, square, layers)
    if layer is not None:
        return Footprint(layer=layers, grows=layer.grows)
    network = build("problem", "mlp", {"dtype": dtype})
    made = _measured(make(), network)
    return Footprint(network=made.size / network.layout.n, grows=made.grows)


def told(make: Callable[[], Optimizer]) -> str:
    """One line: "8 bytes a parameter in float32, 16 in float64"."""
    single, double = footprint(make, torch.float32), footprint(make, torch.float64)
    if str(single) == "0":
        return "none"
    if "(" in str(single):
        return f"bytes a parameter: in float32 {single}, in float64 {double}"
    words = f"{single} bytes a parameter in float32, {double} in float64"
    words += ", of n parameters" if single.square else ""
    return words + ("; it grows with the steps made, six here" if single.grows else "")


@dataclass(frozen=True)
class Measured:
    """Bytes of a state after some steps and before the first, and whether it still grows."""

    size: int
    first: int
    grows: bool


def _bytes(make: Callable[[], Optimizer], problem: Problem, begun: bool = False) -> Measured | None:
    """What one trial keeps; None where the optimizer refuses the problem."""
    try:
        return _measured(make(), problem, begun)
    except (UsageError, ValueError):
        return None


def _affordable(rows: Sequence[Measured | None]) -> bool:
    """A 64 × 64 layer is not measured where 64 × 64 squared numbers would be kept."""
    first, last = rows[0], rows[-1]
    return first is None or last is None or last.size < 2 * max(first.size, 1) * SIZES[-1] / SIZES[0]


def _measured(optimizer: Optimizer, problem: Problem, begun: bool = False) -> Measured:
    """begun: the state before the first step is all there will be."""
    trial = Trials(problem, optimizer, Constant(), [], [0], 100)
    sizes = [state_bytes(trial.state)]
    for step in range(0 if begun else max(STEPS)):
        trial.step(step)
        if step + 1 in STEPS:
            sizes.append(state_bytes(trial.state))
    return Measured(sizes[-1], sizes[0], not begun and sizes[-1] > sizes[1])


def _curve(sizes: Sequence[int]) -> tuple[float, float]:
    """a and b of the parabola a n² + b n + c through the bytes measured at SIZES."""
    (n, m, k), (f, g, h) = map(Fraction, SIZES), map(Fraction, sizes)
    first, second = (g - f) / (m - n), (h - g) / (k - m)
    a = (second - first) / (k - n)
    return float(a), float(first - a * (n + m))


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
