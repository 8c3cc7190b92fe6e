"""From what was typed to the runs of a sweep: Hydra's override grammar over the groups and keys of conf/."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Glob, Override

from .errors import UsageError, near, one_line
from .fits import fitting, remarks
from .interfaces import BASES
from .memory import parse as parse_size
from .modifiers import turn
from .options import GROUPS, Options
from .overrides import alternatives, parse
from .placing import checked_device, checked_dtype
from .registry import is_path, resolve, short
from .runs import Run
from .schedules.several import flat
from .search import METHODS


@dataclass(frozen=True)
class Plan:
    """The runs of a sweep, where they are done and where their results go."""

    runs: list[Run]
    executor: dict[str, Any]
    results: Path
    memory: Any
    """Bytes for the trials held at once, all workers together, as asked for; None: half of what is free."""
    suite: str | None
    words: list[str]
    configs: list[dict[str, Any]] = field(repr=False)
    left_out: list[str] = field(default_factory=list)
    """A line for each run that was left out, as its optimizer cannot work on its problem."""
    remarks: list[str] = field(default_factory=list)
    """Lines on what is run but is hardly meant."""


def plan(words: Sequence[str], config_dir: str | None = None) -> Plan:
    """Runs from overrides such as `problem=rosenbrock,beale`, `optimizer.lr=0.1`, `suite=quick`.

    Each distinct option of a group is composed by Hydra once; value overrides are applied to copies.

    Args:
        words: overrides; the last of two with the same key counts, and any of them over the suite's.
        config_dir: a folder with further options: config_dir/optimizer/mine.yaml and so on.

    Raises:
        UsageError: a name, key or value is wrong; one line that names the fix.
    """
    typed = {o.key_or_group: o for o in parse(words)}
    configs: list[dict[str, Any]] = []
    runs: list[Run] = []
    with Options(config_dir) as options:
        for block in _suite(typed, options):
            made, fixed = _block(typed, block, options)
            configs += made
            runs += [_run(config, fixed) for config in made]
    runs, left_out = fitting(_distinct(runs))
    suite_name = None if "suite" not in typed else str(alternatives("suite", typed["suite"])[0])
    first = configs[0]
    results = Path(str(first["results"] or Path("results") / (suite_name or "sweep")))
    if first["memory"] is not None:
        parse_size(first["memory"])
    return Plan(
        _told_apart(runs),
        first["executor"],
        results,
        first["memory"],
        suite_name,
        list(words),
        configs,
        left_out,
        remarks(runs),
    )


def _block(typed: Mapping[str, Override], suite: list[str], options: Options) -> tuple[list[dict[str, Any]], set[str]]:
    """The configurations of one block of a suite, and the keys that were set in it or typed."""
    chosen = {o.key_or_group: o for o in parse(suite)} | dict(typed)
    if "optimizer.class" in typed and "optimizer" not in typed:
        chosen |= {o.key_or_group: o for o in parse(["optimizer=from_torch"])}
    choices = {group: _group_choices(group, chosen.pop(group, None), options) for group in GROUPS}
    nodes, rest = options.load(choices)
    values = {key: alternatives(key, override) for key, override in chosen.items() if key != "suite"}
    configs = [
        _config(rest, dict(zip(GROUPS, picked, strict=True)), dict(zip(values, set_to, strict=True)))
        for picked in itertools.product(*(nodes[group] for group in GROUPS))
        for set_to in itertools.product(*values.values())
    ]
    for key, options_of in {**choices, **values}.items():
        if len(options_of) > 1 and key.partition(".")[0] in ("executor", "results", "memory"):
            raise UsageError(f"{key} holds for the whole sweep: give one value, not {len(options_of)}")
    searched = [key for key in values if key.startswith("search.")]
    if searched and all(isinstance(c["tuning"], Mapping) and c["tuning"]["method"] == "none" for c in configs):
        raise UsageError(f"{searched[0]} has no effect while tuning.method is none; add tuning.method=grid")
    return configs, set(values)


def _suite(typed: Mapping[str, Override], options: Options) -> list[list[str]]:
    """The blocks of a suite, each a list of overrides; a plain list of them is one block, and no suite an empty one."""
    if "suite" not in typed:
        return [[]]
    names = alternatives("suite", typed["suite"])
    if len(names) != 1:
        raise UsageError("one suite at a time: suite=quick")
    file = options.file("suite", str(names[0]))
    try:
        listed = yaml.safe_load(file.read_text())["overrides"]
        blocks = listed if all(isinstance(item, list) for item in listed) else [listed]
        return [[str(word) for word in block] for block in blocks]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UsageError(f"{file} must hold `overrides:` and a list of overrides: {one_line(error)}") from error


def _group_choices(group: str, override: Override | None, options: Options) -> list[Any]:
    if override is None:
        return {"problem": ["rosenbrock"], "optimizer": ["adam"], "schedule": ["constant"], "modifier": [[]]}.get(
            group, ["local"]
        )
    value = override.value()
    picks = _matching(value, options.names(group)) if isinstance(value, Glob) else alternatives(group, override)
    if not picks:
        raise UsageError(f"{override.input_line}: nothing matches (there are {', '.join(options.names(group))})")
    if group == "modifier":
        picks = [pick if isinstance(pick, list) else [] if pick in (None, "none", "") else [pick] for pick in picks]
    elif any(isinstance(pick, list) for pick in picks):
        raise UsageError(f"{group}: alternatives are separated by commas and stand in no brackets: {group}=a,b")
    for pick in itertools.chain.from_iterable(p if isinstance(p, list) else [p] for p in picks):
        if isinstance(pick, dict) and isinstance(pick.get("name"), str):
            raise UsageError(f"{group}={pick}: settings stand apart from the name: {_apart(group, pick)}")
        if not isinstance(pick, str):
            raise UsageError(f"{group}={pick}: expected a name (there are {', '.join(options.names(group))})")
        if is_path(pick) and group in BASES:
            found = resolve(group, pick)
            if not (isinstance(found, type) and issubclass(found, BASES[group])):
                kinds = " nor ".join(f"{c.__module__.partition('.')[0]}'s {c.__name__}" for c in BASES[group])
                raise UsageError(f"{pick} is no subclass of {kinds}, so it cannot be {group}=…")
        else:
            options.file(group, pick)
    return picks


def _apart(group: str, pick: Mapping[str, Any]) -> str:
    """How a name with settings is written."""
    name, prefix = pick["name"], group
    if group == "modifier":
        name, prefix = f"[{name}]", f"{group}.{short(name)}"
    return " ".join([f"{group}={name}", *(f"{prefix}.{key}=…" for key in pick if key != "name")])


def _matching(pattern: Glob, names: list[str]) -> list[str]:
    """Names that match; those in a folder only where the pattern names it: glob(torch/*)."""
    in_folders = any("/" in part for part in pattern.include)
    asked = "from_torch" in pattern.include  # a stand-in for classes by path, no optimizer by itself
    kept = [name for name in names if (in_folders or "/" not in name) and (asked or name != "from_torch")]
    return pattern.filter(kept)


def _config(rest: Mapping[str, Any], nodes: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy({**rest, **nodes})
    for key, value in values.items():
        _set(config, key, copy.deepcopy(value))
    return config


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    """Apply one value override; the classes themselves check the settings of problem, optimizer, schedule, modifier."""
    *parents, last = key.split(".")
    if parents and last == "name" and parents[0] in GROUPS:
        raise UsageError(f"{key}: write {parents[0]}={value} instead")
    if not parents and key not in config:
        raise UsageError(f"there is no key {key!r}{near(key, config)} (keys are {', '.join(config)})")
    at: Any = config
    for i, parent in enumerate(parents):
        if isinstance(at, list):
            names = [str(item["name"] if isinstance(item, dict) and "name" in item else item) for item in at]
            k = next((k for k, name in enumerate(names) if parent in (name, short(name))), None)
            if k is not None and isinstance(at[k], str):  # a part of a schedule may be a mere name
                at[k] = {"name": at[k]}
            at = None if k is None else at[k]
        elif isinstance(at, dict) and (parent in at or (i > 0 and parents[0] in (*GROUPS, "schedules"))):
            if parents[0] == "schedules" and isinstance(at.get(parent), str):
                at[parent] = {"name": at[parent]}
            at = at.setdefault(parent, {})
        else:
            at = None
        if not isinstance(at, (dict, list)):
            if parents[0] == "modifier" and len(parents) > 1:
                there = ", ".join(short(modifier["name"]) for modifier in config["modifier"])
                fix = f"they are {there}" if there else f"add modifier=[{parents[1]}]"
                raise UsageError(f"{key}: {parents[1]} is not among the modifiers; {fix}")
            if parents[0] == "search":
                raise UsageError(
                    f"{key}: only settings of the optimizer are searched, as in search.lr=[1e-4,1]; to compare others, "
                    "sweep them, as in modifier.sam.rho=0.01,0.1 or schedule.floor=0,0.1"
                )
            known = config
            raise UsageError(f"there is no {'.'.join(parents[: i + 1])!r} to set {last!r} in{near(parent, known)}")
    if isinstance(at, list) and parents[0] == "schedule":
        raise UsageError(f"{key}: name the part and its setting, as in schedule.parts.cosine.floor=0.1")
    if isinstance(at, list):
        raise UsageError(f"{key}: name the modifier, as in modifier.clip_norm.max_norm=1")
    if parents and parents[0] in ("tuning", "executor") and last not in at:
        known = [f"{parents[0]}.{name}" for name in at if name != "name"]
        raise UsageError(f"there is no key {key!r}{near(key, known)} (there are {', '.join(known)})")
    at[last] = value


SAMPLES = {"search": "search.lr=[1e-4,1]", "tuning": "tuning.method=grid", "schedules": "schedules.momentum=linear"}


def _run(config: dict[str, Any], fixed: set[str]) -> Run:
    for key in ("search", "tuning", "schedules"):
        empty = config[key] is None and key != "tuning"
        if not empty and not isinstance(config[key], Mapping):
            raise UsageError(f"{key}={config[key]}: expected settings, such as {SAMPLES[key]}")
    optimizer = {key: value for key, value in config["optimizer"].items() if key != "search"}
    if "optimizer.class" in fixed and optimizer["name"] != "from_torch":
        raise UsageError(f"optimizer.class goes with optimizer=from_torch, not with {optimizer['name']}")
    search = {**(config["optimizer"].get("search") or {}), **(config["search"] or {})}
    for key in fixed:
        if key.startswith("optimizer.") and key.count(".") == 1 and f"search.{key[10:]}" not in fixed:
            search.pop(key[10:], None)
    tuning = config["tuning"]
    _number("tuning.trials", tuning["trials"])
    _number("tuning.seeds", tuning["seeds"])
    if tuning["method"] not in METHODS:
        word = str(tuning["method"])
        raise UsageError(f"tuning.method must be one of {', '.join(METHODS)}, got {word!r}{near(word, METHODS)}")
    for key in ("dtype", "device"):
        if key in config["problem"]:
            raise UsageError(f"problem.{key}: it is the run's, not the problem's; set {key}={config['problem'][key]}")
    at_once = config["trials_at_once"]
    if at_once != "auto":
        _number("trials_at_once", at_once, " or auto")
    if config["steps"] is not None:
        _number("steps", config["steps"], " or null")
    _number("seeds", config["seeds"])
    if not isinstance(config["compile"], bool):
        raise UsageError(f"compile must be true or false, got {config['compile']!r}")
    timeout = config["timeout"]
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0):
        raise UsageError(f"timeout must be a positive number of seconds or null, got {timeout!r}")
    return Run(
        problem=config["problem"],
        optimizer=optimizer,
        schedule=config["schedule"],
        modifiers=tuple(sorted(config["modifier"], key=lambda m: turn(resolve("modifier", m["name"])))),
        schedules=flat(config["schedules"] or {}),
        search=search,
        tuning={key: tuning[key] for key in ("method", "trials", "seeds")},
        steps=config["steps"],
        seeds=config["seeds"],
        dtype=None if config["dtype"] is None else checked_dtype(config["dtype"]),
        device=checked_device(config["device"]),
        trials_at_once=None if at_once == "auto" else at_once,
        timeout=timeout,
        instruments=tuple(_instruments(config["instruments"])),
        compile=config["compile"],
    )


def _instruments(names: Any) -> list[str]:
    listed = [] if names is None else [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise UsageError(f"instruments must be a list of names such as [gradient_norm], got {names!r}")
    return listed


def _number(key: str, value: Any, also: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{key} must be a whole number of at least 1{also}, got {value!r}")


def _distinct(runs: Sequence[Run]) -> list[Run]:
    """The runs without those asked for twice."""
    return list({run.run_id: run for run in runs}.values())


def _told_apart(runs: list[Run]) -> list[Run]:
    """Full paths in the labels where two classes of one name meet, as `./old.py:Mine` and `./new.py:Mine` do."""
    seen: dict[tuple[str, str], set[type]] = {}
    for run in runs:
        for key, cls in _classes(run):
            seen.setdefault(key, set()).add(cls)
    shared = {key for key, classes in seen.items() if len(classes) > 1}
    return [replace(run, full_names=True) if any(key in shared for key, _ in _classes(run)) else run for run in runs]


def _classes(run: Run) -> Iterator[tuple[tuple[str, str], type]]:
    """The classes of a run, each with its kind and the name that labels give it."""
    for kind, cls in zip(("problem", "optimizer", "schedule"), run.classes, strict=False):
        yield (kind, run.labels[kind].partition("(")[0]), cls
    for modifier, cls in zip(run.modifiers, run.classes[3:], strict=True):
        yield ("modifier", short(modifier["name"])), cls


def resolved(configs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The full configuration of each run as YAML."""
    for config in configs:
        yield yaml.safe_dump(json.loads(json.dumps(config)), sort_keys=False)
