"""`optbench list` and `optbench show`: what there is, and all about one thing."""

from __future__ import annotations

import importlib.util
from dataclasses import MISSING, fields, is_dataclass
from inspect import signature
from typing import Any, get_args

import torch
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import registry
from ..data import DATASETS
from ..data.openml import must_be_downloaded
from ..describe import describe
from ..errors import UsageError, near
from ..executors import EXECUTORS
from ..instruments import INSTRUMENTS
from ..interfaces import Modifier, Optimizer, Problem, Schedule
from ..optimizers.from_torch import FromTorch
from ..optimizers.from_torch import defaults as torch_defaults

BASES: dict[str, tuple[type, ...]] = {
    "problem": (Problem,),
    "optimizer": (Optimizer, torch.optim.Optimizer),
    "schedule": (Schedule,),
    "modifier": get_args(Modifier),
}
PLURALS = {"problems": "problem", "optimizers": "optimizer", "schedules": "schedule", "modifiers": "modifier"}


def listing(kind: str) -> int:
    """Every entry of a kind with its family and summary."""
    kinds = (*PLURALS, "data", "instruments", "executors", "suites")
    plural = kind if kind in kinds else f"{kind}s"
    if plural not in kinds:
        raise UsageError(f"there is nothing called {kind!r} to list{near(kind, kinds)} (there are {', '.join(kinds)})")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    if plural == "suites":
        table.add_column("what it is")
        for file in sorted((registry.conf() / "suite").glob("*.yaml")):
            table.add_row(file.stem, file.read_text().splitlines()[0].lstrip("# "))
    else:
        others = {"executors": EXECUTORS, "instruments": INSTRUMENTS, "data": DATASETS}
        entries = others[plural] if plural in others else registry.table(PLURALS[plural])
        families = plural in ("problems", "optimizers")
        if families:
            table.add_column("family", no_wrap=True)
        table.add_column("what it is")
        order = sorted(entries, key=lambda n: (getattr(entries[n], "family", ""), n)) if families else sorted(entries)
        for name in order:
            cls: Any = entries[name]
            table.add_row(name, *([cls.family] if families else []), escape(describe(cls)["summary"]))
        if plural == "optimizers":
            for name, path in _wrapped().items():
                package = path.partition(".")[0]
                missing = "" if importlib.util.find_spec(package) else f" (pip install {package.replace('_', '-')})"
                table.add_row(name, FromTorch.family, path + missing)
    console = Console()
    (console if console.is_terminal else Console(width=500)).print(table)
    return 0


def show(name: str) -> int:
    """Formula, settings with ranges, search space and source of one thing; of a suite or an executor, its YAML."""
    for kind in ("suite", "executor"):
        if not registry.is_path(name) and ((registry.conf() / kind) / f"{name}.yaml").is_file():
            print(f"{name} ({kind})\n{((registry.conf() / kind) / f'{name}.yaml').read_text()}", end="")
            return 0
    kind, cls = _find(name)
    told = describe(cls)
    out = Console(highlight=False, soft_wrap=True, markup=False)
    out.print(f"{name} ({kind})", style="bold")
    out.print(told["summary"])
    if told["formula"]:
        out.print(f"\n{_indented(told['formula'])}")
    if told["text"]:
        out.print(f"\n{told['text']}")
    if isinstance(cls, type) and is_dataclass(cls) and not issubclass(cls, FromTorch):
        out.print("\nSettings", style="bold")
        for f in fields(cls):
            if f.init and f.name not in ("dtype", "device", *getattr(cls, "unused", ())):
                legal = f.metadata.get("range")
                inside = f" in {legal}" if legal is not None else ""
                meaning = told["args"].get(f.name, "")
                default = f.default if f.default_factory is MISSING else f.default_factory()
                out.print(f"  {f.name} = {_value(default)}{inside}" + (f"    {meaning}" if meaning else ""))
    elif not isinstance(cls, type):
        arguments = signature(cls).parameters.values()
        if arguments:
            out.print("\nArguments", style="bold")
        for p in arguments:
            meaning = told["args"].get(p.name, "")
            out.print(f"  {p.name} = {_value(p.default)}" + (f"    {meaning}" if meaning else ""))
    elif issubclass(cls, torch.optim.Optimizer):
        out.print("\nSettings", style="bold")
        for key, value in torch_defaults(cls).items():
            meaning = told["args"].get(key, "")
            out.print(f"  {key} = {_value(value)}" + (f"    {meaning}" if meaning else ""))
    if isinstance(cls, type) and issubclass(cls, Problem):
        _about_problem(out, cls)
    file = (registry.conf() / kind) / f"{name}.yaml"
    search = yaml.safe_load(file.read_text()).get("search") if file.is_file() else None
    if search:
        out.print("\nSearch space", style="bold")
        for key, spec in search.items():
            ((how, values),) = spec.items()
            out.print(f"  {key}: {how} {values}")
    if told["source"]:
        out.print("\nSource", style="bold")
        out.print(f"  {told['source']}")
    return 0


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


def _wrapped() -> dict[str, str]:
    """Names and classes of the YAML files for optimizers of other packages, such as torch/nadam."""
    top = registry.conf() / "optimizer"
    files = {p.relative_to(top).with_suffix("").as_posix(): p for p in sorted(top.glob("*/*.yaml"))}
    return {name: yaml.safe_load(file.read_text())["class"] for name, file in files.items()}


def _find(name: str) -> tuple[str, Any]:
    if name in (wrapped := _wrapped()):
        return "optimizer", registry.load_object(wrapped[name])
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
    everything = [*(n for kind in registry.KINDS for n in registry.table(kind)), *wrapped, *INSTRUMENTS, *DATASETS]
    raise UsageError(
        f"nothing is called {name!r}{near(name, everything)} (`optbench list optimizers` and so on show all)"
    )


def _value(value: Any) -> str:
    return "null" if value is None else str(value)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
