"""`optbench list`: what there is, a line on each."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import registry
from ..data import DATASETS
from ..describe import describe, headline
from ..errors import UsageError, near
from ..executors import EXECUTORS
from ..instruments import INSTRUMENTS
from ..optimizers.from_torch import FromTorch

PLURALS = {"problems": "problem", "optimizers": "optimizer", "schedules": "schedule", "modifiers": "modifier"}
FAMILIES = {
    "sgd": "one rate for all parameters: gradient descent and momentum",
    "adaptive": "a rate for each parameter, from its own gradients",
    "sign": "steps by the sign of the gradient alone",
    "averaged": "an average of the iterates is what is judged",
    "parameter-free": "the length of the step is found on the way",
    "matrix": "a layer's matrix is moved as one, not number by number",
    "second order": "curvature, told by gradients or computed",
    "flow": "differential equations that other methods follow in small steps",
    "third party": "wrapped classes of torch and of other packages",
}
"""Families of optimizers in the order of lists, and what they have in common."""


def listing(kind: str) -> int:
    """Every entry of a kind with its family and summary, one line an entry; on a terminal, optimizers under the heading
    of their family."""
    kinds = (*PLURALS, "data", "instruments", "executors", "suites")
    plural = kind if kind in kinds else f"{kind}s"
    if plural not in kinds:
        raise UsageError(f"there is nothing called {kind!r} to list{near(kind, kinds)} (there are {', '.join(kinds)})")
    console = Console()
    if plural == "optimizers" and console.is_terminal:
        _by_family(console)
        return 0
    (console if console.is_terminal else Console(width=500)).print(_table(plural))
    return 0


def wrapped() -> dict[str, str]:
    """Names and classes of the YAML files for optimizers of other packages, such as torch/nadam."""
    top = registry.conf() / "optimizer"
    files = {p.relative_to(top).with_suffix("").as_posix(): p for p in sorted(top.glob("*/*.yaml"))}
    return {name: yaml.safe_load(file.read_text())["class"] for name, file in files.items()}


def families() -> dict[str, list[str]]:
    """Names of the table's optimizers by family, in the order of lists; within a family in the order of the table."""
    table = registry.table("optimizer")
    found: dict[str, list[str]] = {}
    for name in table:
        found.setdefault(_family(table[name]), []).append(name)
    order = list(FAMILIES)
    last = order.index(FromTorch.family) - 0.5
    return {f: found[f] for f in sorted(found, key=lambda f: (order.index(f) if f in order else last, f))}


def installed(path: str) -> bool:
    """Is the package of this dotted path here?"""
    return importlib.util.find_spec(path.partition(".")[0]) is not None


def _family(cls: Any) -> str:
    return str(cls.family)


def _table(plural: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    if plural in ("problems", "optimizers"):
        table.add_column("family", no_wrap=True)
    table.add_column("what it is")
    for row in _rows(plural):
        table.add_row(*row)
    return table


def _rows(plural: str) -> Iterable[tuple[str, ...]]:
    if plural == "suites":
        for file in sorted((registry.conf() / "suite").glob("*.yaml")):
            yield file.stem, file.read_text().splitlines()[0].lstrip("# ")
    elif plural == "optimizers":
        entries = registry.table("optimizer")
        for family, names in families().items():
            yield from ((name, family, escape(headline(entries[name]))) for name in names)
        for name, path in wrapped().items():
            package = path.partition(".")[0].replace("_", "-")
            yield name, FromTorch.family, path + ("" if installed(path) else f" (pip install {package})")
    else:
        others = {"executors": EXECUTORS, "instruments": INSTRUMENTS, "data": DATASETS}
        table: Any = others[plural] if plural in others else registry.table(PLURALS[plural])
        for name in sorted(table, key=lambda n: (table[n].family if plural == "problems" else "", n)):
            family = (_family(table[name]),) if plural == "problems" else ()
            yield name, *family, escape(describe(table[name])["summary"])


def _by_family(console: Console) -> None:
    entries = registry.table("optimizer")
    width = max(map(len, entries))
    for family, names in families().items():
        console.print(f"[bold]{family}[/bold]  [dim]{FAMILIES.get(family, '')}[/dim]")
        block = Table(box=None, pad_edge=False, show_header=False)
        block.add_column(no_wrap=True, min_width=width)
        block.add_column()
        for name in names:
            block.add_row(f"  {name}", escape(headline(entries[name])))
        if family == FromTorch.family:
            for folder, classes in _folders().items():
                block.add_row(f"  {folder}/…", classes)
        console.print(block)
        console.print()


def _folders() -> dict[str, str]:
    """The wrapped classes of each package in one line, with what to install where it is missing."""
    found: dict[str, list[str]] = {}
    missing: dict[str, str] = {}
    for name, path in wrapped().items():
        folder, _, short = name.partition("/")
        found.setdefault(folder, []).append(short)
        if not installed(path):
            missing[folder] = f" [dim](pip install {path.partition('.')[0].replace('_', '-')})[/dim]"
    order = sorted(found, key=lambda folder: (folder != "torch", folder))
    return {folder: ", ".join(found[folder]) + missing.get(folder, "") for folder in order}
