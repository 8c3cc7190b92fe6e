"""Doing a run: its stages, its step time and its memory; what goes wrong is kept as a status."""

from __future__ import annotations

import traceback

import torch

from .columns import Stepper
from .errors import UsageError, one_line
from .memory import out_of_memory
from .meter import PeakMemory, step_seconds
from .rows import failed_tables, run_row, run_tables
from .runs import Run
from .stages import Parts, run_stages
from .tables import Tables
from .trials import Trials


def execute(run: Run) -> Tables:
    """Tune, evaluate, time. Never raises: a run that stops as a whole leaves rows with its status and message."""
    try:
        return _execute(run)
    except UsageError as error:
        return _failed(run, "error", str(error))
    except (Exception, SystemExit) as error:  # a class that calls sys.exit ends its run, not the sweep
        if out_of_memory(error):
            return _failed(run, "out_of_memory", one_line(error))
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = (
            one_line(error)
            if isinstance(error, (ValueError, TypeError))
            else f"{type(error).__name__}: {one_line(error)}"
        )
        return _failed(run, "error", f"{message} ({where.name}, {where.filename.rsplit('/', 1)[-1]}:{where.lineno})")


def _failed(run: Run, status: str, message: str) -> Tables:
    """Rows of a run that failed, with what can be told of its problem: often it is the optimizer that is at fault."""
    try:
        return failed_tables(run, status, message, run.build_problem())
    except Exception:  # then it is the problem; the message says so already
        return failed_tables(run, status, message)


def _execute(run: Run) -> Tables:
    parts = Parts(run.build_problem(), run.build_schedule(), run.build_modifiers())
    problem = parts.problem
    if problem.target() not in list(problem.targets()):
        raise ValueError(f"{run.labels['problem']}: target() is {problem.target():g}, which is none of targets()")
    with PeakMemory(torch.device(run.device)) as memory:
        stages, outcomes = run_stages(run, parts)
    evaluated = stages[-1].settings[0][1]

    def one() -> Trials:
        optimizer = run.build_optimizer([evaluated], problem)
        return Trials(problem, optimizer, parts.schedule, parts.modifiers, [0], run.budget, Stepper(run.compile))

    seconds, spread = step_seconds(one)
    timed_out = any(o.timed_out for o in outcomes)
    row = run_row(run, problem) | {
        "status": "timeout" if timed_out else "ok",
        "error": f"not done after timeout={run.timeout:g} seconds; raise it or set fewer steps" if timed_out else "",
        "trials_at_once": max(o.trials_at_once for o in outcomes),
        "step_seconds": seconds,
        "step_seconds_iqr": spread,
        **{f"{name}_seconds": sum(o.seconds[name] for o in outcomes) for name in outcomes[0].seconds},
        "state_bytes": outcomes[-1].state_bytes,
        "peak_bytes": memory.allocated,
        "peak_reserved_bytes": memory.reserved,
    }
    return run_tables(run, problem, row, stages)
