"""`optbench check`: the contract tests on a person's own problem or optimizer."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import torch
from rich.console import Console

from .. import registry
from ..api import optimizer, problem
from ..contracts import ContractError, optimizer_contracts, problem_contracts
from ..errors import UsageError
from ..interfaces import Optimizer, Problem


def check(path: str) -> int:
    """Run every contract and say of each whether it holds. Exit status 1 where one does not."""
    cls = _found(path)
    contracts = _contracts(path, cls)
    out = Console(highlight=False, soft_wrap=True, markup=False)
    out.print(f"{path} as {'a problem' if issubclass(cls, Problem) else 'an optimizer'}")
    broken = 0
    for sentence, contract in contracts.items():
        try:
            contract()
        except ContractError as error:
            message = str(error)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            message = f"{type(error).__name__}: {' '.join(str(error).split())} ({frame.filename}:{frame.lineno})"
        else:
            out.print(f"  ✓ {sentence}")
            continue
        broken += 1
        out.print(f"  ✗ {sentence}\n      {message}", style="red")
    out.print(f"{len(contracts) - broken} of {len(contracts)} contracts hold")
    return 1 if broken else 0


def _found(path: str) -> type:
    """The class of a path, or of a name in the tables."""
    if registry.is_path(path):
        cls = registry.load_object(path)
    else:
        kind = "problem" if path in registry.table("problem") else "optimizer"
        cls = registry.resolve(kind, path)
    if not (isinstance(cls, type) and issubclass(cls, (Problem, Optimizer, torch.optim.Optimizer))):
        raise UsageError(f"{path} is neither a Problem, an Optimizer nor a torch.optim.Optimizer")
    return cls


def _contracts(path: str, cls: type) -> dict[str, Callable[[], None]]:
    try:
        if issubclass(cls, Problem):
            return problem_contracts(cls)
        settings = {} if "lr" not in _required(cls) else {"lr": 1e-3}
        optimizer(path, **settings)
        quiet = {"n": 6, "noise": 0.1}
        return optimizer_contracts(
            lambda: optimizer(path, **settings),
            problem("quadratic", **quiet),
            problem("quadratic", **quiet, dtype=torch.float32),
        )
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{path} cannot be built: {type(error).__name__}: {' '.join(str(error).split())}") from error


def _required(cls: type) -> set[str]:
    """Settings without a default."""
    import inspect

    return {n for n, p in inspect.signature(cls).parameters.items() if p.default is inspect.Parameter.empty}
