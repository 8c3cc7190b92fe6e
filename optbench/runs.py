"""A run in plain values: one (problem, optimizer, schedule, modifiers), its identity, its labels, and how its parts are built."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

import torch

from .data.openml import must_be_downloaded
from .errors import MisfitError, UsageError, near
from .instruments import INSTRUMENTS, Instrument, Surface
from .interfaces import Modifier, Optimizer, OracleModifier, Problem, Schedule, TrialsModifier, UpdateModifier
from .nn import Learning
from .optimizers.from_torch import FromTorch
from .optimizers.from_torch import defaults as torch_defaults
from .oracle import BatchOracle
from .registry import defaults, fingerprint, is_path, load_object, make, resolve
from .schedules.batch_size import BATCH_SIZE, check_batch_size
from .schedules.parts import within
from .schedules.several import Several, check_factors, check_scaled, name_of, numbers_of
from .search import draw, space
from .trials import changed, wrapped

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}

AVERAGES = 3
"""The turn of modifiers that judge at an average."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that decides a run's results, in plain values.

    Args:
        problem, optimizer, schedule, modifiers: each a mapping of `name` and settings; an optimizer may have `class`.
        schedules: schedules of other settings than the rate, by their names: a name, or a mapping of `name` and settings.
        search: spaces of the settings to tune, in long form.
        tuning: `method`, `trials` (settings) and `seeds`.
        steps: the budget; None: the problem's own.
        seeds: number of evaluation seeds.
        dtype, device: of the parameters; dtype None: the problem's own.
        trials_at_once: None: by memory.
        instruments: names of what else is measured.
        compile: steps of rules that treat elements apart are compiled; bits differ, so it is part of the identity.
        timeout: seconds for each stage; None: no limit.
        memory: bytes for the trials held at once; None: a fixed number. Like timeout no part of the run's identity.
        full_names: label classes given by a path with all of it, where another of the same name is in the sweep; no
            part of the run's identity.
    """

    problem: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    modifiers: tuple[dict[str, Any], ...] = ()
    schedules: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any]
    tuning: dict[str, Any]
    steps: int | None = None
    seeds: int = 5
    dtype: str | None = None
    device: str = "cpu"
    trials_at_once: int | None = None
    instruments: tuple[str, ...] = ()
    compile: bool = False
    timeout: float | None = None
    memory: int | None = None
    full_names: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """The plain values alone: a worker finds the classes by name, since those of files are not importable there."""
        return {f.name: self.__dict__[f.name] for f in fields(self)}

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
        config["tuning"] = self.tuning if self.spaces else {"method": "none"}
        del config["timeout"], config["memory"], config["full_names"]
        if not self.schedules:
            del config["schedules"]
        config["trials_at_once"] = 1 if self.trials_at_once == 1 else None
        return config

    @cached_property
    def config_id(self) -> str:
        return _hash(self.config)

    @cached_property
    def run_id(self) -> str:
        sources = [fingerprint(c) for c in self.classes]
        paths = (self.optimizer.get("params"), self.problem.get("network_class"), self.problem.get("data"))
        named = [load_object(path) for path in paths if isinstance(path, str) and is_path(path)]
        sources += [fingerprint(found) for found in named if callable(found)]
        sources += [fingerprint(type(instrument)) for instrument in self.build_instruments().values()]
        sources += [fingerprint(type(part)) for part in within(self.build_schedule())]
        return _hash([self.config, self.classes[0].version, sources])

    @cached_property
    def classes(self) -> tuple[type, ...]:
        """The classes behind problem, optimizer, schedule and modifiers."""
        return (
            resolve("problem", self.problem["name"]),
            self.optimizer_class,
            resolve("schedule", self.schedule["name"]),
            *(resolve("modifier", m["name"]) for m in self.modifiers),
        )

    @cached_property
    def optimizer_class(self) -> type:
        name = self.optimizer.get("class", self.optimizer["name"])
        if name in ("from_torch", "???"):
            raise UsageError("optimizer=from_torch needs optimizer.class=…, such as torch.optim.NAdam")
        found = resolve("optimizer", name)
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
        evaluated = 1 if not settings or self.default is None else 2
        return settings * self.tuning["seeds"] + evaluated * self.seeds

    @cached_property
    def labels(self) -> dict[str, str]:
        """Names followed by what is neither default nor searched."""
        named = self.optimizer["name"]
        if named == "from_torch":
            named = self.optimizer["class"]
        usual = str(self.classes[0].default_dtype).removeprefix("torch.")
        extra = {} if self.dtype in (None, usual) else {"dtype": self.dtype}
        network = self.problem.get("network_class")  # a module of one's own is called by its own name
        return {
            "problem": _label(
                self._short(network or self.problem["name"]),
                settings_of(self.problem) | extra,
                defaults(self.classes[0]),
                {"network_class"},
            ),
            "optimizer": _label(self._short(named), settings_of(self.optimizer), self.known_defaults, set(self.spaces)),
            "schedule": _label(
                self.schedule["name"], settings_of(self.schedule) | self.schedules, defaults(self.classes[2])
            ),
            "modifier": "+".join(
                _label(m["name"], settings_of(m), defaults(c))
                for m, c in zip(self.modifiers, self.classes[3:], strict=True)
            ),
        }

    def _short(self, name: str) -> str:
        if self.full_names or not is_path(name):
            return name
        return name.rpartition(":" if ":" in name else ".")[2]

    @cached_property
    def default(self) -> dict[str, Any] | None:
        """The searched settings as they stand without a search; None where the optimizer has no default for one."""
        values = self.known_defaults | settings_of(self.optimizer)
        return {name: values[name] for name in self.spaces} if all(name in values for name in self.spaces) else None

    def build_problem(self) -> Problem:
        placed = {"dtype": None if self.dtype is None else DTYPES[self.dtype], "device": self.device}
        return make(self.classes[0], self.problem["name"], settings_of(self.problem) | placed)

    def build_optimizer(self, chosen: Sequence[Mapping[str, Any]], problem: Problem) -> Optimizer:
        """The optimizer with the settings of each trial: one number where there is one trial, else columns."""
        kind = problem.kind
        if not issubclass(self.optimizer_class, Optimizer):  # a torch class takes Python numbers, so none is rounded
            kind = {**kind, "dtype": torch.float64}
        return self._optimizer(settings_of(self.optimizer) | columns(chosen, kind))

    def _optimizer(self, settings: Mapping[str, Any]) -> Optimizer:
        if issubclass(self.optimizer_class, Optimizer):
            return make(self.optimizer_class, self.optimizer["name"], settings)
        return FromTorch.from_settings(self.optimizer_class, settings)

    def build_schedule(self) -> Schedule:
        rate = make(self.classes[2], self.schedule["name"], settings_of(self.schedule))
        return Several.of(rate, self.schedules) if self.schedules else rate

    def build_modifiers(self) -> list[Modifier]:
        return [make(cls, m["name"], settings_of(m)) for m, cls in zip(self.modifiers, self.classes[3:], strict=True)]

    def build_instruments(self) -> dict[str, Instrument | Surface]:
        """The instruments, by name.

        Raises:
            UsageError: an unknown name.
        """
        for name in self.instruments:
            if name not in INSTRUMENTS:
                raise UsageError(
                    f"no instrument is called {name!r}{near(name, INSTRUMENTS)} (`optbench list instruments` shows all)"
                )
        return {name: INSTRUMENTS[name]() for name in self.instruments}

    def parts(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Each part as an identity and a check that builds it; runs that share a part need it checked once.

        The checks raise UsageError, one line that names the fix, where a name, setting or value is wrong.
        """
        yield _hash(["problem", self.problem, self.instruments]), self._check_problem
        yield _hash(["optimizer", self.optimizer, self.spaces, self.tuning]), self._check_optimizer
        yield _hash(["schedule", self.schedule, self.schedules]), self.build_schedule
        yield _hash(["modifier", self.modifiers, self.problem, self.budget]), self._check_modifiers
        if issubclass(self.optimizer_class, Optimizer) and self.optimizer_class.check is not Optimizer.check:
            of = [self.optimizer, self.spaces, self.tuning, self.problem, self.modifiers, self.dtype]
            yield _hash(["together", of]), self._check_together
        if self.schedules:
            of = [self.schedules, self.problem, self.optimizer, self.modifiers, self.spaces, self.tuning]
            of += [self.compile, self.budget]
            yield _hash(["schedules", of]), self._check_schedules

    def _check_problem(self) -> None:
        problem = make(self.classes[0], self.problem["name"], settings_of(self.problem))
        try:
            if isinstance(problem, Learning) and not must_be_downloaded(problem.data):
                problem.examine()
            problem.stream([0])
            for name, instrument in self.build_instruments().items():
                try:
                    instrument.check(problem)
                except UsageError as error:
                    raise UsageError(f"{self.labels['problem']}: the instrument {name} {error}") from error
        except ValueError as error:  # such as a batch larger than the data
            raise UsageError(f"{self.labels['problem']}: {error}") from error

    def _check_modifiers(self) -> None:
        modifiers, names = self.build_modifiers(), [m["name"] for m in self.modifiers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"modifier=[{','.join(names)}]: {twice} is there {names.count(twice)} times; name it once")
        averages = [
            name
            for name, modifier in zip(names, modifiers, strict=True)
            if isinstance(modifier, UpdateModifier) and modifier.turn == AVERAGES
        ]
        if len(averages) > 1:
            raise UsageError(
                f"modifier=[{','.join(names)}]: one average is judged, not {' and '.join(averages)}; keep one of them"
            )
        if all(isinstance(m, (OracleModifier, UpdateModifier)) for m in modifiers):  # these work with every problem
            return
        problem = make(self.classes[0], self.problem["name"], settings_of(self.problem))
        try:
            problem = changed(problem, modifiers)
            for modifier in modifiers:
                if isinstance(modifier, TrialsModifier):
                    modifier.check(problem, self.budget)
        except ValueError as error:
            raise UsageError(f"{self.labels['problem']}: {error}") from error

    def _check_together(self) -> None:
        """Do optimizer, problem and modifiers fit? Asked of the optimizers that need more than gradients."""
        dtype = None if self.dtype is None else DTYPES[self.dtype]
        problem = make(self.classes[0], self.problem["name"], settings_of(self.problem) | {"dtype": dtype})
        if isinstance(problem, Learning) and must_be_downloaded(problem.data):
            return
        chosen = self.default or next(iter(draw(self.spaces, self.tuning["method"], self.tuning["trials"])), {})
        optimizer, modifiers = self._optimizer(settings_of(self.optimizer) | chosen), self.build_modifiers()
        try:
            problem = changed(problem, modifiers)
            params, oracle = problem.start([0]), BatchOracle(problem, problem.stream([0]), 1)
            optimizer.check(params, wrapped(oracle, modifiers, params, [0], self.budget))
        except ValueError as error:
            raise MisfitError(f"{self.labels['optimizer']} on {self.labels['problem']}: {error}") from error

    def _check_schedules(self) -> None:
        if self.compile:
            raise UsageError("schedules: with compile=true only the rate can have a schedule; set compile=false")
        schedule: Any = self.build_schedule()
        modifiers = {
            name_of(m): (name["name"], m) for m, name in zip(self.build_modifiers(), self.modifiers, strict=True)
        }
        chosen = self.default or next(iter(draw(self.spaces, self.tuning["method"], self.tuning["trials"])), {})
        for key in self.schedules:
            owner, _, setting = key.rpartition(".")
            if key == BATCH_SIZE:
                size = getattr(make(self.classes[0], self.problem["name"], settings_of(self.problem)), key, None)
                check_batch_size(self.labels["problem"], size, schedule.others[key], self.budget)
            elif not owner and not issubclass(self.optimizer_class, Optimizer):
                raise UsageError(
                    f"schedules.{key}: of {self.labels['optimizer']}, a torch class, only the rate can have a schedule"
                )
            elif not owner:
                optimizer = self._optimizer(settings_of(self.optimizer) | chosen)
                if setting.replace("_", "") in modifiers and not hasattr(optimizer, setting):
                    its = [f"schedules.{key}.{name}" for name in numbers_of(modifiers[setting.replace("_", "")][1])]
                    raise UsageError(
                        f"schedules.{key}: {key} is a modifier; say which of its numbers: {', '.join(its)}"
                    )
                check_scaled(self.labels["optimizer"], optimizer, setting, f"schedules.{key}")
            elif owner.replace("_", "") in modifiers:
                if not isinstance(modifiers[owner.replace("_", "")][1], (OracleModifier, UpdateModifier)):
                    raise UsageError(f"schedules.{key}: {owner} changes the problem once, before the first step")
                check_scaled(*modifiers[owner.replace("_", "")], setting, f"schedules.{key}")
            else:
                raise UsageError(f"schedules.{key}: {owner} is not among the modifiers; add modifier=[{owner}]")
        rules = []
        if issubclass(self.optimizer_class, Optimizer):
            tried = [self.default, self._all_drawn] if self.spaces and self.default is not None else [self._all_drawn]
            rules = [("", self._optimizer(settings_of(self.optimizer) | settings)) for settings in tried]
        check_factors(schedule, self.budget, [*rules, *modifiers.values()])

    def _check_optimizer(self) -> None:
        known = inspect.signature(self.optimizer_class).parameters
        for name in self.spaces:
            if name not in known:
                raise UsageError(
                    f"search.{name}: {self.labels['optimizer']} has no setting {name!r}{near(name, known)}"
                )
        if not self.spaces or self.default is not None:
            self._optimizer(settings_of(self.optimizer))
        drawn = draw(self.spaces, self.tuning["method"], self.tuning["trials"])
        for chosen in drawn:
            self._optimizer(settings_of(self.optimizer) | chosen)
        if issubclass(self.optimizer_class, Optimizer):
            self._optimizer(settings_of(self.optimizer) | self._all_drawn)

    @property
    def _all_drawn(self) -> dict[str, Any]:
        """What is searched, all settings at once; not every one may differ between trials."""
        return columns(draw(self.spaces, self.tuning["method"], self.tuning["trials"]), {"dtype": torch.float64})

    @cached_property
    def known_defaults(self) -> dict[str, Any]:
        """The optimizer's settings with their default values."""
        cls = self.optimizer_class
        return defaults(cls) if issubclass(cls, Optimizer) else torch_defaults(cls)


def columns(chosen: Sequence[Mapping[str, Any]], kind: dict[str, Any]) -> dict[str, Any]:
    """Settings of many trials as columns `[trials, 1]`.

    >>> columns([{"lr": 0.1}, {"lr": 0.2}], {"dtype": torch.float64})["lr"].tolist()
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


def settings_of(node: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a node of the configuration, without its name, class and search space."""
    return {key: value for key, value in node.items() if key not in ("name", "class", "search")}


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
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_plain, value))}]"
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):  # a part of a schedule
        return _label(value["name"], {key: item for key, item in value.items() if key != "name"}, {})
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" ", "")


def _hash(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()
