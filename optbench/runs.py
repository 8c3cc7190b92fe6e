"""A run in plain values: one (problem, optimizer, schedule, modifiers), its identity, its labels, and how its parts are built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

import torch

from .errors import UsageError, near
from .instruments import INSTRUMENTS, Instrument, Surface
from .interfaces import Modifier, Optimizer, Problem, Schedule
from .optimizers.class_settings import defaults as torch_defaults
from .optimizers.class_settings import loaded
from .optimizers.from_torch import FromTorch
from .placing import DTYPES
from .registry import defaults, fingerprint, is_path, load_object, make, resolve, short
from .schedules.parts import within
from .schedules.several import Several
from .search import draw, space


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
        return digest(self.config)

    @cached_property
    def run_id(self) -> str:
        sources = [fingerprint(c) for c in self.classes]
        paths = (self.optimizer.get("params"), self.problem.get("network_class"), self.problem.get("data"))
        named = [load_object(path) for path in paths if isinstance(path, str) and is_path(path)]
        if not issubclass(self.optimizer_class, Optimizer):  # of a wrapper, the optimizer within
            named += [loaded(value, key, self.optimizer_class) for key, value in settings_of(self.optimizer).items()]
        sources += [fingerprint(found) for found in named if callable(found)]
        sources += [fingerprint(type(instrument)) for instrument in self.build_instruments().values()]
        sources += [fingerprint(type(part)) for part in within(self.build_schedule())]
        return digest([self.config, self.classes[0].version, sources])

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
                self._short(self.schedule["name"]),
                settings_of(self.schedule) | self.schedules,
                defaults(self.classes[2]),
            ),
            "modifier": "+".join(
                _label(self._short(m["name"]), settings_of(m), defaults(c))
                for m, c in zip(self.modifiers, self.classes[3:], strict=True)
            ),
        }

    def _short(self, name: str) -> str:
        return name if self.full_names else short(name)

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
        return self.make_optimizer(settings_of(self.optimizer) | columns(chosen, kind))

    def make_optimizer(self, settings: Mapping[str, Any]) -> Optimizer:
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

    @property
    def all_drawn(self) -> dict[str, Any]:
        """What is searched, all settings at once; not every one may differ between trials."""
        return columns(draw(self.spaces, self.tuning["method"], self.tuning["trials"]), {"dtype": torch.float64})

    @cached_property
    def known_defaults(self) -> dict[str, Any]:
        """The optimizer's settings with their default values."""
        cls = self.optimizer_class
        if issubclass(cls, Optimizer):
            return defaults(cls)
        return torch_defaults(cls) | {"share": False}  # as in a bare loop, so no label need tell it


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


def digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()
