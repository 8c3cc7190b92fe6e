"""The Python API: `optbench.run`, `optbench.load`, and one problem, optimizer or schedule by name."""

from __future__ import annotations

import os
import warnings
from typing import Any

from .errors import PlanWarning, UsageError
from .interfaces import Optimizer, Problem, Schedule
from .registry import build, make, resolve
from .store import Results


def problem(name: str, **settings: Any) -> Problem:
    """One problem by name, dotted path or PATH.py:NAME: `optbench.problem("rosenbrock", n=4)`.

    dtype and device are torch's own or their names: `optbench.problem("mlp", dtype="float64")`.

    Raises:
        UsageError: an unknown name or setting, or a value outside its range.
    """
    from .placing import DTYPES, checked_device, checked_dtype

    if settings.get("dtype") is not None:
        settings["dtype"] = DTYPES[checked_dtype(str(settings["dtype"]).removeprefix("torch."))]
    if "device" in settings:
        settings["device"] = checked_device(settings["device"])
    return build("problem", name, settings)


def optimizer(name: str, **settings: Any) -> Optimizer:
    """One optimizer by name, dotted path or PATH.py:NAME, torch.optim classes too: `optbench.optimizer("adam", lr=1e-2)`.

    Raises:
        UsageError: an unknown name or setting, or a value outside its range.
    """
    cls = resolve("optimizer", name)
    if issubclass(cls, Optimizer):
        return make(cls, name, settings)
    from .optimizers.from_torch import FromTorch

    return FromTorch.from_settings(cls, settings)


def schedule(name: str, **settings: Any) -> Schedule:
    """One schedule by name: `optbench.schedule("cosine", warmup=0.1)`.

    Raises:
        UsageError: an unknown name or setting, or a value outside its range.
    """
    return build("schedule", name, settings)


def load(path: str | os.PathLike[str]) -> Results:
    """The results of a folder: `.runs`, `.trials`, `.curves` and `.hits` are pandas frames (docs/results.md).

    Raises:
        UsageError: the folder is missing, foreign, or of a newer version.
    """
    return Results(path)


def run(*overrides: str, **settings: Any) -> Results:
    """A sweep in the grammar of the command line, its results returned: `optbench.run("optimizer=adam,sgd", steps=500)`.

    Runs in this process unless `executor=local` is asked for (which needs the usual `if __name__ == "__main__":` in
    a script). Runs that the folder holds already are not done again.

    Raises:
        UsageError: a name, key or value is wrong.
    """
    from .plan import plan
    from .progress import SweepProgress
    from .sweep import sweep

    words = [*overrides, *(_override(key, value) for key, value in settings.items())]
    if not any(word.startswith("executor=") for word in words):
        words.append("executor=serial")
    planned = plan(words)
    for line in planned.left_out + planned.remarks:
        warnings.warn(line, PlanWarning, stacklevel=2)
    with SweepProgress() as progress:
        sweep(planned, progress)
    return Results(planned.results)


def _override(key: str, value: Any) -> str:
    """A keyword as an override; a list of problems, optimizers or schedules is swept over."""
    if key in ("problem", "optimizer", "schedule") and isinstance(value, (list, tuple)):
        return f"{key}={','.join(_written(item) for item in value)}"
    return f"{key}={_written(value)}"


def _written(value: Any) -> str:
    """A Python value in the grammar of overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_written(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}: {_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (str, int, float, os.PathLike)):
        text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
        return f"'{text}'" if isinstance(value, os.PathLike) else text
    raise UsageError(f"cannot write {value!r} as a setting")
