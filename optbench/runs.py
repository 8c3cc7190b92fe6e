"""A run: one (problem, optimizer, schedule, modifiers), tuned, evaluated, timed, and laid out as rows of the result tables."""

from __future__ import annotations

import hashlib
import json
import math
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from . import registry
from .errors import UsageError, near
from .describe import describe
from .interfaces import Modifier, Optimizer, Problem, Schedule
from .meter import PeakMemory, step_seconds
from .optimizers.from_torch import FromTorch
from .optimizers.from_torch import defaults as torch_defaults
from .provenance import host_hash
from .record import Recording
from .runner import Outcome, run_trials
from .search import draw, space
from .statistics.tuning import best_setting
from .tables import Tables
from .trials import Trials

TUNING_SEED = 1_000_000
"""The first tuning seed; evaluation seeds start at 0, so that the two never meet."""
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that decides a run's results, in plain values.

    Args:
        problem, optimizer, schedule, modifiers: each a mapping of `name` and settings; an optimizer may have `class`.
        search: spaces of the settings to tune, in long form.
        tuning: `method`, `trials` (settings) and `seeds`.
        steps: the budget; None: the problem's own.
        seeds: number of evaluation seeds.
        dtype, device: of the parameters; dtype None: the problem's own.
        trials_at_once: None: by memory.
        timeout: seconds for each stage; None: no limit.
    """

    problem: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    modifiers: tuple[dict[str, Any], ...] = ()
    search: dict[str, Any]
    tuning: dict[str, Any]
    steps: int | None = None
    seeds: int = 5
    dtype: str | None = None
    device: str = "cpu"
    trials_at_once: int | None = None
    timeout: float | None = None

    @cached_property
    def spaces(self) -> dict[str, dict[str, Any]]:
        """Spaces of what is searched here; empty where nothing is tuned."""
        if self.tuning["method"] == "none":
            return {}
        return {name: space(name, spec) for name, spec in self.search.items()}

    @cached_property
    def config(self) -> dict[str, Any]:
        """What identifies the run, as JSON values; the chunk size belongs to it only where trials run one by one."""
        config = asdict(self)
        config["search"] = self.spaces
        config["steps"] = self.budget
        del config["timeout"]
        config["trials_at_once"] = 1 if self.trials_at_once == 1 else None
        return config

    @cached_property
    def config_id(self) -> str:
        return _hash(self.config)

    @cached_property
    def run_id(self) -> str:
        sources = [registry.fingerprint(c) for c in self.classes]
        return _hash([self.config, self.classes[0].version, sources])

    @cached_property
    def classes(self) -> tuple[type, ...]:
        """The classes behind problem, optimizer, schedule and modifiers."""
        return (
            registry.resolve("problem", self.problem["name"]),
            self.optimizer_class,
            registry.resolve("schedule", self.schedule["name"]),
            *(registry.resolve("modifier", m["name"]) for m in self.modifiers),
        )

    @cached_property
    def optimizer_class(self) -> type:
        name = self.optimizer["name"]
        if name == "from_torch":
            if "class" not in self.optimizer:
                raise UsageError("optimizer=from_torch needs optimizer.class=…, such as torch.optim.NAdam")
            name = self.optimizer["class"]
        found = registry.resolve("optimizer", name)
        if not (isinstance(found, type) and issubclass(found, (Optimizer, torch.optim.Optimizer))):
            raise UsageError(f"{name} is neither a torch.optim.Optimizer nor an optbench Optimizer")
        return found

    @property
    def budget(self) -> int:
        return self.classes[0].budget if self.steps is None else self.steps

    @property
    def trial_count(self) -> int:
        """Trials of the tuning and the evaluation stage."""
        settings = len(draw(self.spaces, self.tuning["method"], self.tuning["trials"]))
        return settings * self.tuning["seeds"] + (2 if settings else 1) * self.seeds

    @cached_property
    def labels(self) -> dict[str, str]:
        """Names followed by what is neither default nor searched."""
        cls = self.optimizer_class
        foreign = not issubclass(cls, Optimizer)
        name = self.optimizer["name"]
        short = cls.__name__ if foreign or registry.is_path(name) else name
        extra = {} if self.dtype is None else {"dtype": self.dtype}
        return {
            "problem": _label(
                _short(self.problem["name"]), _settings(self.problem) | extra, registry.defaults(self.classes[0])
            ),
            "optimizer": _label(short, _settings(self.optimizer), self.tunable, set(self.spaces)),
            "schedule": _label(
                _short(self.schedule["name"]), _settings(self.schedule), registry.defaults(self.classes[2])
            ),
            "modifier": "+".join(
                _label(_short(m["name"]), _settings(m), registry.defaults(c))
                for m, c in zip(self.modifiers, self.classes[3:], strict=True)
            ),
        }

    @cached_property
    def default(self) -> dict[str, Any] | None:
        """The searched settings as they stand without a search; None where the optimizer has no default for one."""
        values = self.tunable | _settings(self.optimizer)
        return {name: values[name] for name in self.spaces} if all(name in values for name in self.spaces) else None

    def build_problem(self) -> Problem:
        placed = {"dtype": None if self.dtype is None else DTYPES[self.dtype], "device": self.device}
        return registry.make(self.classes[0], self.problem["name"], _settings(self.problem) | placed)

    def build_optimizer(self, chosen: Sequence[Mapping[str, Any]], problem: Problem) -> Optimizer:
        """The optimizer with the settings of each trial: one number where there is one trial, else columns."""
        return self._optimizer(_settings(self.optimizer) | _columns(chosen, problem.kind))

    def _optimizer(self, settings: Mapping[str, Any]) -> Optimizer:
        if issubclass(self.optimizer_class, Optimizer):
            return registry.make(self.optimizer_class, self.optimizer["name"], settings)
        return FromTorch.from_settings(self.optimizer_class, settings)

    def build_schedule(self) -> Schedule:
        return registry.make(self.classes[2], self.schedule["name"], _settings(self.schedule))

    def build_modifiers(self) -> list[Modifier]:
        return [
            registry.make(cls, m["name"], _settings(m))
            for m, cls in zip(self.modifiers, self.classes[3:], strict=True)
        ]

    def parts(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Each part as an identity and a check that builds it; runs that share a part need it checked once.

        The checks raise UsageError, one line that names the fix, where a name, setting or value is wrong.
        """
        yield _hash(["problem", self.problem]), lambda: registry.make(
            self.classes[0], self.problem["name"], _settings(self.problem)
        )
        yield _hash(["optimizer", self.optimizer, self.spaces, self.tuning]), self._check_optimizer
        yield _hash(["schedule", self.schedule]), self.build_schedule
        yield _hash(["modifier", self.modifiers]), self.build_modifiers

    def _check_optimizer(self) -> None:
        known = self.tunable
        for name in self.spaces:
            if name not in known:
                raise UsageError(f"search.{name}: {self.labels['optimizer']} has no setting {name!r}{near(name, known)}")
        self._optimizer(_settings(self.optimizer))
        for chosen in draw(self.spaces, self.tuning["method"], self.tuning["trials"]):
            self._optimizer(_settings(self.optimizer) | chosen)

    @cached_property
    def tunable(self) -> dict[str, Any]:
        """The optimizer's settings with their default values."""
        cls = self.optimizer_class
        return registry.defaults(cls) if issubclass(cls, Optimizer) else torch_defaults(cls)


def execute(run: Run) -> Tables:
    """Do a run: tune, evaluate, time. What goes wrong inside is kept as the status of its trials."""
    torch.set_flush_denormal(True)
    try:
        return _execute(run)
    except UsageError as error:
        return failed(run, "error", str(error))
    except (MemoryError, torch.OutOfMemoryError) as error:
        return failed(run, "out_of_memory", _line(error))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = _line(error) if isinstance(error, (ValueError, TypeError)) else f"{type(error).__name__}: {_line(error)}"
        return failed(run, "error", f"{message} ({where.name}, {where.filename.rsplit('/', 1)[-1]}:{where.lineno})")


def _execute(run: Run) -> Tables:
    problem, schedule, modifiers = run.build_problem(), run.build_schedule(), run.build_modifiers()
    settings = draw(run.spaces, run.tuning["method"], run.tuning["trials"])
    stages: list[_Stage] = []
    with PeakMemory(torch.device(run.device)) as memory:
        winner = None
        if settings:
            seeds = [TUNING_SEED + k for k in range(run.tuning["seeds"])]
            tuning = _stage(run, problem, schedule, modifiers, "tuning", list(enumerate(settings)), seeds)
            stages.append(tuning)
            winner = best_setting(*(x.reshape(len(settings), len(seeds)) for x in tuning.judged(problem)))
        chosen = [] if winner is None else [(winner, settings[winner])]
        if run.default is not None:
            chosen.append((-1, run.default))
        stages.append(_stage(run, problem, schedule, modifiers, "evaluation", chosen, list(range(run.seeds))))
    best = chosen[0][1]

    def one() -> Trials:
        return Trials(problem, run.build_optimizer([best], problem), schedule, modifiers, [0], run.budget)

    seconds, spread = step_seconds(one)
    outcomes = [stage.outcome for stage in stages]
    row = _row(run, problem) | {
        "status": "timeout" if any(o.timed_out for o in outcomes) else "ok",
        "error": "",
        "trials_at_once": max(o.trials_at_once for o in outcomes),
        "step_seconds": seconds,
        "step_seconds_iqr": spread,
        **{f"{name}_seconds": sum(o.seconds[name] for o in outcomes) for name in outcomes[0].seconds},
        "state_bytes": outcomes[-1].state_bytes,
        "peak_bytes": memory.allocated,
        "peak_reserved_bytes": memory.reserved,
    }
    return _tables(run, problem, row, stages)


@dataclass(frozen=True)
class _Stage:
    """Tuning or evaluation: the trials' roles, settings and seeds, and what became of them."""

    roles: list[str]
    settings: list[tuple[int, dict[str, Any]]]
    seeds: list[int]
    outcome: Outcome

    def statuses(self) -> np.ndarray:
        died = self.outcome.recording.died >= 0
        return np.where(died, "diverged", "timeout" if self.outcome.timed_out else "ok")

    def judged(self, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
        """Steps to target and selection loss of each trial."""
        recording = self.outcome.recording
        target = list(problem.targets()).index(problem.target())
        return recording.hit_steps[target], _selection(recording, problem)


def _stage(
    run: Run,
    problem: Problem,
    schedule: Schedule,
    modifiers: list[Modifier],
    role: str,
    settings: list[tuple[int, dict[str, Any]]],
    seeds: list[int],
) -> _Stage:
    each = [s for s in settings for _ in seeds]
    every_seed = seeds * len(settings)
    at_once = run.trials_at_once
    while True:
        try:
            optimizer = run.build_optimizer([chosen for _, chosen in each], problem)
            outcome = run_trials(
                problem,
                optimizer,
                schedule,
                modifiers,
                every_seed,
                run.budget,
                curves=role != "tuning",
                test=role != "tuning",
                trials_at_once=at_once,
                timeout=run.timeout,
            )
            break
        except (MemoryError, torch.OutOfMemoryError):
            at_once = max(1, (at_once or len(each)) // 2)
            if at_once == 1:
                raise
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    roles = ["tuning" if role == "tuning" else "tuned" if number >= 0 else "default" for number, _ in each]
    return _Stage(roles, each, every_seed, outcome)


def _selection(recording: Recording, problem: Problem) -> np.ndarray:
    if problem.judged_by == "objective":
        return recording.final_loss
    values = recording.final.get(problem.judged_by, np.full(len(recording.final_loss), np.nan))
    return np.where(np.isfinite(recording.final_loss) & np.isfinite(values), values, np.inf)


def _row(run: Run, problem: Problem | None) -> dict[str, Any]:
    minimum = None if problem is None else problem.minimum()
    return {
        "run_id": run.run_id,
        "config_id": run.config_id,
        **run.labels,
        "config": json.dumps(run.config, sort_keys=True, default=str),
        "about": json.dumps(about(run, problem), sort_keys=True, default=str),
        "n": -1 if problem is None else problem.layout.n,
        "steps": run.budget,
        "target": math.nan if problem is None else float(problem.target()),
        "minimum": math.nan if minimum is None else float(minimum),
        "dtype": str((run.dtype or run.classes[0].default_dtype)).removeprefix("torch."),
        "device": run.device,
        "sequential": bool(getattr(run.optimizer_class, "sequential", True)),
        "finished": time.time(),
        "host": host_hash(run.device),
    }


def _tables(run: Run, problem: Problem, row: dict[str, Any], stages: list[_Stage]) -> Tables:
    trials: dict[str, list[Any]] = {}
    curves: dict[str, list[Any]] = {}
    hits: dict[str, list[Any]] = {}
    first = 0
    target = list(problem.targets()).index(problem.target())
    for stage in stages:
        recording, count = stage.outcome.recording, len(stage.seeds)
        numbers = np.arange(first, first + count)
        statuses = stage.statuses()
        columns: dict[str, Any] = {
            "run_id": np.full(count, run.run_id),
            "trial": numbers,
            "role": stage.roles,
            "setting": [number for number, _ in stage.settings],
            "seed": stage.seeds,
            "status": statuses,
            "status_step": recording.died,
            "final_loss": np.where(statuses == "ok", recording.final_loss, np.inf),
            "best_loss": recording.best_loss,
            "start_loss": recording.start_loss,
            "selection_loss": _selection(recording, problem),
            "steps_to_target": recording.hit_steps[target],
            "evaluations_to_target": recording.hit_evaluations[target],
            "evaluations": recording.evaluations,
        }
        for name in run.spaces:
            values = [chosen[name] for _, chosen in stage.settings]
            columns[name] = [v if isinstance(v, (int, float)) else json.dumps(v) for v in values]
        for name, value in recording.final.items():
            columns[f"final_{name}"] = value
        _append(trials, columns)
        targets, each = len(recording.hit_steps), list(problem.targets())
        _append(
            hits,
            {
                "run_id": np.full(targets * count, run.run_id),
                "trial": np.tile(numbers, targets),
                "target": np.repeat(each, count),
                "step": recording.hit_steps.reshape(-1),
                "evaluations": recording.hit_evaluations.reshape(-1),
            },
        )
        if recording.curves:
            _append(curves, _curves(run, recording, numbers, row["step_seconds"]))
        first += count
    joined = [{name: np.concatenate(parts) for name, parts in table.items()} for table in (trials, curves, hits)]
    return Tables.of(row, *joined)


def _append(table: dict[str, list[Any]], columns: dict[str, Any]) -> None:
    rows = len(next(iter(columns.values())))
    had = sum(len(part) for part in next(iter(table.values()), []))
    for name in {**table, **columns}:
        parts = table.setdefault(name, [np.full(had, np.nan)] if had else [])
        parts.append(np.asarray(columns.get(name, np.full(rows, np.nan))))


def _curves(run: Run, recording: Recording, numbers: np.ndarray, seconds: float) -> dict[str, Any]:
    """Long form: one row a (trial, recorded step) at which anything is known and the trial still lived."""
    steps = recording.steps
    lived = (recording.died < 0)[None, :] | (steps[:, None] < recording.died[None, :])
    known = np.zeros(lived.shape, dtype=bool)
    for name in ("loss", "objective"):
        if name in recording.curves:
            known |= np.isfinite(recording.curves[name])
    step_index, trial_index = np.nonzero((lived & known).T)[::-1]
    return {
        "run_id": np.full(len(step_index), run.run_id),
        "trial": numbers[trial_index],
        "step": steps[step_index],
        "seconds": steps[step_index] * seconds,
        **{name: value[step_index, trial_index] for name, value in recording.curves.items()},
    }


def failed(run: Run, status: str, message: str) -> Tables:
    """Rows for a run that stopped as a whole: every evaluation trial stays in the denominators."""
    roles = ["default"] if not run.spaces else ["tuned", "default"]
    count = len(roles) * run.seeds
    infinite, unknown = np.full(count, np.inf), np.full(count, np.nan)
    row = _row(run, None) | {"status": status, "error": message, "trials_at_once": 0}
    row |= dict.fromkeys(("step_seconds", "step_seconds_iqr", "state_bytes", "peak_bytes"), math.nan)
    row |= dict.fromkeys(("peak_reserved_bytes", "train_seconds", "evaluate_seconds", "record_seconds"), math.nan)
    trials: dict[str, Any] = {
        "run_id": np.full(count, run.run_id),
        "trial": np.arange(count),
        "role": np.repeat(roles, run.seeds),
        "setting": np.full(count, -1),
        "seed": list(range(run.seeds)) * len(roles),
        "status": np.full(count, status),
        "status_step": np.zeros(count, dtype=np.int64),
        "evaluations": np.zeros(count),
        "start_loss": unknown,
    }
    trials |= dict.fromkeys(
        ("final_loss", "best_loss", "selection_loss", "steps_to_target", "evaluations_to_target"), infinite
    )
    return Tables.of(row, trials, {}, {})


def about(run: Run, problem: Problem | None) -> dict[str, Any]:
    """What a report says of problem, optimizer and schedule without building them anew."""
    labels, cls = run.labels, run.optimizer_class
    own = issubclass(cls, Optimizer)
    words = {k: {w: describe(c)[w] for w in ("summary", "formula", "text", "source")} for k, c in zip(
        ("problem", "optimizer", "schedule"), run.classes, strict=False)}
    told: dict[str, Any] = {
        "optimizer": words["optimizer"] | {
            "label": labels["optimizer"],
            "name": run.optimizer["name"],
            "family": cls.family if own else FromTorch.family,
            "defaults": _settings(run.optimizer),
            "search": run.spaces,
            "sequential": cls.sequential if own else True,
        },
        "schedule": words["schedule"] | {"label": labels["schedule"], "name": run.schedule["name"]},
        "problem": words["problem"] | {"label": labels["problem"], "name": run.problem["name"]},
    }
    if problem is not None:
        minimiser = problem.minimiser()
        told["problem"] |= {
            "family": problem.family,
            "n": problem.layout.n,
            "minimum": problem.minimum(),
            "minimiser": None if minimiser is None or problem.layout.n > 100 else minimiser.tolist(),
            "target": float(problem.target()),
            "targets": [float(t) for t in problem.targets()],
            "budget": problem.budget,
            "judged_by": problem.judged_by,
            "metrics": [] if problem.cheap else [m for m in problem.evaluate(problem.start([0]), 0) if m != "objective"],
            "contours": _contours(problem),
        }
    return told


def _contours(problem: Problem, points: int = 81) -> dict[str, Any] | None:
    window = problem.domain()
    if window is None:
        return None
    x, y = (torch.linspace(low, high, points, **problem.kind) for low, high in window)
    grid = torch.cartesian_prod(y, x).flip(1)
    z = problem.evaluate(grid, 0)["objective"].reshape(points, points)
    return {"x": x.tolist(), "y": y.tolist(), "z": [[float(f"{v:.6g}") for v in row] for row in z.tolist()]}


def _columns(chosen: Sequence[Mapping[str, Any]], kind: dict[str, Any]) -> dict[str, Any]:
    """Settings of many trials as columns `[trials, 1]`.

    >>> _columns([{"lr": 0.1}, {"lr": 0.2}], {"dtype": torch.float64})["lr"].tolist()
    [[0.1], [0.2]]
    """
    names = dict.fromkeys(name for settings in chosen for name in settings)
    return {name: _column(name, [settings[name] for settings in chosen], kind) for name in names}


def _column(name: str, values: list[Any], kind: dict[str, Any]) -> Any:
    if len(values) == 1:
        return values[0]
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        return torch.tensor(values, **kind)[:, None]
    if all(isinstance(v, (list, tuple)) for v in values) and len({len(v) for v in values}) == 1:
        return tuple(_column(name, list(items), kind) for items in zip(*values, strict=True))
    if all(v == values[0] for v in values):
        return values[0]
    raise UsageError(f"search.{name}: only numbers can differ between trials, got {values[0]!r} and others")


def _settings(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key not in ("name", "class", "search")}


def _short(name: str) -> str:
    return name.rpartition(":")[2] if ":" in name else name.rpartition(".")[2] if registry.is_path(name) else name


def _label(name: str, settings: Mapping[str, Any], known: Mapping[str, Any], hidden: set[str] | None = None) -> str:
    told = [
        f"{key}={_plain(value)}"
        for key, value in settings.items()
        if key not in (hidden or set()) and not _same(value, known.get(key))
    ]
    return f"{name}({', '.join(told)})" if told else name


def _same(value: Any, default: Any) -> bool:
    value, default = (tuple(v) if isinstance(v, list) else v for v in (value, default))
    return value == default


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" ", "")


def _hash(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
