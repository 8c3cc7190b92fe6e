"""docs/optimizers: a page an optimizer, and an index by family with what solves what."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from optbench import footprint, registry
from optbench.describe import describe, headline
from optbench.optimizers.from_torch import FromTorch
from optbench.report.numbers import word
from optbench.verbs.listing import FAMILIES, families, wrapped
from optbench.verbs.show import equals, search, settings, state

from . import smoke
from .markdown import code, page, plain, prose, section, table
from .overview_figure import overview_svg
from .path_figure import path_svg
from .walks import GAP, LANDSCAPES, RATES, STAYS, walk

SMOKE = "smoke.csv"
LANGUAGE = {
    "default": "defaults",
    "tuned": "best rate",
}
NO_MATRIX = (
    "Two coordinates hold no matrix, so these are the paths of the rule that it has for vectors; its matrices come into "
    "play on networks."
)


def pages(folder: Path) -> dict[str, str]:
    """All files of docs/optimizers by name, but for smoke.csv, which is read.

    Args:
        folder: docs/optimizers.
    """
    solved = smoke.read(folder / SMOKE)
    files = {"README.md": _index(solved), "overview.svg": overview_svg()}
    for name in registry.table("optimizer"):
        drawing = path_svg(name)
        files[f"{name}.md"] = one(name, drawing is not None, solved)
        if drawing is not None:
            files[f"paths/{name}.svg"] = drawing
    return files


def one(name: str, drawn: bool, solved: pd.DataFrame) -> str:
    """The page of one optimizer; drawn: it has a figure."""
    cls = registry.table("optimizer")[name]
    told = describe(cls)
    rows = [
        (f"`{key}`", f"`{value}`", plain(legal), plain(meaning)) for key, value, legal, meaning in settings(cls)
    ]  # fmt: skip
    space = "\n".join(f"- `{line}`" for line in search("optimizer", name))
    run = "optbench run optimizer=torch/nadam" if cls is FromTorch else f"optbench run optimizer={name}"
    return page(
        name,
        f"Family: {cls.family}. [All optimizers](README.md)",
        plain(told["summary"]),
        code(told["formula"]),
        prose(told["text"]),
        section("Path", _path(name, drawn, cls.family)),
        section("Settings", table(("setting", "default", "range", "meaning"), rows) if rows else ""),
        section("Search space", space),
        section("State per parameter", plain(state(name, cls)[:1].upper() + state(name, cls)[1:]) + "."),
        section("Equals", "\n".join(map(plain, equals(name, cls)))),
        section("What it solves", _solves(name, solved)),
        section("Source", plain(told["source"])),
        code(run),
    )


def _path(name: str, drawn: bool, family: str) -> str:
    if drawn:
        return (
            f"![Paths of {name} on a ravine and in Rosenbrock's valley](paths/{name}.svg)\n\n"
            "The same starts and frames for every optimizer, each at its best rate: see [how](README.md#paths)."
            + (f" {NO_MATRIX}" if family == "matrix" else "")
        )
    reasons = {reason for at in LANDSCAPES if isinstance(reason := walk(name, at), str)}
    return "" if name == "from_torch" else f"None on two coordinates: {plain('; '.join(sorted(reasons)))}."


def _solves(name: str, solved: pd.DataFrame) -> str:
    if name not in set(solved.optimizer):
        return ""
    rows = [
        (problem, *(smoke.cell(solved, name, problem, role, rate=True) for role in LANGUAGE))
        for problem in smoke.PROBLEMS.values()
    ]
    return table(("problem", *LANGUAGE.values()), rows) + "\n\n[What the signs mean](README.md#what-solves-what)"


def _index(solved: pd.DataFrame) -> str:
    entries = registry.table("optimizer")
    parts = [
        f"{len(entries) - 1} rules of optbench's own, each proven equal to an independent reference, and every "
        "`torch.optim.Optimizer` by its path. `optbench show NAME` prints what a page says; "
        "`optbench list optimizers` prints this list.",
        "![Paths of all optimizers on one ravine](overview.svg)",
    ]
    for family, names in families().items():
        rows = [
            (
                f"[{name}]({name}.md)",
                plain(headline(entries[name])),
                _bytes(name),
                plain(describe(entries[name])["equals"].removeprefix("Same result as ")),
            )
            for name in names
        ]
        heads = ("name", "what it is", "state", "same result as")
        about = FAMILIES.get(family, "")
        parts.append(
            section("SGD" if family == "sgd" else family.capitalize(), f"{about.capitalize()}.\n\n{table(heads, rows)}")
        )
    parts += [_third_party(), _state(), section("Paths", _how()), section("What solves what", _what(solved))]
    return page("Optimizers", *parts)


def _bytes(name: str) -> str:
    cls = registry.table("optimizer")[name]
    if cls is FromTorch:
        return "that of the class"
    return plain(str(footprint.footprint(lambda: registry.build("optimizer", name), torch.float32)))


def _third_party() -> str:
    found: dict[str, list[str]] = {}
    for name, path in wrapped().items():
        found.setdefault(path.partition(".")[0], []).append(f"`{name}`")
    packages = sorted(found, key=lambda package: (package != "torch", package))
    return "Ready by name: " + "; ".join(f"of {package}: {', '.join(found[package])}" for package in packages) + "."


def _state() -> str:
    return section(
        "State",
        "Bytes a parameter in float32, measured on a long row of parameters after six steps with the default settings; "
        "float64 takes twice as much. Where a matrix is kept in another way than a row, the figure of a 64 × 64 layer stands "
        "beside it; n is the number of parameters.",
    )


def _how() -> str:
    return (
        f"Two landscapes, one start each: a quadratic of condition number 100, {LANDSCAPES[0].steps} steps at most, and "
        f"Rosenbrock's valley, {LANDSCAPES[1].steps} at most. Of {RATES} rates, evenly spread over the logarithm of the "
        "optimizer's search space, the one is drawn that needs the fewest steps to f ≤ 10⁻⁴ and stays there for "
        f"{STAYS} more; where none arrives, the one with the lowest end. All other settings are the defaults, gradients are "
        f"exact, the rate is constant. A path ends at f ≤ {GAP:g}. What a step costs differs: a step of a line search is "
        "several evaluations."
    )


def _what(solved: pd.DataFrame) -> str:
    if solved.empty:
        return ""
    problems = list(smoke.PROBLEMS.values())
    parts = [
        f"✓ 110: the median of {word(int(solved.seeds.max()))} seeds reaches the problem's target after 110 steps. "
        "✗ 0.31: it does not, and this is "
        "its loss at the end of the budget. –: it does not run there. Budgets and targets: sphere and quadratic (20 "
        "coordinates) 1,000 steps to f ≤ 10⁻⁴; logistic regression (full batch) 500 steps to 10⁻³ above the minimum; "
        "digits MLP (minibatches of 64) 500 steps to a training loss of 0.023, one hundredth of guessing. The rate is "
        "constant. Not run: flows, whose steps are spans of time and no method's; on the MLP, methods that would keep or "
        "factorise n × n numbers. hessian_free and kfac have 50 steps there, and 5 rates. On a processor that rounds otherwise "
        "no sign changed, but some rates and steps of the digits MLP did, by up to a third.",
    ]
    for role, words in (
        (
            "default",
            "**With the default settings.** They are those of the source or of the reference, as are rates where one is "
            "recommended: gradient methods have none of their own, and 10⁻³ is torch's. Most are meant for long training of "
            "large networks: with 10⁻³ Adam moves each parameter by less than 1 in 1,000 steps. Methods that find the length of "
            "their steps are meant to be used as they stand here.",
        ),
        (
            "tuned",
            "**At the best of 13 rates** of the search space, found on another seed; the rate stands in brackets. Among what "
            "still fails: steps of one length by the sign of the gradient end in a circle around the minimum, and rules that "
            "compare gradients from step to step (Rprop) take minibatch noise for a change of sign.",
        ),
    ):
        rows = [
            (
                f"[{name}]({name}.md)",
                *(smoke.cell(solved, name, problem, role, role == "tuned") for problem in problems),
            )
            for names in families().values()
            for name in names
            if name in set(solved.optimizer)
        ]
        parts += [words, table(("optimizer", *problems), rows)]
    parts.append(
        "Again with `python -m docs.generate --smoke`, minutes on two cores; the numbers are in [smoke.csv](smoke.csv)."
    )
    return "\n\n".join(parts)
