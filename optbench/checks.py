"""Settings: their ranges beside their defaults, and one line that names rule, value and trial where one is broken."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from .errors import UsageError as UsageError
from .errors import near as near

AT_START = "it is looked at before the first step alone"
"""Why a setting can have no schedule."""
LARGEST = 2**53
"""The whole numbers up to it are exact in float64."""


@dataclass(frozen=True)
class Range:
    """Values a setting may take: an interval (`above`/`below` exclude the end) or a list of choices."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: tuple[Any, ...] = ()
    whole: bool = False
    optional: bool = False

    def __str__(self) -> str:
        if self.choices:
            return "{" + ", ".join(map(str, self.choices)) + "}"
        low = (
            f"[{self.least:g}" if self.least is not None else f"({self.above:g}" if self.above is not None else "(-inf"
        )
        high = f"{self.most:g}]" if self.most is not None else f"{self.below:g})" if self.below is not None else "inf)"
        return f"{low}, {high}" + (", whole" if self.whole else "") + (", or null" if self.optional else "")

    def broken(self, value: float | Tensor) -> Any:
        """Truth of "value lies outside", a bool or a tensor of them; nan and inf lie outside."""
        out = ~torch.isfinite(value) if isinstance(value, Tensor) else not math.isfinite(value)
        for end, is_out in (
            (self.least, lambda v, e: v < e),
            (self.above, lambda v, e: v <= e),
            (self.most, lambda v, e: v > e),
            (self.below, lambda v, e: v >= e),
        ):
            if end is not None:
                out = out | is_out(value, end)
        return out


def setting(
    default: Any = MISSING,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    choices: Iterable[Any] = (),
    optional: bool = False,
    no_schedule: str = "",
    only: Mapping[str, tuple[Any, ...]] | None = None,
) -> Any:
    """A dataclass field with a range: `lr: Hyper = setting(1e-3, least=0)` must lie in [0, inf).

    A default that is an int (not a bool) makes the setting whole; a tuple default checks each item. `optional` lets
    None through. `no_schedule`: why no schedule can change it.
    `only`: values of other settings, one of which they must have for it to have an effect; else it must stay as it is.
    """
    whole = isinstance(default, int) and not isinstance(default, bool)
    legal = Range(least, above, most, below, tuple(choices), whole, optional)
    return field(default=default, metadata={"range": legal, "no_schedule": no_schedule, "only": dict(only or {})})


def check_settings(owner: Any) -> None:
    """Raise a ValueError or TypeError with one clear line if any field of this dataclass breaks its type or range."""
    for f in fields(owner):
        legal, value = f.metadata.get("range"), getattr(owner, f.name)
        if legal is not None:
            if isinstance(value, Tensor) and f.type in ("int", int):
                raise TypeError(f"{type(owner).__name__}: {f.name} is one number for all trials and cannot be searched")
            check_value(type(owner).__name__, f.name, value, f.default, legal)
            if f.metadata.get("only") and (isinstance(value, Tensor) or value != f.default):
                _check_effect(owner, f)


def _check_effect(owner: Any, f: Field[Any]) -> None:
    for name, wanted in f.metadata["only"].items():
        found = getattr(owner, name)
        if found not in wanted:
            got = f"got {name}={str(found).lower()}"
            raise ValueError(f"{type(owner).__name__}: {f.name} has an effect {with_only(f)}, {got}")


def with_only(f: Field[Any]) -> str:
    """Where alone a setting has an effect, such as `only with onto=ball`; nothing of one that always has."""
    told = [f"{name}={' or '.join(str(v).lower() for v in good)}" for name, good in f.metadata.get("only", {}).items()]
    return f"only with {' and '.join(told)}" if told else ""


def check_ordered(owner: Any, rule: str, low: float | Tensor, high: float | Tensor) -> None:
    """Raise a ValueError, one line that states the rule and names the trial, where low lies above high."""
    lower, upper = (
        end.reshape(-1)
        for end in torch.broadcast_tensors(*(torch.as_tensor(end, dtype=torch.float64) for end in (low, high)))
    )
    wrong = (lower > upper).nonzero()
    if len(wrong):
        k = int(wrong[0])
        where = f" in trial {k}" if len(lower) > 1 else ""
        raise ValueError(f"{type(owner).__name__}: {rule}, got {lower[k].item():g} and {upper[k].item():g}{where}")


def check_value(owner: str, name: str, value: Any, default: Any, legal: Range) -> None:
    """Raise a ValueError or TypeError, one clear line, if a value breaks its range or is of another type than the default."""
    if value is None and legal.optional:
        return
    if isinstance(value, Tensor) and (legal.choices or isinstance(default, bool)):
        raise TypeError(f"{owner}: {name} is no number, so it must be the same in all trials and cannot be searched")
    if legal.choices:
        if value not in legal.choices:
            words = [str(choice) for choice in legal.choices]
            raise ValueError(
                f"{owner}: {name} must be one of {', '.join(words)}, got {value!r}{near(str(value), words)}"
            )
    elif isinstance(default, bool):
        if not isinstance(value, bool):
            raise TypeError(f"{owner}: {name} must be true or false, got {value!r}")
    elif isinstance(default, tuple):
        if not isinstance(value, (tuple, list)) or len(value) != len(default):
            raise TypeError(f"{owner}: {name} must hold {len(default)} numbers, got {value!r}")
        for item, item_default in zip(value, default, strict=True):
            check_value(owner, name, item, item_default, legal)
    elif isinstance(value, Tensor):
        wrong = legal.broken(value)
        if bool(wrong.any()):
            trial = int(wrong.reshape(-1).nonzero()[0])
            raise ValueError(
                f"{owner}: {name} must lie in {legal}, got {value.reshape(-1)[trial].item():g} in trial {trial}"
            )
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{owner}: {name} must be a number, got {value!r}")
    elif legal.broken(value):
        raise ValueError(f"{owner}: {name} must lie in {legal}, got {value:g}")
    elif legal.whole and value != int(value):
        raise TypeError(f"{owner}: {name} must be a whole number, got {value!r}")
    elif legal.whole and abs(value) > LARGEST:
        raise ValueError(f"{owner}: {name} must be a whole number of at most 2**53, got {value:g}")
