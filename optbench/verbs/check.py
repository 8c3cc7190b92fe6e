"""`optbench check`: the contract tests on a person's own problem, optimizer, schedule or modifier."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console

from .. import registry
from ..api import optimizer, problem
from ..contracts import (
    ContractError,
    modifier_contracts,
    optimizer_contracts,
    problem_contracts,
    schedule_contracts,
    suited,
)
from ..errors import UsageError, one_line
from ..interfaces import BASES

QUIET: dict[str, Any] = {"n": 6, "noise": 0.1}
TRIED: dict[str, dict[str, Any]] = {
    "quadratic": QUIET,
    "mlp": {"data": "iris", "hidden": (4,), "activation": "tanh", "batch_size": 8, "dtype": torch.float64},
}
"""Problems on which a modifier is tried: the first that it takes."""


def check(path: str) -> int:
    """Run every contract and say of each whether it holds. Exit status 1 where one does not."""
    kind, cls = _found(path)
    contracts = _contracts(path, kind, cls)
    out = Console(highlight=False, soft_wrap=True, markup=False)
    out.print(f"{path} as {'an' if kind == 'optimizer' else 'a'} {kind}")
    broken = 0
    for sentence, contract in contracts.items():
        try:
            contract()
        except ContractError as error:
            message = str(error)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            message = f"{type(error).__name__}: {one_line(error)} ({frame.filename}:{frame.lineno})"
        else:
            out.print(f"  ✓ {sentence}")
            continue
        broken += 1
        out.print(f"  ✗ {sentence}\n      {message}", style="red")
    out.print(f"{len(contracts) - broken} of {len(contracts)} contracts hold")
    return 1 if broken else 0


def _found(path: str) -> tuple[str, type]:
    """The kind and the class of a path, or of a name in the tables."""
    if not registry.is_path(path):
        kind = next((kind for kind in BASES if path in registry.table(kind)), "optimizer")
        return kind, registry.resolve(kind, path)
    cls = registry.load_object(path)
    for kind, bases in BASES.items():
        if isinstance(cls, type) and issubclass(cls, bases):
            return kind, cls
    raise UsageError(f"{path} is neither a Problem, an Optimizer, a torch.optim.Optimizer, a Schedule nor a modifier")


def _contracts(path: str, kind: str, cls: type) -> dict[str, Callable[[], None]]:
    try:
        if kind == "problem":
            return problem_contracts(cls)
        if kind == "optimizer":
            settings = {} if "lr" not in _required(cls) else {"lr": 1e-3}
            optimizer(path, **settings)
            single = problem("quadratic", **QUIET, dtype=torch.float32)
            return optimizer_contracts(lambda: optimizer(path, **settings), problem("quadratic", **QUIET), single)
        cls()
        if kind == "schedule":
            return schedule_contracts(cls, problem("quadratic", **QUIET))
        return modifier_contracts(cls, suited(cls, [problem(name, **own) for name, own in TRIED.items()]))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{path} cannot be built: {type(error).__name__}: {one_line(error)}") from error


def _required(cls: type) -> set[str]:
    """Settings without a default."""
    return {n for n, p in inspect.signature(cls).parameters.items() if p.default is inspect.Parameter.empty}
