"""Do the parts of a run fit together? Asked while a sweep is planned, so that no run begins that cannot."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .columns import elementwise
from .data.openml import must_be_downloaded
from .errors import MisfitError, UsageError, near, one_line
from .interfaces import AVERAGES, Modifier, Optimizer, OracleModifier, Problem, UpdateModifier
from .nn import Learning
from .optimizers.class_settings import signature
from .oracle import BatchOracle
from .registry import make
from .runs import Run, digest, settings_of
from .schedules.batch_size import BATCH_SIZE, check_batch_size
from .schedules.planned import looked_at
from .schedules.several import check_factors, check_scaled, name_of, numbers_of, plain
from .search import draw
from .traced import check_compiler
from .trials import changed, fitted, wrapped


def fitting(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Build each distinct part once, so that whatever is wrong is said before anything runs.

    Returns the runs whose optimizers can work on their problems, and a line for each of the others.

    Raises:
        UsageError: something is wrong, or no run is left.
    """
    known: dict[str, MisfitError | None] = {}
    kept, left_out = [], dict[str, None]()
    for run in runs:
        misfit = None
        for name, check in checks(run):
            if name not in known:
                try:
                    check()
                    known[name] = None
                except MisfitError as error:
                    known[name] = error
            misfit = misfit or known[name]
        if misfit is None:
            kept.append(run)
        else:
            left_out[str(misfit)] = None
    if not kept:
        raise MisfitError("; ".join(left_out))
    return kept, list(left_out)


LOW = 0.9
"""Part of the rate below which a schedule's highest point is told."""


def remarks(runs: Sequence[Run]) -> list[str]:
    """Lines on what can be run but is hardly meant: a schedule that never comes to the full rate in the steps there are."""
    lines: dict[tuple[str, int], str] = {}
    for run in runs:
        name, steps = run.labels["schedule"], run.budget
        if (name, steps) in lines:
            continue
        highest = max(_factors(run))
        told = f"of its full rate, {highest:.2g} is the most that it comes to within steps={steps}"
        lines[name, steps] = f"schedule {name}: {told}" if highest < LOW else ""
    return [line for line in lines.values() if line]


def _factors(run: Run) -> Iterator[float]:
    """Of the rate, at the steps that are looked at."""
    schedule, steps, step = run.build_schedule(), run.budget, 0
    try:
        state = schedule.init(1, steps)
        for step in looked_at(steps):
            factor = float(schedule.factor(step, steps, state))
            if not math.isfinite(factor):
                raise ValueError(f"its factor is {factor}")
            yield factor
    except Exception as error:  # of a class of one's own
        told = f"{type(error).__name__}: {one_line(error)}"
        raise UsageError(f"schedule {run.labels['schedule']} fails at step {step} of {steps} ({told})") from error


def checks(run: Run) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each part as an identity and a check that builds it; runs that share a part need it checked once.

    The checks raise UsageError, one line that names the fix, where a name, setting or value is wrong.
    """
    yield digest(["problem", run.problem, run.instruments]), partial(_problem, run)
    yield digest(["optimizer", run.optimizer, run.spaces, run.tuning]), partial(_optimizer, run)
    yield digest(["schedule", run.schedule, run.schedules]), run.build_schedule
    yield digest(["modifier", run.modifiers, run.problem, run.dtype, run.budget]), partial(_modifiers, run)
    if issubclass(run.optimizer_class, Optimizer) and run.optimizer_class.check is not Optimizer.check:
        of = [run.optimizer, run.spaces, run.tuning, run.problem, run.modifiers, run.dtype]
        yield digest(["together", of]), partial(_together, run)
    if run.schedules:
        of = [run.schedules, run.problem, run.optimizer, run.modifiers, run.spaces, run.tuning]
        yield digest(["schedules", of, run.budget]), partial(_schedules, run)
    if run.compile:
        yield digest(["compiler", run.optimizer, run.spaces, run.tuning]), partial(_compiler, run)


def _problem(run: Run) -> None:
    problem = make(run.classes[0], run.problem["name"], settings_of(run.problem))
    try:
        if isinstance(problem, Learning) and not must_be_downloaded(problem.data):
            problem.examine()
        problem.stream([0])
        for name, instrument in run.build_instruments().items():
            try:
                instrument.check(problem)
            except UsageError as error:
                raise UsageError(f"{run.labels['problem']}: the instrument {name} {error}") from error
    except ValueError as error:  # such as a batch larger than the data
        named = str(error).startswith(run.labels["problem"])  # of a module of one's own, whose name is the problem's
        raise UsageError(str(error) if named else f"{run.labels['problem']}: {error}") from error


def _modifiers(run: Run) -> None:
    modifiers, names = run.build_modifiers(), [m["name"] for m in run.modifiers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"modifier=[{','.join(names)}]: {twice} is there {names.count(twice)} times; name it once")
    called = [name_of(modifier) for modifier in modifiers]
    if len(set(called)) < len(called):
        raise UsageError(f"modifier=[{','.join(names)}]: two classes have the same name; give one of them another")
    averages = [
        name
        for name, modifier in zip(names, modifiers, strict=True)
        if isinstance(modifier, UpdateModifier) and modifier.turn == AVERAGES
    ]
    if len(averages) > 1:
        raise UsageError(
            f"modifier=[{','.join(names)}]: one average is judged, not {' and '.join(averages)}; keep one of them"
        )
    if not any(_is_choosy(modifier) for modifier in modifiers):
        return
    problem = _problem_of(run)
    if isinstance(problem, Learning) and must_be_downloaded(problem.data):
        return
    try:
        fitted(problem, modifiers, run.budget)
    except ValueError as error:
        raise UsageError(f"{run.labels['problem']}: {error}") from error


def _problem_of(run: Run) -> Problem:
    """On the CPU: nothing is planned on a card."""
    return replace(run, device="cpu").build_problem()


def _is_choosy(modifier: Modifier) -> bool:
    """Does it work with some problems only?"""
    for kind in (OracleModifier, UpdateModifier):
        if isinstance(modifier, kind):
            return type(modifier).check is not kind.check
    return True


def _together(run: Run) -> None:
    """Do optimizer, problem and modifiers fit? Asked of the optimizers that need more than gradients."""
    problem = _problem_of(run)
    if isinstance(problem, Learning) and must_be_downloaded(problem.data):
        return
    optimizer, modifiers = _first_made(run), run.build_modifiers()
    try:
        problem = changed(problem, modifiers)
        params, oracle = problem.start([0]), BatchOracle(problem, problem.stream([0]), 1)
        optimizer.check(params, wrapped(oracle, modifiers, params, [0], run.budget))
    except ValueError as error:
        raise MisfitError(f"{run.labels['optimizer']} on {run.labels['problem']}: {error}") from error


def _schedules(run: Run) -> None:
    schedule: Any = run.build_schedule()
    modifiers = {name_of(m): (name["name"], m) for m, name in zip(run.build_modifiers(), run.modifiers, strict=True)}
    for key in run.schedules:
        owner, _, setting = key.rpartition(".")
        if key == BATCH_SIZE:
            size = getattr(make(run.classes[0], run.problem["name"], settings_of(run.problem)), key, None)
            check_batch_size(run.labels["problem"], size, schedule.others[key], run.budget)
        elif not owner and not issubclass(run.optimizer_class, Optimizer):
            raise UsageError(
                f"schedules.{key}: of {run.labels['optimizer']}, a torch class, only the rate can have a schedule"
            )
        elif not owner:
            optimizer = _first_made(run)
            if plain(setting) in modifiers and not hasattr(optimizer, setting):
                its = [f"schedules.{key}.{name}" for name in numbers_of(modifiers[plain(setting)][1])]
                raise UsageError(f"schedules.{key}: {key} is a modifier; say which of its numbers: {', '.join(its)}")
            check_scaled(run.labels["optimizer"], optimizer, setting, f"schedules.{key}")
        elif plain(owner) in modifiers:
            if not isinstance(modifiers[plain(owner)][1], (OracleModifier, UpdateModifier)):
                raise UsageError(f"schedules.{key}: {owner} changes the problem once, before the first step")
            check_scaled(*modifiers[plain(owner)], setting, f"schedules.{key}")
        else:
            raise UsageError(f"schedules.{key}: {owner} is not among the modifiers; add modifier=[{owner}]")
    rules = []
    if issubclass(run.optimizer_class, Optimizer):
        tried = [run.default, run.all_drawn] if run.spaces and run.default is not None else [run.all_drawn]
        rules = [("", run.make_optimizer(settings_of(run.optimizer) | settings)) for settings in tried]
    check_factors(schedule, run.budget, [*rules, *modifiers.values()])


def _compiler(run: Run) -> None:
    """Is there one, if the rule is one that is compiled?"""
    if issubclass(run.optimizer_class, Optimizer) and elementwise(_first_made(run)):
        check_compiler()


def _first_made(run: Run) -> Any:
    """The optimizer with its defaults where they are run, else with the first settings drawn."""
    chosen = run.default or next(iter(draw(run.spaces, run.tuning["method"], run.tuning["trials"])), {})
    return run.make_optimizer(settings_of(run.optimizer) | chosen)


def _optimizer(run: Run) -> None:
    ours = issubclass(run.optimizer_class, Optimizer)
    known = list(inspect.signature(run.optimizer_class).parameters) if ours else signature(run.optimizer_class)
    for name in run.spaces:
        if known is not None and name not in known:
            raise UsageError(f"search.{name}: {run.labels['optimizer']} has no setting {name!r}{near(name, known)}")
    if not run.spaces or run.default is not None:
        run.make_optimizer(settings_of(run.optimizer))
    if ours:  # as columns, whose errors name the trial
        run.make_optimizer(settings_of(run.optimizer) | run.all_drawn)
    drawn = draw(run.spaces, run.tuning["method"], run.tuning["trials"])
    for chosen in drawn:
        run.make_optimizer(settings_of(run.optimizer) | chosen)
