"""`optbench show`: all about one thing."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter, signature
from typing import Any

import torch
import yaml
from rich.console import Console

from .. import footprint, registry
from ..checks import with_only
from ..data import DATASETS
from ..data.openml import must_be_downloaded
from ..describe import describe, parts
from ..errors import UsageError, near
from ..instruments import INSTRUMENTS
from ..interfaces import BASES, Optimizer, Problem
from ..optimizers.class_settings import defaults as torch_defaults
from ..optimizers.from_torch import OPTIONS, FromTorch
from .listing import installed, wrapped


def show(name: str) -> int:
    """Formula, settings with ranges, search space, state, equals and source of one thing; of a suite or an executor its
    YAML."""
    for kind in ("suite", "executor"):
        if not registry.is_path(name) and ((registry.conf() / kind) / f"{name}.yaml").is_file():
            print(f"{name} ({kind})\n{((registry.conf() / kind) / f'{name}.yaml').read_text()}", end="")
            return 0
    kind, cls = _find(name)
    told = describe(cls)
    out = Console(highlight=False, soft_wrap=True, markup=False)
    family = getattr(cls, "family", FromTorch.family) if kind == "optimizer" else None
    out.print(f"{name} ({kind})" + (f" · {family}" if family else ""), style="bold")
    out.print(told["summary"])
    if told["formula"]:
        out.print(f"\n{_indented(told['formula'])}")
    if told["text"]:
        blocks = [_indented(block) if formula else block for formula, block in parts(told["text"])]
        out.print("\n" + "\n\n".join(blocks))
    listed = list(settings(cls))
    if listed:
        out.print("\nSettings" if isinstance(cls, type) else "\nArguments", style="bold")
        lefts = [f"{key} = {value}" + (f" in {legal}" if legal else "") for key, value, legal, _ in listed]
        width = max((len(left) for left in lefts if len(left) <= 40), default=0)
        for left, (*_, meaning) in zip(lefts, listed, strict=True):
            out.print(f"  {left:{width}}  {meaning}".rstrip())
    if isinstance(cls, type) and issubclass(cls, Problem):
        _about_problem(out, cls)
    if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer):
        out.print(f"  and {', '.join(OPTIONS[:-1])} and {OPTIONS[-1]}: see optbench show from_torch")
    space = search(kind, name)
    if space:
        out.print("\nSearch space", style="bold")
        for line in space:
            out.print(f"  {line}")
    if kind == "optimizer":
        out.print("\nState per parameter", style="bold")
        out.print(f"  {state(name, cls)}")
    for heading, lines in (("Equals", equals(name, cls)), ("Source", [told["source"]])):
        if any(lines):
            out.print(f"\n{heading}", style="bold")
            for line in lines:
                out.print(f"  {line}")
    return 0


def settings(cls: Any) -> Iterator[tuple[str, str, str, str]]:
    """Name, default as YAML has it, range and meaning of each setting."""
    told = describe(cls)["args"]
    if cls is FromTorch:
        for f in fields(cls):
            if f.name in OPTIONS:
                yield f.name, written(f.default), "", told.get(f.name, "")
    elif isinstance(cls, type) and is_dataclass(cls):
        for f in fields(cls):
            if f.init and f.name not in (*registry.PLACED, *getattr(cls, "unused", ())):
                default = f.default if f.default_factory is MISSING else f.default_factory()
                legal = f.metadata.get("range")
                words = "{true, false}" if isinstance(default, bool) else str(legal or "")
                words = ", ".join(filter(None, (words, with_only(f))))
                yield f.name, written(default), words, told.get(f.name, "")
    elif isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer):
        for key, value in torch_defaults(cls).items():
            yield key, written(value), "", told.get(key, "")
    elif not isinstance(cls, type):
        for p in signature(cls).parameters.values():
            yield p.name, written(p.default), "", told.get(p.name, "")


def written(value: Any) -> str:
    """A value as YAML has it."""
    if value is MISSING or value is Parameter.empty:
        return "???"
    if value is None:
        return "null"
    if type(value) is object:  # what packages put where null would mean something
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {written(item)}' for key, item in value.items())}}}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def search(kind: str, name: str) -> list[str]:
    """The search space of a thing with a YAML file, a line a setting."""
    file = (registry.conf() / kind) / f"{name}.yaml"
    space = yaml.safe_load(file.read_text()).get("search") if file.is_file() else None
    return [f"{key}: {how} {written(values)}" for key, spec in (space or {}).items() for how, values in spec.items()]


def state(name: str, cls: type) -> str:
    """How many bytes an optimizer keeps, measured."""
    if cls is FromTorch:
        return "that of the class"
    try:
        with warnings.catch_warnings():
            if not issubclass(cls, Optimizer):
                warnings.simplefilter("ignore")  # of what other packages' rules use that is deprecated
            return footprint.told(_maker(name, cls))
    except (UsageError, TypeError) as error:
        return f"unknown: {error}"


def _maker(name: str, cls: type) -> Callable[[], Optimizer]:
    if issubclass(cls, Optimizer):
        return lambda: registry.make(cls, name, {})
    file = registry.conf() / "optimizer" / f"{name}.yaml"
    given = yaml.safe_load(file.read_text()) if file.is_file() else {}
    own = {key: value for key, value in given.items() if key not in ("name", "class", "search")}
    return lambda: FromTorch.from_settings(cls, own)


def equals(name: str, cls: Any) -> list[str]:
    """What has the same result; of a wrapped class, what our own rules say of it."""
    if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
        return [told] if (told := describe(cls)["equals"]) else []
    path = wrapped().get(name, name)
    mention = re.compile(rf"(?<![\w.]){re.escape(path)}(?![\w.]*\w)")
    ours = {rule: describe(c)["equals"] for rule, c in registry.table("optimizer").items()}
    found = [f"{rule}: {told}" for rule, told in ours.items() if mention.search(told)]
    return [f"{path} itself, stepped by from_torch.", *found]


def _about_problem(out: Console, cls: type[Problem]) -> None:
    out.print("\nWith these settings", style="bold")
    try:
        problem = cls()
        if must_be_downloaded(data := getattr(problem, "data", None)):
            out.print(f"  parameters and targets are known once {data} is downloaded, which the first run does")
            return
        problem.layout  # noqa: B018 (building the network may need data that are not here)
    except UsageError as error:
        out.print(f"  {error}")
        return
    minimum = problem.minimum()
    out.print(f"  parameters: {problem.layout.n}")
    out.print(f"  minimum: {'unknown' if minimum is None else f'{minimum:.12g}'}")
    out.print(f"  targets: {', '.join(f'{t:.6g}' for t in problem.targets())}; solved at {problem.target():.6g}")
    out.print(f"  budget: {problem.budget} steps, {str(problem.kind['dtype']).removeprefix('torch.')}")


def _find(name: str) -> tuple[str, Any]:
    if name in (paths := wrapped()):
        if not installed(paths[name]):
            package = paths[name].partition(".")[0].replace("_", "-")
            raise UsageError(f"{name} is {paths[name]}, whose package is not installed here (pip install {package})")
        return "optimizer", registry.load_object(paths[name])
    if registry.is_path(name):
        cls = registry.load_object(name)
        for kind, bases in BASES.items():
            if isinstance(cls, type) and issubclass(cls, bases):
                return kind, cls
        raise UsageError(f"{name} is neither a problem, an optimizer, a schedule nor a modifier")
    for kind in registry.KINDS:
        if name in registry.table(kind):
            return kind, registry.table(kind)[name]
    for kind, table in (("instrument", INSTRUMENTS), ("data set", DATASETS)):
        if name in table:
            return kind, table[name]
    everything = [*(n for kind in registry.KINDS for n in registry.table(kind)), *paths, *INSTRUMENTS, *DATASETS]
    raise UsageError(
        f"nothing is called {name!r}{near(name, everything)} (`optbench list optimizers` and so on show all)"
    )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
